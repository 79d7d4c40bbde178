// `rollcall status`: the nodes as they see themselves.
import type { Command } from 'commander';
import type { RegistryClient } from '../../client/index.ts';
import {
  addClientOptions,
  type ClientFlags,
  endpointsOf,
  wholeNumber,
  withClient,
} from '../client-options.ts';
import { type CliContext, CommandFailed } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonLine } from '../json-output.ts';
import { askNodes, type NodeAnswer } from '../node-answers.ts';
import { formatBytes, formatTable } from '../table.ts';
import { waitUntilWritable } from '../writable.ts';

interface StatusFlags extends ClientFlags {
  readonly wait?: number;
}

const TRY_TIMEOUT_MS = 1000;
const MAX_WAIT_SECONDS = 3600;
/** Longer than the client's channels wait after a refused connection. */
const PATIENCE_MS = 1500;

export function addStatus(program: Command, context: CliContext): void {
  const command = program
    .command('status')
    .summary('show every node as it sees itself')
    .option(
      '--wait <seconds>',
      'first wait until the cluster accepts writes',
      wholeNumber(1, MAX_WAIT_SECONDS),
    );
  addClientOptions(command, { namespace: false }).action((flags: StatusFlags) =>
    showStatus(flags, context),
  );
}

async function showStatus(flags: StatusFlags, context: CliContext): Promise<void> {
  // While waiting, a try must end soon enough for the wait to keep its own time.
  const timeoutMs = Math.min(flags.timeoutMs, flags.wait === undefined ? Infinity : TRY_TIMEOUT_MS);
  await withClient({ ...flags, timeoutMs }, context, 'read', async (client) => {
    if (flags.wait !== undefined) await wait(client, flags.wait);
    // While waiting, nodes that were still starting have refused connections.
    const patienceMs = flags.wait === undefined ? 0 : PATIENCE_MS;
    const endpoints = endpointsOf(flags, context);
    const answers = await askNodes(client, endpoints, flags.timeoutMs, patienceMs);
    const nodes = answers.flatMap((answer) => answer.status ?? []);
    if (nodes.length === 0) {
      throw new CommandFailed(answers.map((answer) => answer.problem).join(', '), EXIT.failed);
    }
    context.print(flags.json === true ? jsonLine({ nodes }) : statusTable(answers));
    if (flags.json === true) return;
    for (const node of nodes) {
      for (const problem of node.problems) context.warn(`${node.node_id}: ${problem}`);
    }
  });
}

async function wait(client: RegistryClient, seconds: number): Promise<void> {
  const problem = await waitUntilWritable(client, seconds * 1000);
  if (problem === undefined) return;
  const told = `the cluster did not accept writes within ${seconds} s: ${problem}`;
  throw new CommandFailed(told, EXIT.failed);
}

function statusTable(answers: readonly NodeAnswer[]): string {
  return formatTable(
    [
      'node',
      'address',
      'role',
      'leader',
      'term',
      'commit',
      'applied',
      'revision',
      'instances',
      'watches',
      'log from',
      'log',
      'state',
    ],
    answers.map(({ endpoint, status, problem }) =>
      status === undefined
        ? ['-', endpoint, problem]
        : [
            status.node_id,
            endpoint,
            status.role.toLowerCase(),
            status.leader_id === '' ? '-' : status.leader_id,
            status.term,
            status.commit_index,
            status.applied_index,
            status.revision,
            status.instances,
            status.watches,
            status.first_index,
            formatBytes(Number(status.log_bytes)),
            formatBytes(Number(status.state_bytes)),
          ],
    ),
  );
}
