// The hash that nodes compare (G12): a sum over all replicated records, so that it can be kept up to date in constant time and
// does not depend on the order of the records. 64 bits as two 32-bit lanes, which stay small integers in V8.
import { assert } from '../lib/assert.ts';
import type { Revision } from '../lib/ids.ts';
import type { StoredRecord } from './index.ts';

/** Two signed 32-bit halves of one 64-bit hash. */
export interface Hash64 {
  readonly a: number;
  readonly b: number;
}

const NO_BYTES = new Uint8Array(0);

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function mixA(state: number, word: number): number {
  const scrambled = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotate(state ^ scrambled, 13), 5) + 0xe6546b64) | 0;
}

function mixB(state: number, word: number): number {
  const scrambled = Math.imul(rotate(Math.imul(word, 0x239b961b), 17), 0xab0e9789);
  return (Math.imul(rotate(state ^ scrambled, 19), 5) + 0x561ccd1b) | 0;
}

/** Spreads every input bit over the whole lane. */
function avalanche(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Hash of one record. Not for adversaries: it finds differences between nodes, it does not authenticate them. */
export function hashRecord(key: string, value: Uint8Array): Hash64 {
  let a = 0x5bd1e995 ^ key.length;
  let b = 0x27d4eb2f ^ value.length;
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index);
    a = mixA(a, unit);
    b = mixB(b, unit);
  }
  const whole = value.length & ~3;
  for (let index = 0; index < whole; index += 4) {
    const word = wordAt(value, index);
    a = mixA(a, word);
    b = mixB(b, word);
  }
  if (whole < value.length) {
    const word = tailWord(value, whole);
    a = mixA(a, word);
    b = mixB(b, word);
  }
  a = (a ^ value.length) | 0;
  b = (b ^ key.length) | 0;
  // The lanes read the same words, so each takes in the other before and after its avalanche.
  a = (a + b) | 0;
  b = (b + a) | 0;
  a = avalanche(a);
  b = avalanche(b);
  a = (a + b) | 0;
  b = (b + a) | 0;
  return { a, b };
}

function wordAt(bytes: Uint8Array, index: number): number {
  return (
    (bytes[index] ?? 0) |
    ((bytes[index + 1] ?? 0) << 8) |
    ((bytes[index + 2] ?? 0) << 16) |
    ((bytes[index + 3] ?? 0) << 24)
  );
}

/** The last one to three bytes, padded with zeros; the length is mixed in, so padding is never taken for content. */
function tailWord(bytes: Uint8Array, index: number): number {
  return (bytes[index] ?? 0) | ((bytes[index + 1] ?? 0) << 8) | ((bytes[index + 2] ?? 0) << 16);
}

/** Lane by lane, modulo 2^32. */
export function addHash(left: Hash64, right: Hash64): Hash64 {
  return { a: (left.a + right.a) | 0, b: (left.b + right.b) | 0 };
}

/** 16 hex digits. */
export function hashText(hash: Hash64): string {
  return laneText(hash.a) + laneText(hash.b);
}

function laneText(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}

/** The state hash from the sum over the records: revision and registry time are replicated too. */
export function stateHash(sum: Hash64, revision: Revision, registryTimeMs: number): string {
  return hashText(addHash(sum, hashRecord(`m/${revision}/${registryTimeMs}`, NO_BYTES)));
}

/** Recomputes RegistryMeta.hash from the records of a state store or a snapshot as they come, in any order. */
export interface ImageHasher {
  /** The record has a value. */
  add(record: StoredRecord): void;
  /** Of what was added so far. */
  hash(revision: Revision, registryTimeMs: number): string;
}

export function imageHasher(): ImageHasher {
  let a = 0;
  let b = 0;
  return {
    add({ key, value }) {
      assert(value !== undefined, 'an image holds no deletions');
      const hash = hashRecord(key, value);
      a = (a + hash.a) | 0;
      b = (b + hash.b) | 0;
    },
    hash: (revision, registryTimeMs) => stateHash({ a, b }, revision, registryTimeMs),
  };
}

/** The same for records at hand. */
export function hashOfImage(
  records: Iterable<StoredRecord>,
  revision: Revision,
  registryTimeMs: number,
): string {
  const hasher = imageHasher();
  for (const record of records) hasher.add(record);
  return hasher.hash(revision, registryTimeMs);
}
