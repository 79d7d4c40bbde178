// A run is a function of its seed: the same plan twice gives the same events in the same order.
import { describe, expect, test } from 'vitest';
import { drawPlan } from './plan.ts';
import { runPlan } from './run-plan.ts';

describe('the simulator', () => {
  test.for([101, 102, 103, 104, 105, 106, 107, 108])('runs seed %i twice alike', async (seed) => {
    const first = await runPlan(drawPlan(seed, 4000));
    const second = await runPlan(drawPlan(seed, 4000));
    expect(second.hash).toBe(first.hash);
    expect(second.events).toBe(first.events);
  });

  test('tells seeds apart', async () => {
    const first = await runPlan(drawPlan(106, 500));
    const second = await runPlan(drawPlan(107, 500));
    expect(second.hash).not.toBe(first.hash);
  });
});
