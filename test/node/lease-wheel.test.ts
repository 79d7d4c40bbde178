// The timing wheel against a model that looks at every slot.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LeaseWheel } from '../../src/node/lease-wheel.ts';

const BUCKET_MS = 50;

function wheelOf(buckets: number, capacity = 64): LeaseWheel {
  return new LeaseWheel({ startMs: 0, capacity, bucketMs: BUCKET_MS, buckets });
}

function visited(wheel: LeaseWheel, nowMs: number): number[] {
  const slots: number[] = [];
  wheel.advance(nowMs, (slot) => slots.push(slot));
  return slots;
}

describe('the lease wheel', () => {
  test('visits a slot once, not before its time and at most one bucket after it', () => {
    const wheel = wheelOf(16);
    wheel.arm(3, 120);
    expect(visited(wheel, 119)).toEqual([]);
    expect(visited(wheel, 150)).toEqual([3]);
    expect(visited(wheel, 10_000)).toEqual([]);
  });

  test('visits a slot beyond the horizon early, so that its owner re-arms it', () => {
    const wheel = wheelOf(4);
    wheel.arm(1, 24 * 3_600_000);
    expect(visited(wheel, 4 * BUCKET_MS)).toEqual([1]);
  });

  test('sees everything in one turn after a silence longer than the horizon', () => {
    const wheel = wheelOf(4);
    wheel.arm(1, 100);
    wheel.arm(2, 150);
    expect(visited(wheel, 1_000_000).toSorted((a, b) => a - b)).toEqual([1, 2]);
    wheel.arm(1, 1_000_100);
    expect(visited(wheel, 1_000_100)).toEqual([1]);
  });

  test('keeps what is armed when it grows', () => {
    const wheel = wheelOf(16, 2);
    wheel.arm(0, 100);
    wheel.arm(1, 100);
    wheel.grow(4);
    wheel.arm(2, 100);
    wheel.disarm(1);
    expect(visited(wheel, 100).toSorted((a, b) => a - b)).toEqual([0, 2]);
  });

  test('does what a list of all deadlines does, over random arms, disarms and times', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('arm' as const), slot: fc.nat(9), inMs: fc.nat(700) }),
      fc.record({ kind: fc.constant('disarm' as const), slot: fc.nat(9) }),
      fc.record({ kind: fc.constant('advance' as const), byMs: fc.nat(900) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const wheel = wheelOf(16);
        const armed = new Map<number, number>();
        let nowMs = 0;
        for (const move of steps) {
          if (move.kind === 'arm') {
            armed.set(move.slot, nowMs + move.inMs);
            wheel.arm(move.slot, nowMs + move.inMs);
          } else if (move.kind === 'disarm') {
            armed.delete(move.slot);
            wheel.disarm(move.slot);
          } else {
            nowMs += move.byMs;
            wheel.advance(nowMs, (slot) => {
              expect(armed.get(slot)).toBeLessThanOrEqual(nowMs);
              armed.delete(slot);
            });
            // What is left is not due by more than the width of a bucket.
            for (const atMs of armed.values()) expect(atMs).toBeGreaterThan(nowMs - BUCKET_MS);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
