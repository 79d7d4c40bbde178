// A wall clock that jumps by years, as a wrong time server or a dead battery makes it. Leases and elections know nothing of it.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ArenaNode } from '../arena/arena.ts';
import type { Fault } from './fault.ts';
import { expectEffect, leaderSeenBy, takeAny, takeLeader } from './node-state.ts';

const yearMs = 365 * 24 * 3600 * 1000;
/** Between the two readings of a clock that stands where it is to stand. */
const toleranceMs = 2000;

const expectOffset = (node: ArenaNode, wantedMs: number): Promise<void> =>
  expectEffect(`the clock of ${node.id} to be off by ${wantedMs} ms`, 3000, async () => {
    return Math.abs((await node.clock.offsetMs()) - wantedMs) < toleranceMs;
  });

export const wallClock: Fault = {
  kind: 'wallClock',
  needs: ['wallClock'],
  alone: false,
  takes: () => 0,
  lastsMs: (random) => random.integer(1000, 4000),
  strike: async (field) => {
    const node = field.random.next() < 0.5 ? await takeLeader(field) : takeAny(field);
    const byMs = Math.round((field.random.next() - 0.5) * 20 * yearMs);
    const before = await leaderSeenBy(node);
    const pid = node.pid;
    const atMs = monotonicMs();
    await node.clock.shift(byMs);
    const shifted = expectOffset(node, byMs);
    await shifted.catch(() => undefined);
    return {
      what: `the wall clock of ${node.id} jumps by ${(byMs / yearMs).toFixed(1)} years`,
      nodes: [node.id],
      holds: [],
      atMs,
      gap: undefined,
      heal: async () => {
        const after = await leaderSeenBy(node);
        await node.clock.shift(-byMs);
        // Struck by another fault meanwhile, it may not be able to look at its clock.
        const awake = field.free().includes(node) && node.pid === pid;
        if (awake) await expectOffset(node, 0);
        await shifted;
        return `off by ${byMs} ms; it saw ${before} before, ${after} after`;
      },
    };
  },
};
