// What is asked for, when again, and which answers count.
import { describe, expect, test } from 'vitest';
import type { SnapshotChunk, SnapshotRequest } from '../../src/node/peer-protocol.ts';
import { checksumOf } from '../../src/node/snapshot-stream.ts';
import { ChunkWindow } from '../../src/node/snapshot-window.ts';

function harness() {
  const asked: SnapshotRequest[] = [];
  let nowMs = 0;
  let id = 40;
  const window = new ChunkWindow({
    clock: { now: () => nowMs },
    nextId: () => ++id,
    ask: (request) => asked.push(request),
  });
  const answer = (chunk: number, more: Partial<SnapshotChunk> = {}): SnapshotChunk => {
    const data = new Uint8Array([chunk]);
    const { id: to = 0 } = asked.findLast((request) => request.chunk === chunk) ?? {};
    const crc = checksumOf(data);
    const snapshotId = 'one';
    return { kind: 'snapshotChunk', id: to, snapshotId, chunk, crc, data, last: false, ...more };
  };
  const pass = (ms: number): void => {
    nowMs += ms;
    window.tick(nowMs);
  };
  window.begin();
  return { window, asked, answer, pass, chunks: () => asked.map(({ chunk }) => chunk) };
}

describe('the window', () => {
  test('asks for the first chunk alone, then for four at a time of the snapshot it named', () => {
    const { window, asked, answer } = harness();
    expect(asked).toMatchObject([{ snapshotId: '', chunk: 0 }]);
    expect(window.next()).toBeUndefined();
    expect(window.take(answer(0))).toBe('taken');
    expect(window.next()).toMatchObject({ chunk: 0 });
    expect(window.next()).toBeUndefined();
    window.advance();
    expect(asked.slice(1)).toMatchObject(
      [1, 2, 3, 4].map((chunk) => ({ snapshotId: 'one', chunk })),
    );
  });

  test('hands on in order what arrives in any order, each once', () => {
    const { window, answer } = harness();
    window.take(answer(0));
    window.next();
    window.advance();
    expect(window.take(answer(2))).toBe('taken');
    expect(window.take(answer(2))).toBe('stale');
    expect(window.next()).toBeUndefined();
    window.take(answer(1));
    expect([window.next()?.chunk, window.next()?.chunk, window.next()]).toEqual([1, 2, undefined]);
    expect(window.take(answer(1))).toBe('stale');
  });

  test('asks again after 500 ms of silence, and takes the late first answer all the same', () => {
    const { window, asked, answer, pass, chunks } = harness();
    window.take(answer(0));
    window.next();
    window.advance();
    const late = answer(1);
    pass(499);
    expect(asked).toHaveLength(5);
    pass(1);
    expect(chunks()).toEqual([0, 1, 2, 3, 4, 1, 2, 3, 4]);
    expect(window.take(late)).toBe('taken');
  });

  test('asks for nothing beyond the end once it is known', () => {
    const { window, answer, pass, chunks } = harness();
    window.take(answer(0));
    window.next();
    window.advance();
    window.take(answer(2, { last: true }));
    pass(600);
    expect(chunks()).toEqual([0, 1, 2, 3, 4, 1]);
    window.take(answer(1));
    window.next();
    window.next();
    window.advance();
    expect(chunks()).toHaveLength(6);
  });

  test('takes no answer that belongs to another snapshot or to a pull before', () => {
    const { window, answer } = harness();
    expect(window.take(answer(0, { id: 40 }))).toBe('stale');
    window.take(answer(0));
    window.next();
    window.advance();
    expect(window.take(answer(1, { snapshotId: 'two' }))).toBe('stale');
    expect(window.take(answer(7))).toBe('stale');
    expect(window.take(answer(1, { snapshotId: '' }))).toBe('gone');
  });
});
