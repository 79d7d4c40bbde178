// Power cuts: the process dies and so does everything that was written and not synced.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, type Fault, NoEffect, type Strike, ofAll, ofOne } from './fault.ts';
import { idsOf, revive, takeFollower, takeLeader } from './node-state.ts';

async function cutPower(
  nodes: readonly ArenaNode[],
  what: string,
  gap: Strike['gap'],
): Promise<Strike> {
  const atMs = monotonicMs();
  const lost = await Promise.all(nodes.map((node) => node.disk.cutPower()));
  return {
    what,
    nodes: idsOf(nodes),
    holds: idsOf(nodes),
    atMs,
    gap,
    heal: async () => {
      const tookMs = await Promise.all(nodes.map(revive));
      const kept = nodes.filter((_, position) => lost[position] !== true);
      if (kept.length > 0) {
        throw new NoEffect(`what was not synced is still there on ${idsOf(kept).join(', ')}`);
      }
      const answered = nodes.map((node, position) => `${node.id} after ${tookMs[position]} ms`);
      return `unsynced bytes gone; answers again: ${answered.join(', ')}`;
    },
  };
}

export const powerCut: Fault = {
  kind: 'powerCut',
  needs: ['power'],
  ...ofOne,
  lastsMs: (random) => random.integer(100, 2000),
  strike: async (field) => {
    const leads = field.random.next() < 0.6;
    const node = leads ? await takeLeader(field) : await takeFollower(field);
    const what = `power cut of ${node.id}, ${leads ? 'the leader' : 'a follower'}`;
    return cutPower([node], what, leads ? 'kill' : undefined);
  },
};

export const powerCutAll: Fault = {
  kind: 'powerCutAll',
  needs: ['power'],
  ...ofAll,
  lastsMs: (random) => random.integer(50, 500),
  strike: async (field) => {
    const slowed = await slowDisks(field);
    return cutPower(field.free(), `power cut of all nodes${slowed}`, 'powerCutAll');
  },
};

/** Now and then all disks are slow for a moment before: then much is under way on each of them at once, and what was said
 * too early is lost everywhere. Says so in words. */
async function slowDisks({ arena, random, free }: Battlefield): Promise<string> {
  const delayMs = random.integer(100, 400);
  if (random.next() < 0.5 || arena.missing.has('slowDisk')) return '';
  await Promise.all(free().map((node) => node.disk.slow(delayMs)));
  await delay(3 * delayMs);
  return `, each write of which took ${delayMs} ms longer just before`;
}
