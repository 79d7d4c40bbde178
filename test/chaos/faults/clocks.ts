// A wall clock that jumps by years, as a wrong time server or a dead battery makes it. Leases and elections know nothing of it.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ArenaNode } from '../arena/arena.ts';
import type { Fault } from './fault.ts';
import { expectEffect, takeAny } from './node-state.ts';

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
    const node = field.random.next() < 0.5 ? await field.leader() : takeAny(field);
    const byMs = Math.round((field.random.next() - 0.5) * 20 * yearMs);
    const termOf = async (): Promise<string> => (await (await field.leader()).status()).term;
    const term = await termOf();
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
        const now = await termOf();
        await node.clock.shift(-byMs);
        if (node.running && node.pid === pid) await expectOffset(node, 0);
        await shifted;
        return `off by ${byMs} ms; term ${term} before, ${now} after`;
      },
    };
  },
};
