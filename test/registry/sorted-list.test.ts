// The chunked list against a plain sorted array.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import {
  type Cursor,
  cursorFrom,
  insert,
  remove,
  type SortedList,
  sortedList,
} from '../../src/registry/sorted-list.ts';

function drain<T>(cursor: Cursor<T>): readonly T[] {
  const items: T[] = [];
  for (let item = cursor(); item !== undefined; item = cursor()) items.push(item);
  return items;
}

function listOf(keys: Iterable<string>): SortedList<string> {
  const list = sortedList((key: string) => key);
  for (const key of keys) insert(list, key);
  return list;
}

describe('a sorted list', () => {
  test('walks like a sorted array from any key, in or out of the list', () => {
    const keys = fc.uniqueArray(fc.string({ maxLength: 3 }), { maxLength: 40 });
    fc.assert(
      fc.property(keys, fc.string({ maxLength: 3 }), fc.boolean(), (given, from, exclusive) => {
        const list = listOf(given);
        const expected = given.toSorted().filter((key) => (exclusive ? key > from : key >= from));
        expect(drain(cursorFrom(list, from, exclusive))).toEqual(expected);
        expect(drain(cursorFrom(list, undefined, exclusive))).toEqual(given.toSorted());
      }),
    );
  });

  test('stays sorted over many chunks while items come and go', () => {
    const random = seededRandom(7);
    const list = listOf([]);
    const model = new Set<string>();
    for (let step = 0; step < 40_000; step++) {
      const key = `k${random.integer(0, 6_000)}`;
      // Grows, then shrinks to nothing.
      if (step < 20_000 ? !model.has(key) : false) {
        insert(list, key);
        model.add(key);
      } else if (model.has(key)) {
        remove(list, key);
        model.delete(key);
      }
      if (step % 2_000 === 0) {
        expect(list.size).toBe(model.size);
        expect(drain(cursorFrom(list, undefined, false))).toEqual([...model].toSorted());
        const from = `k${random.integer(0, 6_000)}`;
        const expected = [...model].filter((other) => other > from).toSorted();
        expect(drain(cursorFrom(list, from, true))).toEqual(expected);
      }
    }
    for (const key of model) remove(list, key);
    expect(list.chunks).toEqual([]);
    expect(list.size).toBe(0);
  });

  test('keeps its chunks short and few', () => {
    const ascending = listOf(Array.from({ length: 20_000 }, (_, n) => String(n).padStart(6, '0')));
    expect(Math.max(...ascending.chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(512);
    expect(ascending.chunks.length).toBeLessThan(100);
    for (let n = 0; n < 20_000; n++) {
      if (n % 100 !== 0) remove(ascending, String(n).padStart(6, '0'));
    }
    expect(ascending.size).toBe(200);
    expect(ascending.chunks.length).toBeLessThan(40);
  });

  test('removing what is not there is a broken invariant', () => {
    const list = listOf(['a', 'c']);
    expect(() => remove(list, 'b')).toThrow('is in it');
    expect(() => remove(list, 'd')).toThrow('is in it');
  });
});
