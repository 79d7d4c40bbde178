// The window of AppendEntries sent to one peer and not acknowledged, limited in messages and in bytes. A ring of fixed
// size, so that a busy stream allocates nothing.
import { assert } from '../lib/assert.ts';
import type { LogIndex } from '../lib/ids.ts';

export interface Inflight {
  readonly maxBytes: number;
  /** Last index of each message in flight, oldest at `start`. */
  readonly lastIndexes: Float64Array;
  readonly sizes: Float64Array;
  start: number;
  count: number;
  bytes: number;
}

export function createInflight(maxMessages: number, maxBytes: number): Inflight {
  return {
    maxBytes,
    lastIndexes: new Float64Array(maxMessages),
    sizes: new Float64Array(maxMessages),
    start: 0,
    count: 0,
    bytes: 0,
  };
}

/** True when no further message may be sent. The sender cuts a message to what is left of the window but sends at least
 * one entry, so `bytes` exceeds the limit by less than one entry. */
export function isFull(inflight: Inflight): boolean {
  return inflight.count === inflight.lastIndexes.length || inflight.bytes >= inflight.maxBytes;
}

export function addInflight(inflight: Inflight, lastIndex: LogIndex, bytes: number): void {
  assert(!isFull(inflight), 'nothing is sent beyond the inflight window');
  const at = (inflight.start + inflight.count) % inflight.lastIndexes.length;
  inflight.lastIndexes[at] = lastIndex;
  inflight.sizes[at] = bytes;
  inflight.count += 1;
  inflight.bytes += bytes;
}

/** Frees every message whose last entry is known to be held by the peer. */
export function freeTo(inflight: Inflight, matchIndex: LogIndex): void {
  const capacity = inflight.lastIndexes.length;
  while (inflight.count > 0) {
    const lastIndex = inflight.lastIndexes[inflight.start] ?? Number.POSITIVE_INFINITY;
    if (lastIndex > matchIndex) break;
    inflight.bytes -= inflight.sizes[inflight.start] ?? 0;
    inflight.start = (inflight.start + 1) % capacity;
    inflight.count -= 1;
  }
}

export function clearInflight(inflight: Inflight): void {
  inflight.start = 0;
  inflight.count = 0;
  inflight.bytes = 0;
}

/** What the ring itself holds; equal to `bytes` always. Costs one pass over the window. */
export function countBytes(inflight: Inflight): number {
  let bytes = 0;
  for (let offset = 0; offset < inflight.count; offset++) {
    bytes += inflight.sizes[(inflight.start + offset) % inflight.sizes.length] ?? 0;
  }
  return bytes;
}
