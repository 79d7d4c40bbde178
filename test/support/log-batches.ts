// Batches for log stores, in few words, and a model of the log they make.
import * as fc from 'fast-check';
import {
  logIndex,
  nodeId,
  term,
  type LogIndex,
  type NodeId,
  type Term,
} from '../../src/lib/ids.ts';
import type {
  Configuration,
  HardState,
  LogEntry,
  LogFloor,
  PersistBatch,
} from '../../src/raft/index.ts';

/** What a test says of a batch; the rest follows from the log so far. */
export interface BatchPlan {
  /** How many terms to rise. Default 0. */
  readonly rise?: number;
  readonly votedFor?: NodeId | undefined;
  /** Entries to cut off the end first; never more than are uncommitted. */
  readonly cut?: number;
  readonly payloads?: readonly Uint8Array[];
  /** The first of the entries is a membership entry. */
  readonly membership?: boolean;
  /** Raises the floor by so many entries; at most to what was committed before. */
  readonly compact?: number;
  /** A snapshot takes the place of the log up to so many entries after what was committed; `kept`: the log has that point, if
   * it reaches so far, and keeps what lies behind. A plan has either this or `compact`. */
  readonly install?: { readonly beyond: number; readonly kept: boolean };
  /** Entries to commit beyond those committed; at most all. Default 0. */
  readonly commit?: number;
}

const wholeLog: LogFloor = {
  index: logIndex(0),
  term: term(0),
  configuration: { index: logIndex(0), payload: new Uint8Array() },
};

/** The log as it should be: turns plans into batches and keeps what they make. */
export class LogModel {
  /** Those after the floor. */
  readonly entries: LogEntry[] = [];
  floor: LogFloor = wholeLog;
  hardState: HardState = { term: term(0), votedFor: undefined, commitIndex: logIndex(0) };
  #sequence = 0;

  constructor(from?: LogModel) {
    if (from === undefined) return;
    this.entries.push(...from.entries);
    this.floor = from.floor;
    this.hardState = from.hardState;
    this.#sequence = from.#sequence;
  }

  get lastIndex(): LogIndex {
    return logIndex(this.floor.index + this.entries.length);
  }

  get firstIndex(): LogIndex {
    return logIndex(this.floor.index + 1);
  }

  get configurations(): readonly Configuration[] {
    return this.entries
      .filter(({ kind }) => kind === 'bootstrap' || kind === 'membership')
      .map(({ index, payload: bytes }) => ({ index, payload: bytes }));
  }

  /** The entries [from, to]. */
  range(from: number, to: number): readonly LogEntry[] {
    return this.entries.slice(from - this.firstIndex, to - this.floor.index);
  }

  /** Makes the batch and takes it into the model. */
  next(plan: BatchPlan): PersistBatch {
    const payloads = plan.payloads ?? [];
    const cut = Math.min(plan.cut ?? 0, this.lastIndex - this.hardState.commitIndex);
    // Only a new leader makes a follower cut: one index and term never name two entries.
    const rise = Math.max(plan.rise ?? 0, cut > 0 || plan.install !== undefined ? 1 : 0);
    const now = term(Math.max(1, this.hardState.term + rise));
    const truncateAfter = cut > 0 ? logIndex(this.lastIndex - cut) : undefined;
    if (cut > 0) this.entries.length -= cut;
    const floor = this.#nextFloor(plan, now);
    if (floor !== undefined) this.#takeFloor(floor);
    const entries = payloads.map((bytes, at): LogEntry => {
      const index = logIndex(this.lastIndex + 1 + at);
      if (plan.membership === true && at === 0) {
        return { index, term: now, kind: 'membership', payload: bytes };
      }
      return { index, term: now, kind: bytes.length === 0 ? 'noop' : 'command', payload: bytes };
    });
    this.entries.push(...entries);
    const commit = Math.min(this.hardState.commitIndex + (plan.commit ?? 0), this.lastIndex);
    const commitIndex = logIndex(Math.max(commit, this.floor.index));
    this.hardState = { term: now, votedFor: plan.votedFor, commitIndex };
    this.#sequence++;
    const { hardState } = this;
    const sequence = this.#sequence;
    return { sequence, term: now, hardState, truncateAfter, floor, entries };
  }

  #nextFloor({ compact = 0, install }: BatchPlan, now: Term): LogFloor | undefined {
    const { commitIndex } = this.hardState;
    if (install !== undefined) {
      const index = logIndex(commitIndex + install.beyond);
      const held = install.kept ? this.#termAt(index) : undefined;
      // No entry has this term yet.
      const configuration = { index, payload: payload(20, install.beyond) };
      return { index, term: held ?? now, configuration };
    }
    const index = logIndex(Math.min(this.floor.index + compact, commitIndex));
    const held = this.#termAt(index);
    if (compact === 0 || index === 0 || held === undefined) return undefined;
    const newest = this.configurations.findLast((one) => one.index <= index);
    return { index, term: held, configuration: newest ?? this.floor.configuration };
  }

  #termAt(index: LogIndex): Term | undefined {
    return index === this.floor.index ? this.floor.term : this.range(index, index)[0]?.term;
  }

  #takeFloor(floor: LogFloor): void {
    const has = this.#termAt(floor.index) === floor.term;
    this.entries.splice(0, has ? floor.index - this.floor.index : this.entries.length);
    this.floor = floor;
  }
}

/** A payload of a length, recognisable by its first bytes. */
export function payload(bytes: number, mark = 1): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (mark * 31 + at * 7) % 256);
}

const anyPayload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  { weight: 2, arbitrary: fc.uint8Array({ minLength: 300, maxLength: 900 }) },
  // Zero payloads are what a sector that was never written would look like. Two of them, as an entry and in a floor, fit into a frame.
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 1400 }).map((bytes) => new Uint8Array(bytes)) },
);

/** Any batch that raft could ask for, without a floor. */
export const anyPlan: fc.Arbitrary<BatchPlan> = fc.record({
  rise: fc.constantFrom(0, 0, 0, 1, 3),
  votedFor: fc.constantFrom(undefined, nodeId('n1'), nodeId('node-with-a-longer-name')),
  cut: fc.constantFrom(0, 0, 0, 1, 2, 5),
  payloads: fc.array(anyPayload, { maxLength: 6 }),
  membership: fc.constantFrom(false, false, false, true),
  commit: fc.constantFrom(0, 0, 1, 3),
});

/** Any batch that raft could ask for. */
export const anyFloorPlan: fc.Arbitrary<BatchPlan> = fc
  .tuple(
    anyPlan,
    fc.oneof(
      { weight: 6, arbitrary: fc.constant({}) },
      { weight: 3, arbitrary: fc.record({ compact: fc.constantFrom(1, 3, 8, 1000) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          install: fc.record({ beyond: fc.constantFrom(1, 2, 5, 30), kept: fc.boolean() }),
        }),
      },
    ),
    fc.constantFrom(0, 2, 8, 1000),
  )
  .map(([plan, floor, commit]) => ({ ...plan, ...floor, commit }));
