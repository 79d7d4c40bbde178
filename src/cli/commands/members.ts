// `rollcall members`, `rollcall member …` and `rollcall transfer-leader`: who belongs to the cluster, and who leads it.
import type { Command } from 'commander';
import { ClientError, type RegistryClient } from '../../client/index.ts';
import type { Member__Output } from '../../rpc/gen/rollcall/v1/Member.ts';
import type { MembersResponse__Output } from '../../rpc/gen/rollcall/v1/MembersResponse.ts';
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
import { askNodes } from '../node-answers.ts';
import { formatTable, printable } from '../table.ts';

interface PromoteFlags extends ClientFlags {
  readonly wait?: number;
}

const MAX_WAIT_SECONDS = 3600;
const TRY_EVERY_MS = 250;

export function addMembers(program: Command, context: CliContext): void {
  const command = program.command('members').summary('list the members of the cluster');
  addClientOptions(command, { namespace: false }).action((flags: ClientFlags) =>
    showMembers(flags, context),
  );
}

export function addMember(program: Command, context: CliContext): void {
  const member = program
    .command('member')
    .summary('add, promote or remove a member')
    .description(
      'Changes who belongs to the cluster, one change at a time. Taken from the host of a member only, unless the nodes ' +
        'run with --allow-remote-admin.',
    );
  const add = member
    .command('add')
    .summary('announce a node, which then joins as a learner')
    .argument('<id>', 'its --node-id')
    .argument('<peer_addr>', 'where the other nodes reach it, host:port')
    .argument('<client_addr>', 'where clients reach it, host:port');
  addClientOptions(add, { namespace: false }).action(
    (id: string, peer: string, client: string, flags: ClientFlags) =>
      announce({ id, peer, client }, flags, context),
  );
  const promote = member
    .command('promote')
    .summary('make a learner a voter, once it has caught up')
    .argument('<id>', 'node id')
    .option(
      '--wait <seconds>',
      'try again for so long while it cannot be promoted yet',
      wholeNumber(1, MAX_WAIT_SECONDS),
    );
  addClientOptions(promote, { namespace: false }).action((id: string, flags: PromoteFlags) =>
    change(`${id} votes`, flags, context, (client) => promoteInTime(client, id, flags.wait ?? 0)),
  );
  const remove = member
    .command('remove')
    .summary('take a node out of the cluster for good')
    .argument('<id>', 'node id');
  addClientOptions(remove, { namespace: false }).action((id: string, flags: ClientFlags) =>
    change(`${id} is removed`, flags, context, (client) => client.removeMember(id)),
  );
}

export function addTransferLeader(program: Command, context: CliContext): void {
  const command = program
    .command('transfer-leader')
    .summary('hand leadership over')
    .description('Hands leadership over to the node named, or to the follower that lacks least.')
    .argument('[id]', 'node id');
  addClientOptions(command, { namespace: false }).action(
    (id: string | undefined, flags: ClientFlags) => transferLeader(id ?? '', flags, context),
  );
}

async function showMembers(flags: ClientFlags, context: CliContext): Promise<void> {
  await withClient(flags, context, 'read', async (client) => {
    const answers = await askNodes(client, endpointsOf(flags, context), flags.timeoutMs);
    const formed = answers.flatMap(({ status }) =>
      status === undefined || status.members.length === 0 ? [] : status,
    );
    const [newest] = formed.toSorted(newestFirst);
    if (newest === undefined) {
      const problems = answers.map((answer) => answer.problem).filter((text) => text !== '');
      const reason = problems.length > 0 ? problems.join(', ') : 'the cluster has not formed yet';
      throw new CommandFailed(reason, EXIT.failed);
    }
    const { members } = newest;
    context.print(flags.json === true ? jsonLine({ members }) : membersTable(members));
  });
}

const leads = (status: StatusResponse__Output): number => (status.role === 'LEADER' ? 1 : 0);

/** A node that was removed, or is behind, knows older members than the one that leads in the highest term. */
function newestFirst(a: StatusResponse__Output, b: StatusResponse__Output): number {
  return (
    leads(b) - leads(a) ||
    Number(b.term) - Number(a.term) ||
    Number(b.commit_index) - Number(a.commit_index)
  );
}

function membersTable(members: readonly Member__Output[]): string {
  return formatTable(
    ['node', 'client address', 'peer address', 'votes', 'incarnation'],
    members.map((member) => [
      member.node_id,
      member.client_address,
      member.peer_address,
      member.learner ? 'no' : 'yes',
      member.incarnation === '' ? 'has not come yet' : member.incarnation,
    ]),
  );
}

interface Announced {
  readonly id: string;
  readonly peer: string;
  readonly client: string;
}

async function announce(
  { id, peer, client: address }: Announced,
  flags: ClientFlags,
  context: CliContext,
): Promise<void> {
  const entrances = endpointsOf(flags, context).join(',');
  const told = `${id} is announced: start it with an empty data directory and --join ${entrances}; once it has caught up: rollcall member promote ${id}`;
  await change(told, flags, context, (client) =>
    client.addMember({ node_id: id, peer_address: peer, client_address: address }),
  );
}

async function change(
  told: string,
  flags: ClientFlags,
  context: CliContext,
  start: (client: RegistryClient) => Promise<MembersResponse__Output>,
): Promise<void> {
  await withClient(flags, context, 'write', async (client) => {
    const answer = await start(client);
    if (flags.json === true) context.print(jsonLine(answer));
    else context.print(`${printable(told)}\n${membersTable(answer.members)}`);
  });
}

async function promoteInTime(
  client: RegistryClient,
  id: string,
  waitSeconds: number,
): Promise<MembersResponse__Output> {
  const { runtime } = client;
  const deadline = runtime.now() + waitSeconds * 1000;
  for (;;) {
    try {
      return await client.promoteMember(id);
    } catch (error) {
      const notYet = error instanceof ClientError && error.status === 'FAILED_PRECONDITION';
      if (!notYet || runtime.now() >= deadline) throw error;
      await runtime.sleep(TRY_EVERY_MS);
    }
  }
}

async function transferLeader(id: string, flags: ClientFlags, context: CliContext): Promise<void> {
  await withClient(flags, context, 'write', async (client) => {
    const answer = await client.transferLeadership(id);
    if (flags.json === true) {
      context.print(jsonLine(answer));
      return;
    }
    const leader = answer.leader_id === '' ? 'another node' : answer.leader_id;
    context.print(`${printable(leader)} leads, term ${answer.term}`);
  });
}
