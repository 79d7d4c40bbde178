// The shrinker finds the few actions that a failure needs, in any order and however far apart.
import { describe, expect, test } from 'vitest';
import { drawPlan, type Plan } from './plan.ts';
import { shrinkPlan } from './shrink.ts';

const holds =
  (...needed: readonly number[]) =>
  async ({ actions }: Plan): Promise<boolean> =>
    needed.every((number) => actions.some((action) => action.number === number));

describe('shrinking', () => {
  const plan = drawPlan(1, 3000);

  test('keeps exactly what the failure needs', async () => {
    const small = await shrinkPlan(plan, { fails: holds(3, 17, 31), maxRuns: 1000 });
    expect(small.actions.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual([
      3, 17, 31,
    ]);
    expect(small.parameters.chaosMs).toBeLessThan(plan.parameters.chaosMs);
  });

  test('returns a failing plan when its runs are used up', async () => {
    const fails = holds(3, 17, 31);
    const small = await shrinkPlan(plan, { fails, maxRuns: 5 });
    expect(await fails(small)).toBe(true);
  });

  test('draws the same plan for the same seed, and plans survive being a file', () => {
    expect(drawPlan(1, 3000)).toEqual(plan);
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });
});
