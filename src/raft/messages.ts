// What nodes say to each other, in the paper's words (Ongaro and Ousterhout 2014, figure 2; dissertation sections 6.4
// and 9.6 for ReadIndex and pre-vote). Every message carries the sender's term; the term rule runs before any role rule.
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';
import type { LogEntry } from './types.ts';

/** Names one replication session of one term, from 1: leader and follower agree on nothing said in another. 0 names none.
 * See `AppendEntries.session`. */
export type Session = number;

/** Would you vote for me in `term`? Changes nothing at the receiver (dissertation 9.6). `term` is the candidate's next term. */
export interface PreVote {
  readonly kind: 'preVote';
  readonly term: Term;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
}
/** A rejection carries the receiver's own term, which the asker adopts; a grant echoes the term asked about. */
export interface PreVoteResponse {
  readonly kind: 'preVoteResponse';
  readonly term: Term;
  readonly voteGranted: boolean;
}
export interface RequestVote {
  readonly kind: 'requestVote';
  readonly term: Term;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  /** The leader itself asked for this campaign (`TimeoutNow`), so stickiness does not apply (dissertation 3.10). */
  readonly transfer: boolean;
}
export interface RequestVoteResponse {
  readonly kind: 'requestVoteResponse';
  readonly term: Term;
  readonly voteGranted: boolean;
}
export interface AppendEntries {
  readonly kind: 'appendEntries';
  readonly term: Term;
  /** Drawn anew when the leader starts or restarts replication to this peer; echoed in replies, stale ones are dropped. */
  readonly session: Session;
  readonly prevLogIndex: LogIndex;
  readonly prevLogTerm: Term;
  readonly entries: readonly LogEntry[];
  readonly leaderCommit: LogIndex;
}
export interface AppendEntriesResponse {
  readonly kind: 'appendEntriesResponse';
  readonly term: Term;
  readonly session: Session;
  readonly success: boolean;
  /** On success: the last index known to match, durable at the follower. On failure: the rejected prevLogIndex. */
  readonly matchIndex: LogIndex;
  /** On failure: where the leader should look next (fast backtracking): the term at the conflict and its first index there. */
  readonly conflictTerm: Term;
  readonly conflictIndex: LogIndex;
}
/** Keeps leadership and confirms rounds. Claims nothing about disks, so its reply needs no persist either. */
export interface Heartbeat {
  readonly kind: 'heartbeat';
  readonly term: Term;
  readonly session: Session;
  /** min(commitIndex, matchIndex of the receiver): never beyond what the receiver is known to hold. */
  readonly leaderCommit: LogIndex;
  /** Highest read round the leader wants confirmed; 0 means none. Never reused within a term. */
  readonly round: number;
}
export interface HeartbeatResponse {
  readonly kind: 'heartbeatResponse';
  readonly term: Term;
  readonly session: Session;
  readonly round: number;
}
/** A follower asks the leader for a read index. `context` is drawn by the follower and never reused in its life. */
export interface ReadIndexRequest {
  readonly kind: 'readIndexRequest';
  readonly term: Term;
  readonly context: number;
}
export interface ReadIndexResponse {
  readonly kind: 'readIndexResponse';
  readonly term: Term;
  readonly context: number;
  /** undefined: the receiver does not lead, or could not confirm a quorum. */
  readonly readIndex: LogIndex | undefined;
}

/** The entries the receiver needs next are no longer in the sender's log: it is to pull a snapshot from the sender. The
 * content travels beside consensus, in chunks that the receiver asks for; repeated with heartbeats until it is answered
 * (section 7, with the transfer turned round). */
export interface InstallSnapshot {
  readonly kind: 'installSnapshot';
  readonly term: Term;
  readonly session: Session;
}
/** Everything up to `index` is durable at the sender, as a snapshot and what follows it in the log. */
export interface InstallSnapshotResponse {
  readonly kind: 'installSnapshotResponse';
  readonly term: Term;
  readonly session: Session;
  readonly index: LogIndex;
}
/** From a follower that has its log but not the state below it: it needs a snapshot although its log matches. */
export interface SnapshotWanted {
  readonly kind: 'snapshotWanted';
  readonly term: Term;
}
/** From the leader to the one it hands over to: campaign at once, without pre-vote (dissertation 3.10). */
export interface TimeoutNow {
  readonly kind: 'timeoutNow';
  readonly term: Term;
}

export type Message =
  | PreVote
  | PreVoteResponse
  | RequestVote
  | RequestVoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse
  | ReadIndexRequest
  | ReadIndexResponse
  | InstallSnapshot
  | InstallSnapshotResponse
  | SnapshotWanted
  | TimeoutNow;

export interface Envelope {
  readonly to: NodeId;
  readonly message: Message;
}
