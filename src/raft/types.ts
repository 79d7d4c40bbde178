// The persistent vocabulary of consensus: what a log holds and what must survive a crash.
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';

/** `bootstrap`: the first record, equal on every node. `noop`: a new leader's first entry. `command`: for the state machine. */
export type EntryKind = 'bootstrap' | 'noop' | 'command';

/** One log entry. `payload` is opaque here: encoded once by the leader, stored and checksummed as those bytes everywhere. */
export interface LogEntry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  readonly payload: Uint8Array;
}

/** Figure 2, "persistent state on all servers", beside the log itself. */
export interface HardState {
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  /** A hint, written along whenever something else is: a restarted node may apply up to here before it hears a leader. */
  readonly commitIndex: LogIndex;
}

/** One checksummed, atomic write. Its completion is reported with `persisted`, in order. */
export interface PersistBatch {
  /** Rises by one with each batch; named by the `persisted` input. */
  readonly sequence: number;
  /** The term under which the batch was issued; a completion of an older term must not mark entries stable. */
  readonly term: Term;
  readonly hardState: HardState;
  /** Entries after this index are dropped before `entries` are added; undefined: none are. */
  readonly truncateAfter: LogIndex | undefined;
  readonly entries: readonly LogEntry[];
}

/** A run of entries of one term: (firstIndex, term). The list of runs answers every termAt() without the entries. */
export interface TermRun {
  readonly firstIndex: LogIndex;
  readonly term: Term;
}
