// What clients did and saw, on one monotonic clock: the input of every checker. A harness records it; nothing in here
// knows how it was made.

/** `rejected`: every attempt was refused with a status that says "certainly not". `unknown`: at least one may have happened. */
type Outcome = 'acknowledged' | 'rejected' | 'unknown';

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
  /** The generation it named; 0 or absent: whichever is current. */
  readonly generation?: number;
  /** What it does to the instance's value, for a search that trusts no revision. */
  readonly effect?: WriteEffect;
  /** Every answer to a write with a request id, in words: its first one, and those to the same request sent again. */
  readonly answers?: readonly string[];
}

/** The value of an instance is the mark of its registration, its lifecycle, and ` maintenance` where it is on; undefined while
 * it is not registered. */
export type WriteEffect =
  | {
      readonly kind: 'put';
      readonly mark: string;
      readonly lifecycle: string;
      /** The registry may remove it by itself. */
      readonly mayExpire: boolean;
    }
  /** `existed`: of the answer. */
  | { readonly kind: 'remove'; readonly existed: boolean | undefined }
  | { readonly kind: 'lifecycle'; readonly lifecycle: string }
  | { readonly kind: 'maintenance'; readonly on: boolean };

export interface ChangeRecord {
  readonly kind: 'put' | 'remove';
  readonly instanceId: string;
  /** The mark of the write that made it, '' where none can be told. */
  readonly mark: string;
  /** Everything else a reader is told, as text that begins with the service's name and a blank: equal states have equal
   * text. '' for a removal. */
  readonly content: string;
  /** Of a put, where the recorder knows them. */
  readonly generation?: number;
  readonly ttlMs?: number;
  /** A removal by the registry itself, for silence. */
  readonly expired?: boolean;
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
  /** It asked for this service alone; undefined: for everything. */
  readonly service?: string | undefined;
  readonly messages: readonly WatchMessageRecord[];
}

/** A complete linearizable list, read from one node at the end. */
export interface FinalList {
  readonly node: string;
  readonly revision: number;
  /** instance id -> content. */
  readonly instances: ReadonlyMap<string, string>;
}

/** One list, or one walk through its pages: what it said of each instance that it could have said something of. */
export interface ReadRecord {
  readonly client: string;
  readonly consistency: 'linearizable' | 'bounded' | 'stale';
  readonly invokedAtMs: number;
  readonly returnedAtMs: number;
  readonly minRevision: number;
  /** Bounded reads: how old the answer may be. */
  readonly maxStalenessMs?: number;
  readonly revision: number;
  /** undefined: every instance; else one service, or one instance. */
  readonly service?: string;
  readonly instanceId?: string;
  /** instance id -> content. */
  readonly instances: ReadonlyMap<string, string>;
  /** instance id -> value, as WriteEffect makes them, with blanks between. */
  readonly values: ReadonlyMap<string, string>;
}

/** One heartbeat as its sender saw it. `unknown` and `fenced`: acknowledged, with that failure. */
export interface BeatRecord {
  readonly instanceId: string;
  /** 0: whichever is current. */
  readonly generation: number;
  readonly sentAtMs: number;
  /** When its sender had an answer or gave up: until then it may have arrived. */
  readonly endedAtMs: number;
  readonly outcome: 'acknowledged' | 'unknown' | 'fenced' | 'failed';
}

/** A client that sent heartbeats to every node at least three times in each TTL, without a break. */
export interface KeepRecord {
  readonly instanceId: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the sender of heartbeats did and what it may expect. */
export interface LeaseHistory {
  readonly beats: readonly BeatRecord[];
  readonly keeps: readonly KeepRecord[];
  /** When the first node had each revision: position r - 1 for revision r. Where that is not known, the first moment at which
   * somebody was told. */
  readonly appliedAtMs: readonly number[];
  /** Until when no node can have had each revision, where `appliedAtMs` is not exact. */
  readonly notBeforeMs?: readonly number[];
  /** One healthy leader from the first moment to the second, which is the end. */
  readonly stable: { readonly fromMs: number; readonly toMs: number } | undefined;
  /** Clocks run at most this much fast or slow, as a share. */
  readonly clockDrift: number;
}

export interface History {
  readonly writes: readonly WriteRecord[];
  /** Readers of everything, opened before the first write. */
  readonly watches: readonly WatchRecord[];
  readonly finals: readonly FinalList[];
  readonly reads?: readonly ReadRecord[];
  readonly leases?: LeaseHistory;
  /** The changes of each revision from 1 on, where they are known from elsewhere than the readers. */
  readonly order?: readonly (readonly ChangeRecord[])[];
}

/** A guarantee that did not hold, in words that name the evidence. */
export interface Violation {
  readonly guarantee: string;
  readonly evidence: string;
  /** Which checker of a whole history found it; absent where something was asserted while it ran. */
  readonly checker?: string;
}
