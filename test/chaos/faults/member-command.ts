// Commands that change the cluster, as an operator gives them: again and again while they are refused for the moment, because
// other faults are under way.
import type { ExecException } from 'node:child_process';
import { runCommands } from '../../cluster/runbook.ts';
import { pollUntil } from '../../support/poll.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, NoEffect } from './fault.ts';

const patienceMs = 60_000;

export type MemberState = 'absent' | 'learner' | 'voter';

/** What the leader says of that member. */
export async function memberState(field: Battlefield, id: string): Promise<MemberState> {
  const { members } = await (await field.leader()).status();
  const member = members.find(({ node_id: nodeId }) => nodeId === id);
  if (member === undefined) return 'absent';
  return member.learner ? 'learner' : 'voter';
}

/** Repeats `rollcall <command>` until the leader says that the member is what it is to be. */
export async function commandUntil(
  field: Battlefield,
  command: string,
  id: string,
  wanted: MemberState,
): Promise<void> {
  let refusal = '';
  await pollUntil(
    async () => {
      const endpoints = field.arena.nodes
        .filter((node) => node.running && node.id !== id)
        .map(({ clientAddress }) => clientAddress);
      refusal = await runCommands(`rollcall ${command}\n`, endpoints).then(
        () => '',
        (error: ExecException) => (error.stderr ?? '').trim(),
      );
      return (await memberState(field, id)) === wanted;
    },
    {
      what: `${id} to be ${wanted} after "rollcall ${command}"`,
      timeoutMs: patienceMs,
      everyMs: 100,
      explain: () => refusal,
    },
  ).catch((cause: unknown) => {
    throw new NoEffect(cause instanceof Error ? cause.message : command, { cause });
  });
}

/** Announced, so that it is taken in when it comes; then started, and given its vote once it has caught up. */
export async function takeIn(field: Battlefield, node: ArenaNode): Promise<void> {
  const { id, peerAddress, clientAddress } = node;
  await commandUntil(field, `member add ${id} ${peerAddress} ${clientAddress}`, id, 'learner');
  node.start();
  await commandUntil(field, `member promote ${id} --wait 20`, id, 'voter');
}
