// What clients did and saw, on one monotonic clock: the input of every checker. A harness records it; nothing in here
// knows how it was made.

/** `rejected`: every attempt was refused with a status that says "certainly not". `unknown`: at least one may have happened. */
export type Outcome = 'acknowledged' | 'rejected' | 'unknown';

/** One logical write: all attempts with one request id. */
export interface WriteRecord {
  readonly kind: 'register' | 'deregister' | 'setStatus';
  readonly instanceId: string;
  /** Unique over the history, carried by the write (in metadata, or as its reason): tells whose effect a change is. */
  readonly mark: string;
  readonly invokedAtMs: number;
  readonly returnedAtMs: number;
  readonly outcome: Outcome;
  /** Of the answer, where acknowledged. */
  readonly revision: number;
  /** Acknowledged and changed something: it has a revision of its own. False for existed = false and the like. */
  readonly changed: boolean;
}

export interface ChangeRecord {
  readonly kind: 'put' | 'remove';
  readonly instanceId: string;
  /** The mark of the write that made it, '' where none can be told. */
  readonly mark: string;
  /** Everything else a reader is told, as text: equal states have equal text. '' for a removal. */
  readonly content: string;
}

export interface WatchMessageRecord {
  readonly atMs: number;
  readonly revision: number;
  /** Set on the first part of a restated state; `more` until its last. */
  readonly reset: boolean;
  readonly more: boolean;
  readonly changes: readonly ChangeRecord[];
}

/** Everything one reader was told, over all its streams, in order: each stream resumed with the token of the message before. */
export interface WatchRecord {
  readonly watcher: string;
  readonly messages: readonly WatchMessageRecord[];
}

/** A complete linearizable list, read from one node at the end. */
export interface FinalList {
  readonly node: string;
  readonly revision: number;
  /** instance id -> content. */
  readonly instances: ReadonlyMap<string, string>;
}

export interface History {
  readonly writes: readonly WriteRecord[];
  /** Readers of everything, opened before the first write. */
  readonly watches: readonly WatchRecord[];
  readonly finals: readonly FinalList[];
}

/** A guarantee that did not hold, in words that name the evidence. */
export interface Violation {
  readonly guarantee: string;
  readonly evidence: string;
}
