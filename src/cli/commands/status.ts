// `rollcall status` and `rollcall members`: the nodes as they see themselves.
import type { Command } from 'commander';
import { ClientError, type RegistryClient } from '../../client/index.ts';
import type { StatusResponse__Output } from '../../rpc/gen/rollcall/v1/StatusResponse.ts';
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
import { formatTable } from '../table.ts';
import { waitUntilWritable } from '../writable.ts';

interface StatusFlags extends ClientFlags {
  readonly wait?: number;
}

const NODE_TIMEOUT_MS = 2000;
const TRY_TIMEOUT_MS = 1000;
const MAX_WAIT_SECONDS = 3600;

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

export function addMembers(program: Command, context: CliContext): void {
  const command = program.command('members').summary('list the members of the cluster');
  addClientOptions(command, { namespace: false }).action((flags: ClientFlags) =>
    showMembers(flags, context),
  );
}

interface NodeAnswer {
  readonly endpoint: string;
  readonly status: StatusResponse__Output | undefined;
  /** Why there is no status. */
  readonly problem: string;
}

async function showStatus(flags: StatusFlags, context: CliContext): Promise<void> {
  // While waiting, a try must end soon enough for the wait to keep its own time.
  const timeoutMs = Math.min(flags.timeoutMs, flags.wait === undefined ? Infinity : TRY_TIMEOUT_MS);
  await withClient({ ...flags, timeoutMs }, context, 'read', async (client) => {
    if (flags.wait !== undefined) await wait(client, flags.wait);
    const answers = await askAll(client, endpointsOf(flags, context), flags);
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

async function showMembers(flags: ClientFlags, context: CliContext): Promise<void> {
  await withClient(flags, context, 'read', async (client) => {
    const answers = await askAll(client, endpointsOf(flags, context), flags);
    const formed = answers.find((answer) => (answer.status?.members.length ?? 0) > 0);
    if (formed?.status === undefined) {
      const problems = answers.map((answer) => answer.problem).filter((text) => text !== '');
      const reason = problems.length > 0 ? problems.join(', ') : 'the cluster has not formed yet';
      throw new CommandFailed(reason, EXIT.failed);
    }
    const { members } = formed.status;
    context.print(
      flags.json === true
        ? jsonLine({ members })
        : formatTable(
            ['node', 'client address', 'peer address', 'votes', 'incarnation'],
            members.map((member) => [
              member.node_id,
              member.client_address,
              member.peer_address,
              member.learner ? 'no' : 'yes',
              member.incarnation,
            ]),
          ),
    );
  });
}

async function askAll(
  client: RegistryClient,
  endpoints: readonly string[],
  flags: ClientFlags,
): Promise<readonly NodeAnswer[]> {
  const timeoutMs = Math.min(flags.timeoutMs, NODE_TIMEOUT_MS);
  return Promise.all(
    endpoints.map(async (endpoint): Promise<NodeAnswer> => {
      try {
        return { endpoint, status: await client.status(endpoint, timeoutMs), problem: '' };
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        return { endpoint, status: undefined, problem: error.message };
      }
    }),
  );
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
          ],
    ),
  );
}
