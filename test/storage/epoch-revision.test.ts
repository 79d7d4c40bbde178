// Where the revisions of a new epoch begin: above all that any earlier one can have given (G11).
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epochRevision } from '../../src/storage/epoch-revision.ts';

const now = Date.UTC(2026, 10, 23);
const day = 86_400_000;

describe('the revisions of a new epoch', () => {
  test('begin above those of every earlier epoch, whichever backup each began with', () => {
    const step = fc.record({
      /** Days the epoch lives, revisions it gives a second, and which of the backups so far the next one begins with. */
      days: fc.double({ min: 0.0001, max: 2000, noNaN: true }),
      perSecond: fc.nat(1_000_000),
      backup: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let clock = now;
        const backups = [5];
        let highest = 5;
        for (const { days, perSecond, backup } of steps) {
          const from = backups[backup % backups.length] ?? 0;
          const first = epochRevision({ from, above: 0 }, clock);
          expect(first).toBeGreaterThan(highest);
          clock += days * day;
          highest = first + Math.floor(days * 86_400 * perSecond);
          backups.push(first, highest);
        }
      }),
    );
  });

  test('leap above what is known even where the clock stands still or lies behind', () => {
    expect(epochRevision({ from: 1000, above: 0 }, 0)).toBe(1000 + 2 ** 40);
    expect(epochRevision({ from: 1000, above: 2 ** 52 }, now)).toBe(2 ** 52 + 2 ** 40);
  });

  test('are refused where they would leave no room, and the reason is named', () => {
    expect(() => epochRevision({ from: 1, above: 0 }, Date.UTC(2230, 0))).toThrow(
      /the clock of this/,
    );
    const used = Number.MAX_SAFE_INTEGER - 2 ** 50;
    expect(() => epochRevision({ from: used, above: 0 }, now)).toThrow(/leaves no room/);
  });
});
