// The cluster as a whole, asked node by node: who leads, whether all are well, and what they hold at the end.
import { setTimeout as delay } from 'node:timers/promises';
import type { StatusResponse__Output } from '../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import { finalList } from '../cluster/final-list.ts';
import { monotonicMs } from '../support/monotonic-clock.ts';
import { pollUntil } from '../support/poll.ts';
import type { Arena, ArenaNode } from './arena/arena.ts';
import { Broken } from './faults/fault.ts';
import type { RunRecord } from './verdict/evidence.ts';

interface Answer {
  readonly node: ArenaNode;
  readonly status: StatusResponse__Output;
}

const statusTimeoutMs = 400;
const leaderTimeoutMs = 10_000;
const calmTimeoutMs = 180_000;

async function askAll(arena: Arena): Promise<readonly Answer[]> {
  const running = arena.nodes.filter((node) => node.running);
  const answers = await Promise.allSettled(
    running.map(async (node) => ({ node, status: await node.status(statusTimeoutMs) })),
  );
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
}

/** The one that says it leads, and that most voters follow; undefined while there is none. */
function leaderOf(answers: readonly Answer[]): Answer | undefined {
  const claims = answers.filter(({ status }) => status.role === 'LEADER');
  return claims.find(({ node, status }) => {
    const voters = status.members.filter(({ learner }) => !learner);
    const followers = answers.filter(
      (answer) =>
        answer.status.leader_id === node.id &&
        answer.status.term === status.term &&
        voters.some(({ node_id: id }) => id === answer.node.id),
    );
    return followers.length > voters.length / 2;
  });
}

/** Waits up to 10 s. */
export async function findLeader(arena: Arena): Promise<ArenaNode> {
  const deadline = performance.now() + leaderTimeoutMs;
  for (;;) {
    const leader = leaderOf(await askAll(arena));
    if (leader !== undefined) return leader.node;
    if (performance.now() > deadline) throw new Error('no leader within 10 s');
    await delay(30);
  }
}

/** Until every node runs, follows the same leader and has what that one had committed, or the run is interrupted. Rejects with
 * Broken when that takes longer than three minutes: a fault left something behind, unless the host let nobody run. */
export async function untilWell(arena: Arena, signal: AbortSignal): Promise<void> {
  let words = '';
  const beganAtMs = monotonicMs();
  try {
    await pollUntil(
      async () => {
        if (signal.aborted) return true;
        // Nobody starts it again: there is nothing to wait for.
        if (arena.nodes.some((node) => !node.running)) return true;
        const answers = await askAll(arena);
        words = answers
          .map(({ node, status }) => {
            const { role, term, leader_id: leader, applied_index: applied } = status;
            return `${node.id} ${role} term ${term} leader ${leader} applied ${applied} ${status.problems.join('; ')}`;
          })
          .join('\n');
        const leader = leaderOf(answers);
        if (leader === undefined || answers.length < arena.nodes.length) return false;
        const committed = Number(leader.status.commit_index) - toleratedLag;
        return answers.every(
          ({ status }) =>
            status.leader_id === leader.node.id && Number(status.applied_index) >= committed,
        );
      },
      { what: 'all nodes to be well', timeoutMs: calmTimeoutMs, everyMs: 50 },
    );
    if (arena.nodes.some((node) => !node.running)) throw new Error('a node has ended');
  } catch (cause) {
    const missing = arena.nodes.filter((node) => !node.running).map(({ id }) => id);
    const sinceMs = missing.length === 0 ? beganAtMs : undefined;
    const evidence = `after all faults had ended not all nodes were well within three minutes; not running: ${missing.join(', ') || 'none'}\n${words}`;
    throw new Broken('G15', `${evidence}\n${cause instanceof Error ? cause.message : ''}`, sinceMs);
  }
}

/** Entries that may be on their way to a node under load. */
const toleratedLag = 500;

/** The hash of every node's state at one index, once no node has anything left to apply; what there is after 20 s. */
async function readHashes(arena: Arena): Promise<RunRecord['hashes']> {
  let hashes: RunRecord['hashes'] = {};
  const seen = pollUntil(
    async () => {
      const answers = await askAll(arena);
      const [first] = answers;
      const same = answers.every(
        ({ status }) =>
          status.state_hash_index === first?.status.state_hash_index &&
          status.applied_index === status.commit_index,
      );
      if (!same || answers.length < arena.nodes.length) return false;
      hashes = Object.fromEntries(answers.map(({ node, status }) => [node.id, status.state_hash]));
      return true;
    },
    { what: 'hashes at one index', timeoutMs: 20_000, everyMs: 50 },
  );
  await seen.catch(() => undefined);
  return hashes;
}

/** What every node holds when nothing happens any more. */
export async function readFinals(arena: Arena): Promise<Pick<RunRecord, 'finals' | 'hashes'>> {
  const hashes = await readHashes(arena);
  const finals: RunRecord['finals'][number][] = [];
  for (const { id, clientAddress } of arena.nodes) {
    const { node, revision, instances } = await finalList(id, clientAddress);
    finals.push({ node, revision, instances: [...instances] });
  }
  return { hashes, finals };
}
