// Every plan that once failed runs again. Replay one with: npm run sim -- --regression NAME --trace
import { describe, expect, test } from 'vitest';
import { readRegressions } from './regression.ts';
import { runPlan } from './run-plan.ts';

describe('plans that once failed', () => {
  test('say what they found', () => {
    for (const { name, found } of readRegressions()) expect(found, name).toMatch(/^\S+: ./);
  });

  for (const { name, plan } of readRegressions()) {
    test(`${name} keeps every guarantee`, async () => {
      const { violations } = await runPlan(plan);
      expect(violations, `replay: npm run sim -- --regression ${name}`).toEqual([]);
    });
  }
});
