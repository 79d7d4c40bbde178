// Majorities, against counting one by one.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isReachedByMajority,
  majorityValue,
  quorumSize,
  voteResult,
} from '../../src/raft/quorum.ts';

const values = fc.array(fc.nat(20), { minLength: 1, maxLength: 9 });

/** The highest value that more than half have reached, by trying all. */
function naiveMajorityValue(all: readonly number[]): number {
  const reached = all.filter((value) => all.filter((one) => one >= value).length > all.length / 2);
  return Math.max(...reached);
}

describe('quorum', () => {
  test('a majority is more than half', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map(quorumSize)).toEqual([1, 2, 2, 3, 3, 4, 4]);
  });

  test('majorityValue is the highest value that a majority has reached', () => {
    fc.assert(
      fc.property(values, (all) => {
        expect(majorityValue(Float64Array.from(all))).toBe(naiveMajorityValue(all));
      }),
    );
  });

  test('isReachedByMajority agrees, and refuses the next higher value', () => {
    fc.assert(
      fc.property(values, (all) => {
        const array = Float64Array.from(all);
        const reached = naiveMajorityValue(all);
        expect(isReachedByMajority(array, reached)).toBe(true);
        expect(isReachedByMajority(array, reached + 1)).toBe(false);
      }),
    );
  });

  test('a majority of any two kinds has a voter in common', () => {
    for (let voters = 1; voters <= 9; voters++) {
      expect(2 * quorumSize(voters)).toBeGreaterThan(voters);
    }
  });

  test('an election is won by a majority, lost when none is left, and open otherwise', () => {
    expect(voteResult(3, 2, 0)).toBe('won');
    expect(voteResult(3, 1, 1)).toBe('pending');
    expect(voteResult(3, 1, 2)).toBe('lost');
    expect(voteResult(5, 2, 2)).toBe('pending');
    expect(voteResult(5, 2, 3)).toBe('lost');
    expect(voteResult(1, 0, 0)).toBe('pending');
    expect(voteResult(1, 1, 0)).toBe('won');
  });
});
