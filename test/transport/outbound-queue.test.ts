// The bounds of the queue in front of a stream, and how it joins what waits.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JoinedMessage, OutboundQueue } from '../../src/transport/outbound-queue.ts';

const limits = { maxQueuedMessages: 4, maxQueuedBytes: 100, maxJoinedBytes: 50 };
const message = (size: number, fill = 1): Buffer => Buffer.alloc(size, fill);

describe('the outbound queue', () => {
  test('takes as many messages as it may hold, and one more only once one is flushed', () => {
    const queue = new OutboundQueue(limits);
    for (let taken = 0; taken < 4; taken++) expect(queue.offer([message(1)])).toBe(true);
    expect(queue.offer([message(1)])).toBe(false);
    const written = queue.take();
    // Written is not flushed: the stream may still hold it.
    expect(queue.offer([message(1)])).toBe(false);
    if (written !== undefined) queue.flushed(written);
    expect(queue.offer([message(1)])).toBe(true);
  });

  test('takes as many bytes as it may hold', () => {
    const queue = new OutboundQueue(limits);
    expect(queue.offer([message(60)])).toBe(true);
    expect(queue.offer([message(41)])).toBe(false);
    expect(queue.offer([message(40)])).toBe(true);
    expect(queue.offer([message(1)])).toBe(false);
  });

  test('takes all of a batch or none', () => {
    const queue = new OutboundQueue(limits);
    expect(queue.offer([message(60), message(60)])).toBe(false);
    expect(queue.idle).toBe(true);
    expect(queue.take()).toBeUndefined();
    expect(queue.offer([message(50), message(50)])).toBe(true);
  });

  test('joins what waits up to its size, and passes a larger message alone', () => {
    const queue = new OutboundQueue(limits);
    queue.offer([message(20, 1), message(30, 2), message(1, 3)]);
    expect(queue.take()?.bytes).toEqual(Buffer.concat([message(20, 1), message(30, 2)]));
    expect(queue.take()?.bytes).toEqual(message(1, 3));
    expect(queue.take()).toBeUndefined();
    const other = new OutboundQueue(limits);
    other.offer([message(90, 4), message(1, 5)]);
    expect(other.take()?.bytes).toHaveLength(90);
  });

  test('gives out every byte it took, once and in order, and ends idle', () => {
    const step = fc.oneof(
      fc.record({ size: fc.integer({ min: 1, max: 60 }) }),
      fc.constantFrom('take' as const, 'flush' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new OutboundQueue(limits);
        const taken: number[] = [];
        const given: number[] = [];
        const unflushed: JoinedMessage[] = [];
        const take = (): boolean => {
          const joined = queue.take();
          if (joined === undefined) return false;
          unflushed.push(joined);
          given.push(...joined.bytes);
          return true;
        };
        let fill = 0;
        for (const todo of steps) {
          if (todo === 'take') take();
          else if (todo === 'flush') unflushed.splice(0).forEach((m) => queue.flushed(m));
          else {
            const bytes = message(todo.size, (fill = (fill + 1) % 256));
            if (queue.offer([bytes])) taken.push(...bytes);
          }
        }
        while (take());
        for (const joined of unflushed) queue.flushed(joined);
        expect(given).toEqual(taken);
        expect(queue.idle).toBe(true);
        expect(queue.offer([message(limits.maxQueuedBytes)])).toBe(true);
      }),
    );
  });
});
