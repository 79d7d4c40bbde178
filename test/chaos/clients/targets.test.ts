// Which instances are fought over: the same ones in every process at one time, and never too many writes to one of them.
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/lib/random.ts';
import { eraAt, Targets } from './targets.ts';

const drawn = (targets: Targets, era: number): ReadonlySet<string> => {
  const random = seededRandom(7);
  return new Set(Array.from({ length: 200 }, () => targets.contended(random, era)));
};

describe('the targets of writes', () => {
  test('are the same in all processes, but for those of their own', () => {
    const one = new Targets('one');
    const other = new Targets('other');
    expect(drawn(one, 3)).toEqual(drawn(other, 3));
    const own = one.own(seededRandom(1), 3);
    expect(own).not.toBe(other.own(seededRandom(1), 3));
  });

  test('are others after ten seconds, and what is left behind is known', () => {
    const targets = new Targets('one');
    expect(eraAt(19_999)).toBe(1);
    expect(eraAt(20_000)).toBe(2);
    const [id = ''] = drawn(targets, 1);
    expect(drawn(targets, 2).has(id)).toBe(false);
    expect(targets.leftovers(1)).toContain(id);
  });

  test('take two open writes each, a batch all or none', () => {
    const targets = new Targets('one');
    expect(targets.claim(['a'])).toBe(true);
    expect(targets.claim(['a', 'b'])).toBe(true);
    expect(targets.claim(['b', 'a'])).toBe(false);
    expect(targets.claim(['b'])).toBe(true);
    targets.release(['a']);
    expect(targets.claim(['a'])).toBe(true);
  });
});
