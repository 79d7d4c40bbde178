// `rollcall set-status` and `rollcall maintenance`: what an instance says of itself, and what the operator says over it.
import { Argument, type Command } from 'commander';
import type { SetStatusRequest } from '../../rpc/gen/rollcall/v1/SetStatusRequest.ts';
import { addClientOptions, type ClientFlags, newRequestId, withClient } from '../client-options.ts';
import type { CliContext } from '../context.ts';
import { generationOption } from '../generation-option.ts';
import { jsonLine } from '../json-output.ts';
import { printable } from '../table.ts';

interface StatusFlags extends ClientFlags {
  readonly generation?: string;
  readonly reason?: string;
}

const STATUSES = { starting: 'STARTING', healthy: 'HEALTHY', draining: 'DRAINING' } as const;
const SWITCHES = { on: 'ON', off: 'OFF' } as const;

export function addSetStatus(program: Command, context: CliContext): void {
  const command = program
    .command('set-status')
    .summary('say that an instance is starting, healthy or draining')
    .argument('<id>', 'instance id')
    .addArgument(new Argument('<status>', 'new status').choices(Object.keys(STATUSES)));
  command.addOption(generationOption()).option('--reason <words>', 'told to watchers');
  addClientOptions(command, { namespace: true }).action(
    (id: string, status: keyof typeof STATUSES, flags: StatusFlags) =>
      setStatus({ status: STATUSES[status] }, id, `${id} is ${status}`, flags, context),
  );
}

export function addMaintenance(program: Command, context: CliContext): void {
  const command = program
    .command('maintenance')
    .summary('take an instance out of rotation, or put it back')
    .addArgument(new Argument('<switch>', 'on or off').choices(Object.keys(SWITCHES)))
    .argument('<id>', 'instance id')
    .option('--reason <words>', 'told to watchers');
  addClientOptions(command, { namespace: true }).action(
    (position: keyof typeof SWITCHES, id: string, flags: StatusFlags) => {
      const told = `maintenance of ${id} is ${position}`;
      return setStatus({ maintenance: SWITCHES[position] }, id, told, flags, context);
    },
  );
}

async function setStatus(
  change: Pick<SetStatusRequest, 'status' | 'maintenance'>,
  id: string,
  told: string,
  flags: StatusFlags,
  context: CliContext,
): Promise<void> {
  await withClient(flags, context, 'write', async (client) => {
    const answer = await client.setStatus({
      ...change,
      namespace: flags.namespace ?? '',
      instance_id: id,
      generation: flags.generation ?? '0',
      reason: flags.reason ?? '',
      request_id: newRequestId(context),
    });
    context.print(
      flags.json === true ? jsonLine(answer) : `${printable(told)}, revision ${answer.revision}`,
    );
  });
}
