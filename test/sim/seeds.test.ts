// Seeded runs of the whole system on simulated time. A failing seed is replayed with: npm run sim -- --seed N --trace
import { describe, expect, test } from 'vitest';
import { drawPlan } from './plan.ts';
import { runPlan } from './run-plan.ts';

const CHAOS_MS = 7000;
const SEEDS = 40;

describe('the whole system on simulated time', () => {
  test.for(Array.from({ length: SEEDS }, (_, position) => position + 1))(
    'keeps every guarantee under seed %i',
    async (seed) => {
      const { violations } = await runPlan(drawPlan(seed, CHAOS_MS));
      expect(violations, `replay: npm run sim -- --seed ${seed}`).toEqual([]);
    },
  );
});
