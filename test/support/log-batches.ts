// Batches for log stores, in few words, and a model of the log they make.
import * as fc from 'fast-check';
import { logIndex, nodeId, term, type NodeId } from '../../src/lib/ids.ts';
import type { HardState, LogEntry, PersistBatch } from '../../src/raft/index.ts';

/** What a test says of a batch; the rest follows from the log so far. */
export interface BatchPlan {
  /** How many terms to rise. Default 0. */
  readonly rise?: number;
  readonly votedFor?: NodeId | undefined;
  /** Entries to cut off the end first; never more than are uncommitted. */
  readonly cut?: number;
  readonly payloads?: readonly Uint8Array[];
  /** Entries to commit beyond those committed; at most all. Default 0. */
  readonly commit?: number;
}

/** The log as it should be: turns plans into batches and keeps what they make. */
export class LogModel {
  readonly entries: LogEntry[] = [];
  hardState: HardState = { term: term(0), votedFor: undefined, commitIndex: logIndex(0) };
  #sequence = 0;

  constructor(from?: LogModel) {
    if (from === undefined) return;
    this.entries.push(...from.entries);
    this.hardState = from.hardState;
    this.#sequence = from.#sequence;
  }

  get lastIndex(): number {
    return this.entries.length;
  }

  /** Makes the batch and takes it into the model. */
  next(plan: BatchPlan): PersistBatch {
    const payloads = plan.payloads ?? [];
    const cut = Math.min(plan.cut ?? 0, this.lastIndex - this.hardState.commitIndex);
    // Only a new leader makes a follower cut: one index and term never name two entries.
    const rise = Math.max(plan.rise ?? 0, cut > 0 ? 1 : 0);
    const now = term(Math.max(1, this.hardState.term + rise));
    const truncateAfter = cut > 0 ? logIndex(this.lastIndex - cut) : undefined;
    if (cut > 0) this.entries.length -= cut;
    const entries = payloads.map(
      (bytes, at): LogEntry => ({
        index: logIndex(this.lastIndex + 1 + at),
        term: now,
        kind: bytes.length === 0 ? 'noop' : 'command',
        payload: bytes,
      }),
    );
    this.entries.push(...entries);
    const commit = Math.min(this.hardState.commitIndex + (plan.commit ?? 0), this.lastIndex);
    this.hardState = { term: now, votedFor: plan.votedFor, commitIndex: logIndex(commit) };
    this.#sequence++;
    const { hardState } = this;
    const sequence = this.#sequence;
    return { sequence, term: now, hardState, truncateAfter, floor: undefined, entries };
  }
}

/** A payload of a length, recognisable by its first bytes. */
export function payload(bytes: number, mark = 1): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (mark * 31 + at * 7) % 256);
}

const anyPayload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  { weight: 2, arbitrary: fc.uint8Array({ minLength: 300, maxLength: 900 }) },
  // Zero payloads are what a sector that was never written would look like.
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 1500 }).map((bytes) => new Uint8Array(bytes)) },
);

/** Any batch that raft could ask for. */
export const anyPlan: fc.Arbitrary<BatchPlan> = fc.record({
  rise: fc.constantFrom(0, 0, 0, 1, 3),
  votedFor: fc.constantFrom(undefined, nodeId('n1'), nodeId('node-with-a-longer-name')),
  cut: fc.constantFrom(0, 0, 0, 1, 2, 5),
  payloads: fc.array(anyPayload, { maxLength: 6 }),
  commit: fc.constantFrom(0, 0, 1, 3),
});
