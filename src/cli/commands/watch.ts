// `rollcall watch`: changes as they commit, through every node failure, until interrupted.
import type { Command } from 'commander';
import { watch } from '../../client/index.ts';
import type { Change__Output } from '../../rpc/gen/rollcall/v1/Change.ts';
import type { WatchResponse__Output } from '../../rpc/gen/rollcall/v1/WatchResponse.ts';
import { addClientOptions, type ClientFlags, withClient } from '../client-options.ts';
import type { CliContext } from '../context.ts';
import { instanceAddress } from '../instance-input.ts';
import { jsonLine } from '../json-output.ts';
import { printable } from '../table.ts';
import { statusText } from './lists.ts';

interface WatchFlags extends ClientFlags {
  readonly healthy?: true;
  readonly resume?: string;
}

export function addWatch(program: Command, context: CliContext): void {
  const command = program
    .command('watch')
    .summary('follow changes as they happen')
    .description(
      'Prints the state, then every change. When a node fails, another one continues the stream:\n' +
        'nothing is missed or repeated. With --json one line per message, progress marks included.',
    )
    .argument('[service...]', 'service names (default: all)')
    .option('--healthy', 'only instances that take traffic')
    .option('--resume <token>', 'continue after the message this token came with');
  addClientOptions(command, { namespace: true }).action(
    (services: readonly string[], flags: WatchFlags) => follow(services, flags, context),
  );
}

async function follow(
  services: readonly string[],
  flags: WatchFlags,
  context: CliContext,
): Promise<void> {
  const signal = context.interruption();
  let token = flags.resume ?? '';
  // Each thing that is said of an outage is told once, not at each try.
  const told = new Set<string>();
  await withClient(flags, context, 'read', async (client) => {
    const messages = watch(client, {
      selector: {
        namespace: flags.namespace ?? '',
        services: [...services],
        healthy_only: flags.healthy === true,
      },
      resumeToken: token,
      signal,
      onReconnect: (reason, endpoint) => {
        if (!told.has(reason)) context.warn(`${reason}; going on at ${endpoint}`);
        told.add(reason);
      },
    });
    for await (const message of messages) {
      token = message.resume_token;
      told.clear();
      if (flags.json === true) context.print(jsonLine(message));
      else for (const line of describeMessage(message)) context.print(line);
    }
  });
  if (flags.json !== true && token !== '') context.warn(`continue with --resume ${token}`);
}

/** Lines for people; a progress mark has none. */
export function describeMessage(message: WatchResponse__Output): readonly string[] {
  const lines = message.changes.map((change) => `${message.revision}  ${describeChange(change)}`);
  if (!message.reset) return lines;
  const more = message.more ? ', more follow' : '';
  return [`${message.revision}  state (${message.changes.length} instances${more})`, ...lines];
}

function describeChange(change: Change__Output): string {
  const { instance } = change;
  if (instance === null) return change.kind.toLowerCase();
  const name = `${instance.service_name}/${instance.instance_id}`;
  const reason = change.reason === '' ? '' : `  (${change.reason})`;
  return printable(
    change.kind === 'REMOVE'
      ? `remove  ${name}${reason}`
      : `put     ${name}  ${instanceAddress(instance)}  ${statusText(instance)}${reason}`,
  );
}
