// `rollcall heartbeat`: renew leases once, for scripts and for services that beat from elsewhere.
import type { Command } from 'commander';
import { ConfigError } from '../../config/config-error.ts';
import { addClientOptions, type ClientFlags, withClient } from '../client-options.ts';
import { type CliContext, CommandFailed } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { generationOption } from '../generation-option.ts';
import { jsonLine } from '../json-output.ts';
import { printable } from '../table.ts';

interface HeartbeatFlags extends ClientFlags {
  readonly generation?: string;
}

export function addHeartbeat(program: Command, context: CliContext): void {
  const command = program
    .command('heartbeat')
    .summary('renew the lease of instances, once')
    .argument('<id...>', 'instance ids')
    .addOption(generationOption());
  addClientOptions(command, { namespace: true }).action(
    (ids: readonly string[], flags: HeartbeatFlags) => heartbeat(ids, flags, context),
  );
}

async function heartbeat(
  ids: readonly string[],
  flags: HeartbeatFlags,
  context: CliContext,
): Promise<void> {
  if (flags.generation !== undefined && ids.length > 1) {
    throw new ConfigError('--generation: only with a single instance id');
  }
  const beats = ids.map((id) => ({
    namespace: flags.namespace ?? '',
    instance_id: id,
    generation: flags.generation ?? '0',
  }));
  await withClient(flags, context, 'read', async (client) => {
    const answer = await client.heartbeat({ beats });
    if (flags.json === true) context.print(jsonLine(answer));
    else if (answer.failures.length < ids.length) {
      const renewed = ids.length - answer.failures.length;
      context.print(`renewed ${renewed}; next within ${answer.heartbeat_interval_ms} ms`);
    }
    if (answer.failures.length === 0) return;
    const told = answer.failures.map(
      (failure) => `${printable(failure.instance_id)} is ${failure.reason.toLowerCase()}`,
    );
    throw new CommandFailed(told.join(', '), EXIT.failed);
  });
}
