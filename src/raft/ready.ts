// What the core wants done. The order of the fields is the order to honour them in; the durability rule is in the
// types: what speaks for the disk exists only in `sendAfterPersist`.
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';
import type { Token } from './input.ts';
import type { Envelope } from './messages.ts';
import type { Configuration, LogEntry, Membership, PersistBatch } from './types.ts';

/** Why a proposal or read was not taken. All of these are certain: nothing was appended. */
export type RejectReason =
  | 'notLeader' // another node leads, see RaftView.leader
  | 'noLeader' // no leader is known, or leadership or its quorum was lost before the read was confirmed
  | 'transferring' // leadership is being handed over: the next leader takes it
  | 'termNotCommitted' // a membership change before the leader has committed in its own term (Ongaro 2015)
  | 'changePending' // a membership change while another one is not committed
  | 'invalidChange' // a membership change of more than one member, or one that leaves no voter
  | 'notCaughtUp' // the learner to be promoted lacks too much of the log
  | 'wouldLoseQuorum' // no majority of the voters after the change has been heard lately
  | 'overloaded'; // the limit on entries not yet committed, or on pending reads, is reached

export interface Rejected {
  readonly token: Token;
  readonly reason: RejectReason;
}
/** Where a proposal was appended. It is committed iff the entry that is applied at `index` has this `term`. */
export interface Appended {
  readonly token: Token;
  readonly index: LogIndex;
  readonly term: Term;
}
/** The read may be served once `index` is applied. */
export interface ReadConfirmed {
  readonly token: Token;
  readonly index: LogIndex;
}
/** Entries that left the cache are needed for a peer. The host reads [from, to] (or a prefix of at least one entry) and
 * answers with the `fetched` input; one fetch per peer at a time. */
export interface FetchRequest {
  readonly ticket: number;
  readonly peer: NodeId;
  readonly from: LogIndex;
  readonly to: LogIndex;
  readonly maxBytes: number;
}

/** A snapshot in the host's hands takes the place of the state. */
export interface SnapshotInstall {
  readonly index: LogIndex;
  readonly term: Term;
}

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** Structured trace of what the core decided; the host logs it. */
export type RaftEvent =
  | {
      readonly kind: 'roleChanged';
      readonly role: Role;
      readonly term: Term;
      readonly reason: string;
    }
  | { readonly kind: 'leaderChanged'; readonly leader: NodeId | undefined; readonly term: Term }
  | { readonly kind: 'truncated'; readonly after: LogIndex; readonly term: Term }
  | { readonly kind: 'floorRaised'; readonly index: LogIndex }
  | { readonly kind: 'logReplaced'; readonly index: LogIndex; readonly lastIndexBefore: LogIndex }
  | { readonly kind: 'snapshotNeeded'; readonly peer: NodeId }
  | { readonly kind: 'transferStarted'; readonly target: NodeId }
  | { readonly kind: 'transferEnded'; readonly reason: string }
  | { readonly kind: 'staleReplyDropped'; readonly peer: NodeId }
  | { readonly kind: 'steppedDown'; readonly term: Term; readonly reason: string };

export interface Ready {
  readonly persist: PersistBatch | undefined;
  /** Claims nothing about this node's disk. */
  readonly sendNow: readonly Envelope[];
  /** Votes and acknowledgements: only once `persist` and every earlier batch is durable. Without a `persist` of its own it
   * waits for the latest batch handed out before, and for nothing when all of those are durable. */
  readonly sendAfterPersist: readonly Envelope[];
  /** Once `persist` is durable the host puts the snapshot it reported with `snapshotReceived` in the place of its state and
   * steps `applied` with this index. No entry is handed out as committed before that. */
  readonly install: SnapshotInstall | undefined;
  /** Pull a snapshot from this peer, unless a pull from it is under way. Said again while it is needed. */
  readonly pullSnapshotFrom: NodeId | undefined;
  /** The configuration in effect, when it is another one than in the last Ready: appended, truncated away, or installed. The
   * first Ready always says it. It may not be committed yet. */
  readonly configuration: Configuration | undefined;
  readonly appended: readonly Appended[];
  /** Newly committed, in order, without gaps, each handed out once. */
  readonly committed: readonly LogEntry[];
  readonly reads: readonly ReadConfirmed[];
  readonly rejected: readonly Rejected[];
  readonly fetch: readonly FetchRequest[];
  readonly events: readonly RaftEvent[];
}

/** What the host may look at between steps, for Status and for routing. */
export interface RaftView {
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | undefined;
  readonly lastIndex: LogIndex;
  /** Of the entry there. */
  readonly lastTerm: Term;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly persistedIndex: LogIndex;
  /** The first index the log holds, or would hold: one above its floor. */
  readonly firstIndex: LogIndex;
  readonly membership: Membership;
  /** Index of the entry that brought the membership; committed iff it is not above commitIndex. */
  readonly configurationIndex: LogIndex;
  /** The state below the log is missing here: nothing is applied, and this node does not campaign, until a snapshot came. */
  readonly awaitsSnapshot: boolean;
  /** Leader only: to whom leadership is being handed over. */
  readonly transferTarget: NodeId | undefined;
  /** Leader only: true once an entry of this leader's own term is committed. */
  readonly committedInTerm: boolean;
}

/** What a leader knows of one other member, for Status, for retention and for whoever warns of a follower left behind. */
export interface PeerView {
  readonly peer: NodeId;
  readonly learner: boolean;
  readonly flow: 'probe' | 'replicate' | 'snapshot';
  readonly matchIndex: LogIndex;
  /** It answered in the current check-quorum window or the one before. */
  readonly active: boolean;
}
