// The inflight window, against a plain list.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { logIndex } from '../../src/lib/ids.ts';
import {
  addInflight,
  clearInflight,
  countBytes,
  createInflight,
  freeTo,
  isFull,
} from '../../src/raft/inflight.ts';

const step = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    count: fc.integer({ min: 1, max: 4 }),
    bytes: fc.nat(60),
  }),
  fc.record({
    kind: fc.constant('free' as const),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('clear' as const) }),
);

describe('inflight window', () => {
  test('it holds what a list would hold, for any sequence of steps', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const window = createInflight(5, 100);
        let list: { last: number; bytes: number }[] = [];
        let last = 0;
        for (const one of steps) {
          const listBytes = list.reduce((sum, { bytes }) => sum + bytes, 0);
          const full = list.length >= 5 || listBytes >= 100;
          expect(isFull(window)).toBe(full);
          if (one.kind === 'add' && !full) {
            last += one.count;
            list.push({ last, bytes: one.bytes + 1 });
            addInflight(window, logIndex(last), one.bytes + 1);
          } else if (one.kind === 'free') {
            const to = Math.floor(one.share * (last + 1));
            list = list.filter((message) => message.last > to);
            freeTo(window, logIndex(to));
          } else if (one.kind === 'clear') {
            list = [];
            clearInflight(window);
          }
          expect(window.count).toBe(list.length);
          expect(window.bytes).toBe(list.reduce((sum, { bytes }) => sum + bytes, 0));
          expect(countBytes(window)).toBe(window.bytes);
        }
      }),
    );
  });

  test('at the limit in messages nothing is let in, and the window says so loudly', () => {
    const window = createInflight(2, 1000);
    addInflight(window, logIndex(1), 1);
    addInflight(window, logIndex(2), 1);
    expect(isFull(window)).toBe(true);
    expect(() => addInflight(window, logIndex(3), 1)).toThrow(/inflight window/);
    freeTo(window, logIndex(1));
    expect(isFull(window)).toBe(false);
  });

  test('at the limit in bytes nothing is let in, below it one is', () => {
    const window = createInflight(9, 100);
    addInflight(window, logIndex(1), 99);
    expect(isFull(window)).toBe(false);
    addInflight(window, logIndex(2), 1);
    expect(isFull(window)).toBe(true);
  });
});
