// Keeps account of the replicated records: which changed since the state store was last told, and the sum of their hashes.
import type { StoredRecord } from './index.ts';
import { addHash, type Hash64, hashRecord } from './state-hash.ts';

/** A replicated record in memory remembers the hash of its key and bytes, as of when they were last looked at. Flat, because there
 * is one for each instance. */
export interface Cell {
  hashA: number;
  hashB: number;
}

export interface RecordLedger {
  /** Latest value by key; undefined: deleted. */
  dirty: Map<string, Uint8Array | undefined>;
  /** Sum of the cells' hashes. */
  sum: Hash64;
  /** Grows with every record found to differ from its hash, and is part of the state hash for as long as the process lives:
   * a node that has held wrong bytes may have served them, also if the record has been replaced since (G12). */
  damage: Hash64;
}

const ZERO: Hash64 = { a: 0, b: 0 };

export function emptyLedger(): RecordLedger {
  return { dirty: new Map(), sum: ZERO, damage: ZERO };
}

/** Enters a record that a state store already has. */
export function enterStored(ledger: RecordLedger, key: string, stored: Uint8Array): Cell {
  const hash = hashRecord(key, stored);
  ledger.sum = addHash(ledger.sum, hash);
  return { hashA: hash.a, hashB: hash.b };
}

/** Enters a new record. */
export function enter(ledger: RecordLedger, key: string, stored: Uint8Array): Cell {
  ledger.dirty.set(key, stored);
  return enterStored(ledger, key, stored);
}

/** Replaces a record's bytes. `before` are those that memory holds. */
export function replace(
  ledger: RecordLedger,
  key: string,
  cell: Cell,
  before: Uint8Array,
  after: Uint8Array,
): void {
  withdraw(ledger, key, cell, before);
  setHash(cell, hashRecord(key, after));
  ledger.sum = addHash(ledger.sum, { a: cell.hashA, b: cell.hashB });
  ledger.dirty.set(key, after);
}

/** Takes a record out. */
export function strike(ledger: RecordLedger, key: string, cell: Cell, stored: Uint8Array): void {
  withdraw(ledger, key, cell, stored);
  ledger.dirty.set(key, undefined);
}

/** The record is looked at before it leaves the sum: damage must not go unnoticed because it was overwritten first. */
function withdraw(ledger: RecordLedger, key: string, cell: Cell, stored: Uint8Array): void {
  verify(ledger, key, cell, stored);
  ledger.sum = addHash(ledger.sum, { a: -cell.hashA, b: -cell.hashB });
}

/** Recomputes the hash of the bytes that memory holds now. True if they are what they were. */
export function verify(ledger: RecordLedger, key: string, cell: Cell, stored: Uint8Array): boolean {
  const actual = hashRecord(key, stored);
  if (actual.a === cell.hashA && actual.b === cell.hashB) return true;
  const difference = { a: actual.a - cell.hashA, b: actual.b - cell.hashB };
  ledger.sum = addHash(ledger.sum, difference);
  // A hash of its own, so that it cannot cancel out against the sum.
  ledger.damage = addHash(ledger.damage, hashRecord(`damage/${key}`, stored));
  setHash(cell, actual);
  return false;
}

function setHash(cell: Cell, hash: Hash64): void {
  cell.hashA = hash.a;
  cell.hashB = hash.b;
}

export function takeDirtyRecords(ledger: RecordLedger): readonly StoredRecord[] {
  const records = Array.from(ledger.dirty, ([key, value]) => ({ key, value }));
  ledger.dirty = new Map();
  return records;
}
