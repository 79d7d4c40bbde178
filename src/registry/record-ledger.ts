// Keeps account of the replicated records: which changed since the state store was last told, and the sum of their hashes.
import type { StoredRecord } from './index.ts';
import { type Hash64, addHash, hashRecord } from './state-hash.ts';

/** A replicated record in memory. */
export interface Cell {
  /** The very bytes that the state store gets. */
  stored: Uint8Array;
  /** Hash of key and bytes when they were last looked at. */
  hash: Hash64;
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
  return { stored, hash };
}

/** Enters a new record. */
export function enter(ledger: RecordLedger, key: string, stored: Uint8Array): Cell {
  ledger.dirty.set(key, stored);
  return enterStored(ledger, key, stored);
}

/** Replaces a record's bytes. */
export function replace(ledger: RecordLedger, key: string, cell: Cell, stored: Uint8Array): void {
  withdraw(ledger, key, cell);
  cell.stored = stored;
  cell.hash = hashRecord(key, stored);
  ledger.sum = addHash(ledger.sum, cell.hash);
  ledger.dirty.set(key, stored);
}

/** Takes a record out. */
export function strike(ledger: RecordLedger, key: string, cell: Cell): void {
  withdraw(ledger, key, cell);
  ledger.dirty.set(key, undefined);
}

/** The record is looked at before it leaves the sum: damage must not go unnoticed because it was overwritten first. */
function withdraw(ledger: RecordLedger, key: string, cell: Cell): void {
  verify(ledger, key, cell);
  ledger.sum = addHash(ledger.sum, negative(cell.hash));
}

/** Recomputes the hash of the bytes that memory holds now. True if they are what they were. */
export function verify(ledger: RecordLedger, key: string, cell: Cell): boolean {
  const actual = hashRecord(key, cell.stored);
  if (actual.a === cell.hash.a && actual.b === cell.hash.b) return true;
  const difference = addHash(actual, negative(cell.hash));
  ledger.sum = addHash(ledger.sum, difference);
  // Hashed once more, so that it can never cancel out against the sum.
  ledger.damage = addHash(ledger.damage, hashRecord(`damage/${key}`, cell.stored));
  cell.hash = actual;
  return false;
}

function negative(hash: Hash64): Hash64 {
  return { a: -hash.a | 0, b: -hash.b | 0 };
}

export function takeDirtyRecords(ledger: RecordLedger): readonly StoredRecord[] {
  const records = Array.from(ledger.dirty, ([key, value]) => ({ key, value }));
  ledger.dirty = new Map();
  return records;
}
