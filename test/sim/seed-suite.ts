// One test for each seed of a range; the files that call it run beside each other.
import { describe, expect, test } from 'vitest';
import { drawPlan } from './plan.ts';
import { runPlan } from './run-plan.ts';

/** With healing and silence a run takes some 11 simulated seconds. */
const CHAOS_MS = 7000;

export function describeSeeds(first: number, count: number): void {
  describe('the whole system on simulated time', () => {
    test.for(Array.from({ length: count }, (_, position) => first + position))(
      'keeps every guarantee under seed %i',
      async (seed) => {
        const { violations } = await runPlan(drawPlan(seed, CHAOS_MS));
        expect(violations, `replay: npm run sim -- --seed ${seed}`).toEqual([]);
      },
    );
  });
}
