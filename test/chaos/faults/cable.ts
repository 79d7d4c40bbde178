// The cable of the leader is pulled: neither the other nodes nor clients reach it, and it reaches nobody, not even to hear that
// it does not lead any more.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { pollUntil } from '../../support/poll.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, Broken, type Fault, ofOne } from './fault.ts';
import { expectEffect, leaderSeenBy, takeLeader, viewOf } from './node-state.ts';

/** A leader of the others was there before, or is chosen within a second; a very busy host takes longer. */
const effectTimeoutMs = 10_000;
const backTimeoutMs = 120_000;

/** Clients get no answer from it, and the others follow somebody else. */
async function expectUnreached(field: Battlefield, node: ArenaNode): Promise<string> {
  let words = '';
  const others = field.arena.nodes.filter((other) => other !== node && other.running);
  await expectEffect(`${node.id} to be out of reach`, effectTimeoutMs, async () => {
    const views = await Promise.all(others.map(viewOf));
    const elsewhere = views.filter((view) => view !== undefined && view.leader_id !== node.id);
    const answer = await viewOf(node);
    words = `no answer from ${node.id}, others led by ${elsewhere[0]?.leader_id ?? 'nobody'}`;
    return answer === undefined && elsewhere.length > 0;
  });
  return words;
}

async function untilBack(node: ArenaNode): Promise<void> {
  const beganAtMs = monotonicMs();
  try {
    await pollUntil(async () => ((await viewOf(node))?.leader_id ?? '') !== '', {
      what: `${node.id} to answer and to know a leader`,
      timeoutMs: backTimeoutMs,
      everyMs: 30,
    });
  } catch (cause) {
    throw new Broken('G15', cause instanceof Error ? cause.message : '', beganAtMs);
  }
}

export const disconnectLeader: Fault = {
  kind: 'disconnectLeader',
  needs: ['cable'],
  ...ofOne,
  lastsMs: (random) => random.integer(1500, 6000),
  strike: async (field) => {
    const node = await takeLeader(field);
    const { pid } = node;
    const atMs = monotonicMs();
    await node.cable.pull();
    return {
      what: `${node.id}, the leader, disconnected from the network`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: 'partition',
      heal: async () => {
        let seen = '';
        try {
          seen = await expectUnreached(field, node);
        } finally {
          await node.cable.plug();
        }
        const beganAtMs = monotonicMs();
        await untilBack(node);
        const tookMs = (monotonicMs() - beganAtMs).toFixed(0);
        const same = node.pid === pid ? 'the same process' : 'another process';
        return `${seen}; ${same}, back after ${tookMs} ms, led by ${await leaderSeenBy(node)}`;
      },
    };
  },
};
