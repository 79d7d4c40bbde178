// The persistent vocabulary of consensus: what a log holds and what must survive a crash.
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';

/** `bootstrap`: the first record, equal on every node. `noop`: a new leader's first entry. `command`: for the state machine.
 * `membership`: who belongs to the cluster from this entry on, in effect where it is appended (dissertation 4.1). The
 * payloads of `bootstrap` and `membership` entries are configurations; `RaftConfig.membershipOf` reads them. */
export type EntryKind = 'bootstrap' | 'noop' | 'command' | 'membership';

/** Who counts and who only follows. Disjoint, each ascending. Both empty: this node has not learnt of a cluster yet. */
export interface Membership {
  /** Elect, and make entries committed by a majority of them. */
  readonly voters: readonly NodeId[];
  /** Receive the log and answer reads; count for nothing (dissertation 4.2.1). */
  readonly learners: readonly NodeId[];
}

/** A configuration and the entry that brought it. Index 0 with an empty payload: none yet. */
export interface Configuration {
  readonly index: LogIndex;
  readonly payload: Uint8Array;
}

/** The log begins after this point: everything up to it is in the state machine's own store, or came as a snapshot. The
 * configuration is the one in effect there, so that who belongs to the cluster is always a function of (floor, log). */
export interface LogFloor {
  /** 0: the log is whole. */
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
}

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
  /** Not undefined: the log is to begin after this point, which takes effect after `truncateAfter` and before `entries`.
   * Where the log holds an entry of this index and term, the entries behind it stay; where it does not, all of them are
   * dropped and the log goes on after the floor. What lies below may be deleted once this batch is durable. */
  readonly floor: LogFloor | undefined;
  readonly entries: readonly LogEntry[];
}

/** A run of entries of one term: (firstIndex, term). The list of runs answers every termAt() without the entries. */
export interface TermRun {
  readonly firstIndex: LogIndex;
  readonly term: Term;
}
