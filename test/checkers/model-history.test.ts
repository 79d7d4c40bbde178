// Histories of the model are true: whoever blames one is wrong. In each, one thing is then altered, and somebody must notice.
import { describe, expect, test } from 'vitest';
import { checkHistory } from './check-history.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { mutations } from './history-mutation.ts';
import { modelHistory, smallModel } from './model-history.ts';

const seeds = Array.from({ length: 60 }, (_, at) => at);

describe('true histories', () => {
  test.for(seeds)('of seed %i alarm nobody', (seed) => {
    const stepMs = seed % 2 === 0 ? 4 : 20;
    const verdict = checkHistory(modelHistory({ ...smallModel, seed, stepMs }));
    expect(verdict.violations).toEqual([]);
    expect(verdict.hidden).toBe(0);
  });

  test.for(seeds)('of seed %i with revisions that nobody was told alone alarm nobody', (seed) => {
    const verdict = checkHistory(modelHistory({ ...smallModel, seed, stepMs: 20, deaths: true }));
    expect(verdict.violations).toEqual([]);
  });
});

describe('an altered history', () => {
  test.for(mutations)('in which $name alarms ($guarantee)', ({ guarantee, mutate }) => {
    let altered = 0;
    for (const seed of seeds.slice(0, 20)) {
      const history = modelHistory({ ...smallModel, seed, stepMs: 20 });
      const mutated = mutate(history, seededRandom(seed));
      if (mutated === undefined) continue;
      altered++;
      const { violations } = checkHistory(mutated);
      expect(
        violations.map((violation) => violation.guarantee),
        `seed ${seed}`,
      ).toContain(guarantee);
    }
    expect(altered).toBeGreaterThanOrEqual(10);
  });
});

describe('an altered history with revisions that nobody was told alone', () => {
  // Which guarantee is named may then be another one, as it is not known what was there before; and whether a write acted on
  // the generation it named is not judged where that one's registration is among them.
  test.for(mutations.filter(({ guarantee }) => guarantee !== 'G10'))(
    'in which $name alarms',
    ({ mutate }) => {
      for (const seed of seeds.slice(0, 20)) {
        const history = modelHistory({ ...smallModel, seed, stepMs: 20, deaths: true });
        const mutated = mutate(history, seededRandom(seed));
        if (mutated !== undefined) {
          expect(checkHistory(mutated).violations, `seed ${seed}`).not.toEqual([]);
        }
      }
    },
  );
});
