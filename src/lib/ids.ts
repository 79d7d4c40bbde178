// Branded numbers and names, so that mixing a term with an index fails to compile. Arithmetic drops the brand;
// the checking constructors put it back.
import { assert } from './assert.ts';

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Raft term: 0 before the first election, then rising by at least one at each. */
export type Term = Brand<number, 'Term'>;
/** Position in the Raft log. The first entry has index 1; 0 means "before the log". */
export type LogIndex = Brand<number, 'LogIndex'>;
/** Name of a node: a DNS label, unique in its cluster. */
export type NodeId = Brand<string, 'NodeId'>;
/** Registry revision: 0 for the empty registry, then rising by one with each applied command that changed something. */
export type Revision = Brand<number, 'Revision'>;

function counter(value: number, what: string): number {
  assert(Number.isSafeInteger(value) && value >= 0, `${what} is not a safe non-negative integer`);
  return value;
}

export const term = (value: number): Term => counter(value, 'term') as Term;
export const logIndex = (value: number): LogIndex => counter(value, 'log index') as LogIndex;
export const revision = (value: number): Revision => counter(value, 'revision') as Revision;
export const nodeId = (value: string): NodeId => {
  assert(value.length > 0, 'node id is empty');
  return value as NodeId;
};

export const nextIndex = (index: LogIndex): LogIndex => logIndex(index + 1);
export const nextTerm = (value: Term): Term => term(value + 1);
export const nextRevision = (value: Revision): Revision => revision(value + 1);
