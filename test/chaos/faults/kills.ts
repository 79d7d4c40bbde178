// kill -9: what was written is in the page cache and stays; everything in memory is gone, sockets are closed at once.
import type { ArenaNode } from '../arena/arena.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { type Battlefield, type Fault, type Strike, ofAll, ofOne } from './fault.ts';
import { expectGone, idsOf, revive, takeFollower, takeLeader } from './node-state.ts';

async function kill(
  nodes: readonly ArenaNode[],
  what: string,
  gap: Strike['gap'],
): Promise<Strike> {
  const pids = nodes.map((node) => node.pid);
  const atMs = monotonicMs();
  await Promise.all(nodes.map((node) => node.kill('SIGKILL')));
  return {
    what,
    nodes: idsOf(nodes),
    holds: idsOf(nodes),
    atMs,
    gap,
    heal: async () => {
      for (const [position, node] of nodes.entries()) await expectGone(node, pids[position] ?? 0);
      const tookMs = await Promise.all(nodes.map(revive));
      const answered = nodes.map((node, position) => `${node.id} after ${tookMs[position]} ms`);
      return `process ${pids.join(', ')} gone; answers again: ${answered.join(', ')}`;
    },
  };
}

export const killLeader: Fault = {
  kind: 'killLeader',
  needs: [],
  ...ofOne,
  lastsMs: (random) => random.integer(300, 2500),
  strike: async (field) => {
    const node = await takeLeader(field);
    return kill([node], `kill -9 of ${node.id}, the leader`, 'kill');
  },
};

export const killFollower: Fault = {
  kind: 'killFollower',
  needs: [],
  ...ofOne,
  lastsMs: (random) => random.integer(200, 2500),
  strike: async (field) => {
    const node = await takeFollower(field);
    return kill([node], `kill -9 of ${node.id}, a follower`, undefined);
  },
};

export const killAll: Fault = {
  kind: 'killAll',
  needs: [],
  ...ofAll,
  lastsMs: (random) => random.integer(50, 1500),
  strike: (field: Battlefield) => kill(field.free(), 'kill -9 of all nodes at once', undefined),
};
