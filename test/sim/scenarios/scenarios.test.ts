// Failures that other implementations had, played again. Each must fail with the planted bug it is paired with:
// npm run planted -- --simulated shows that.
import { describe, expect, test } from 'vitest';
import { scenarios } from './scenarios.ts';

describe('what happened to others does not happen here:', () => {
  test('every scenario has a name of its own', () => {
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  });

  for (const { name, seenIn, run } of scenarios) {
    test(name, async () => {
      expect(await run(), `seen in ${seenIn}`).toEqual([]);
    });
  }
});
