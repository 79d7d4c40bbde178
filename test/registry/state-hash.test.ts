// The hash must see every bit and scatter: two nodes that differ in one bit must not agree.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashOfImage } from '../../src/registry/index.ts';
import { type Hash64, hashRecord, hashText } from '../../src/registry/state-hash.ts';
import { rev } from './fixtures.ts';

function bitsOf(hash: Hash64): readonly number[] {
  return [hash.a, hash.b].flatMap((lane) =>
    Array.from({ length: 32 }, (_, bit) => (lane >>> bit) & 1),
  );
}

/** Small records that differ little, as those of a registry do. */
function samples(count: number): readonly { readonly key: string; readonly value: Uint8Array }[] {
  return Array.from({ length: count }, (_, index) => ({
    key: `i/default/inst-${index}`,
    value: new Uint8Array([1, 2, 3, index & 255, index >> 8, 0, 0]),
  }));
}

describe('the hash of a record', () => {
  test('each of its 64 bits is set for about half of 20 000 similar records', () => {
    const counts = Array.from({ length: 64 }, () => 0);
    for (const { key, value } of samples(20_000)) {
      for (const [bit, set] of bitsOf(hashRecord(key, value)).entries()) {
        counts[bit] = (counts[bit] ?? 0) + set;
      }
    }
    // Six standard deviations of a fair coin around the half.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(430);
  });

  test('one flipped bit of the value flips about half of the 64, and each of them sometimes', () => {
    let total = 0;
    let trials = 0;
    const flips = Array.from({ length: 64 }, () => 0);
    for (const { key, value } of samples(400)) {
      const before = bitsOf(hashRecord(key, value));
      for (let bit = 0; bit < value.length * 8; bit++) {
        const other = value.slice();
        other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        for (const [at, set] of bitsOf(hashRecord(key, other)).entries()) {
          if (set === before[at]) continue;
          total += 1;
          flips[at] = (flips[at] ?? 0) + 1;
        }
        trials += 1;
      }
    }
    expect(total / trials).toBeGreaterThan(31.5);
    expect(total / trials).toBeLessThan(32.5);
    for (const count of flips) {
      expect(count / trials).toBeGreaterThan(0.45);
      expect(count / trials).toBeLessThan(0.55);
    }
  });

  test('neither lane repeats more often than chance allows among 100 000 records', () => {
    const lanes = { a: new Set<number>(), b: new Set<number>() };
    const whole = new Set<string>();
    for (const { key, value } of samples(100_000)) {
      const hash = hashRecord(key, value);
      lanes.a.add(hash.a);
      lanes.b.add(hash.b);
      whole.add(hashText(hash));
    }
    // Expected repeats of 10^5 draws from 2^32: 1.2.
    expect(100_000 - lanes.a.size).toBeLessThan(10);
    expect(100_000 - lanes.b.size).toBeLessThan(10);
    expect(whole.size).toBe(100_000);
  });

  test('zeros at the end, and a byte moved from key to value, are seen', () => {
    const texts = new Set<string>();
    for (let length = 0; length < 12; length++) {
      texts.add(hashText(hashRecord('k', new Uint8Array(length))));
      texts.add(hashText(hashRecord('k\0', new Uint8Array(length))));
    }
    expect(texts.size).toBe(24);
  });
});

describe('the hash of an image', () => {
  const records = fc.uniqueArray(
    fc.record({ key: fc.string({ maxLength: 8 }), value: fc.uint8Array({ maxLength: 40 }) }),
    { selector: (record) => record.key, maxLength: 20 },
  );

  test('does not depend on the order of the records', () => {
    fc.assert(
      fc.property(records, (given) => {
        const hash = hashOfImage(given, rev(3), 4);
        expect(hash).toMatch(/^[0-9a-f]{16}$/);
        expect(hashOfImage(given.toReversed(), rev(3), 4)).toBe(hash);
      }),
    );
  });

  test('depends on each record, on the revision and on the registry time', () => {
    fc.assert(
      fc.property(records, fc.nat(), (given, where) => {
        const hash = hashOfImage(given, rev(3), 4);
        expect(hashOfImage(given, rev(4), 4)).not.toBe(hash);
        expect(hashOfImage(given, rev(3), 5)).not.toBe(hash);
        if (given.length === 0) return;
        const without = given.filter((_, index) => index !== where % given.length);
        expect(hashOfImage(without, rev(3), 4)).not.toBe(hash);
      }),
    );
  });

  test('values that change places change it', () => {
    const one = { key: 'i/default/a', value: new Uint8Array([1]) };
    const two = { key: 'i/default/b', value: new Uint8Array([2]) };
    const swapped = [
      { key: one.key, value: two.value },
      { key: two.key, value: one.value },
    ];
    expect(hashOfImage(swapped, rev(0), 0)).not.toBe(hashOfImage([one, two], rev(0), 0));
  });
});
