// A list kept sorted by a string key, in chunks: an insertion moves one chunk's tail, however long the list is.
import { assert, present } from '../lib/assert.ts';

const MAX_CHUNK = 512;

/** Items with distinct keys that never change while they are in the list. Keys are ASCII, so `<` is their byte order. */
export interface SortedList<T> {
  readonly keyOf: (item: T) => string;
  /** None is empty. */
  readonly chunks: T[][];
  size: number;
}

/** Gives the next item at each call, undefined once there is none. Not to be used after a change of the list. */
export type Cursor<T> = () => T | undefined;

export function sortedList<T>(keyOf: (item: T) => string): SortedList<T> {
  return { keyOf, chunks: [], size: 0 };
}

/** The item's key is not in the list. */
export function insert<T>(list: SortedList<T>, item: T): void {
  const key = list.keyOf(item);
  list.size += 1;
  const last = list.chunks.length - 1;
  if (last < 0) {
    list.chunks.push([item]);
    return;
  }
  const tail = list.chunks[last];
  const highest = tail?.at(-1);
  if (tail !== undefined && highest !== undefined && list.keyOf(highest) < key) {
    // A key above all others goes to the end: each one does while a catalogue is loaded.
    tail.push(item);
    if (tail.length > MAX_CHUNK) list.chunks.push(tail.splice(MAX_CHUNK / 2));
    return;
  }
  const position = chunkFor(list, key);
  const chunk = present(list.chunks[position], 'a sorted list has the chunk that was found');
  chunk.splice(positionIn(list, chunk, key), 0, item);
  if (chunk.length > MAX_CHUNK) list.chunks.splice(position + 1, 0, chunk.splice(MAX_CHUNK / 2));
}

/** The item with the key is in the list. */
export function remove<T>(list: SortedList<T>, key: string): void {
  const position = chunkFor(list, key);
  const chunk = list.chunks[position];
  const at = chunk === undefined ? 0 : positionIn(list, chunk, key);
  const item = chunk?.[at];
  assert(
    chunk !== undefined && item !== undefined && list.keyOf(item) === key,
    'what is removed from a sorted list is in it',
  );
  chunk.splice(at, 1);
  list.size -= 1;
  joinIfSmall(list, position);
}

/** Keeps the number of chunks in proportion to the items after many removals. */
function joinIfSmall<T>(list: SortedList<T>, position: number): void {
  const chunk = present(list.chunks[position], 'a sorted list has the chunk that shrank');
  if (chunk.length === 0) {
    list.chunks.splice(position, 1);
    return;
  }
  joinWithNext(list, position);
  if (position > 0) joinWithNext(list, position - 1);
}

function joinWithNext<T>(list: SortedList<T>, position: number): void {
  const chunk = list.chunks[position];
  const next = list.chunks[position + 1];
  if (chunk === undefined || next === undefined) return;
  if (chunk.length + next.length > MAX_CHUNK / 4) return;
  chunk.push(...next);
  list.chunks.splice(position + 1, 1);
}

/** Walks the items from `key` on; with `exclusive` those after it. undefined: from the beginning. */
export function cursorFrom<T>(
  list: SortedList<T>,
  key: string | undefined,
  exclusive: boolean,
): Cursor<T> {
  let chunkPosition = key === undefined ? 0 : chunkFor(list, key);
  let chunk = list.chunks[chunkPosition];
  let at = key === undefined || chunk === undefined ? 0 : positionIn(list, chunk, key);
  const advance = (): T | undefined => {
    if (chunk !== undefined && at >= chunk.length) {
      chunkPosition += 1;
      chunk = list.chunks[chunkPosition];
      at = 0;
    }
    const item = chunk?.[at];
    at += 1;
    return item;
  };
  const first = chunk?.[at];
  if (exclusive && first !== undefined && list.keyOf(first) === key) at += 1;
  return advance;
}

/** Position of the first chunk whose last key is not below `key`; the number of chunks if there is none. */
function chunkFor<T>(list: SortedList<T>, key: string): number {
  let low = 0;
  let high = list.chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const last = list.chunks[middle]?.at(-1);
    if (last !== undefined && list.keyOf(last) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Position of the first item of the chunk whose key is not below `key`. */
function positionIn<T>(list: SortedList<T>, chunk: readonly T[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = chunk[middle];
    if (item !== undefined && list.keyOf(item) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
