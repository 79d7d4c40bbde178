// `rollcall deregister`: remove an instance, and only the generation meant.
import { type Command, Option } from 'commander';
import { ConfigError } from '../../config/config-error.ts';
import { addClientOptions, type ClientFlags, newRequestId, withClient } from '../client-options.ts';
import type { CliContext } from '../context.ts';
import { generationOption } from '../generation-option.ts';
import { jsonLine } from '../json-output.ts';
import { printable } from '../table.ts';

interface DeregisterFlags extends ClientFlags {
  readonly generation?: string;
  readonly reason?: string;
  readonly drainMs?: string;
}

export function addDeregister(program: Command, context: CliContext): void {
  const command = program
    .command('deregister')
    .summary('remove an instance')
    .argument('<id>', 'instance id')
    .addOption(generationOption())
    .option('--reason <words>', 'told to watchers')
    .addOption(new Option('--drain-ms <n>').hideHelp());
  addClientOptions(command, { namespace: true }).action((id: string, flags: DeregisterFlags) =>
    deregister(id, flags, context),
  );
}

async function deregister(id: string, flags: DeregisterFlags, context: CliContext): Promise<void> {
  if (flags.drainMs !== undefined) {
    throw new ConfigError('--drain-ms: waiting for watchers is not in this version');
  }
  await withClient(flags, context, 'write', async (client) => {
    const answer = await client.deregister({
      namespace: flags.namespace ?? '',
      instance_id: id,
      generation: flags.generation ?? '0',
      reason: flags.reason ?? '',
      request_id: newRequestId(context),
    });
    if (flags.json === true) context.print(jsonLine(answer));
    else if (answer.existed) {
      context.print(`deregistered ${printable(id)}, revision ${answer.revision}`);
    } else context.print(`${printable(id)} was not registered`);
  });
}
