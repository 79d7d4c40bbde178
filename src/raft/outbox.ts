// What has been decided and not yet handed out. The two doors for messages carry the durability rule in their types:
// what speaks for this node's disk cannot be put into `sendNow`.
import type { NodeId } from '../lib/ids.ts';
import type {
  AppendEntries,
  AppendEntriesResponse,
  Envelope,
  Heartbeat,
  HeartbeatResponse,
  InstallSnapshot,
  InstallSnapshotResponse,
  PreVote,
  PreVoteResponse,
  ReadIndexRequest,
  ReadIndexResponse,
  RequestVote,
  RequestVoteResponse,
  SnapshotWanted,
  TimeoutNow,
} from './messages.ts';
import type {
  Appended,
  FetchRequest,
  RaftEvent,
  ReadConfirmed,
  Rejected,
  SnapshotInstall,
} from './ready.ts';

/** A term that is not durable yet may appear in any of these. Nothing breaks if a crash makes the sender forget it: a
 * refusal and a pre-vote bind nobody; a heartbeat's answer only says that no later term had been promised when it was
 * written, which forgetting cannot make false; AppendEntries, Heartbeat, InstallSnapshot and TimeoutNow come from a leader, whose term became durable
 * before its own vote was counted. A receiver may always adopt a higher term, whoever reached it first. */
export type ClaimsNothing =
  | PreVote
  | PreVoteResponse
  | (RequestVoteResponse & { readonly voteGranted: false })
  | AppendEntries
  | (AppendEntriesResponse & { readonly success: false })
  | Heartbeat
  | HeartbeatResponse
  | ReadIndexRequest
  | ReadIndexResponse
  | InstallSnapshot
  | SnapshotWanted
  | TimeoutNow;

/** Each of these is a promise about this node's disk: its own vote, a vote for another, entries or a snapshot held. One that was put
 * here in an earlier term of the same Ready stays true once the batch with the later term is durable: the later term
 * forbids a second vote, and an entry that a later leader made this node drop can no longer be committed by the earlier one. */
export type SpeaksForDisk =
  | RequestVote
  | (RequestVoteResponse & { readonly voteGranted: true })
  | (AppendEntriesResponse & { readonly success: true })
  | InstallSnapshotResponse;

export interface Outbox {
  readonly sendNow: Envelope[];
  readonly sendAfterPersist: Envelope[];
  install: SnapshotInstall | undefined;
  pullSnapshotFrom: NodeId | undefined;
  readonly appended: Appended[];
  readonly reads: ReadConfirmed[];
  readonly rejected: Rejected[];
  readonly fetch: FetchRequest[];
  readonly events: RaftEvent[];
}

export function createOutbox(): Outbox {
  return {
    sendNow: [],
    sendAfterPersist: [],
    install: undefined,
    pullSnapshotFrom: undefined,
    appended: [],
    reads: [],
    rejected: [],
    fetch: [],
    events: [],
  };
}

export function isEmpty(outbox: Outbox): boolean {
  return (
    outbox.sendNow.length === 0 &&
    outbox.sendAfterPersist.length === 0 &&
    outbox.install === undefined &&
    outbox.pullSnapshotFrom === undefined &&
    outbox.appended.length === 0 &&
    outbox.reads.length === 0 &&
    outbox.rejected.length === 0 &&
    outbox.fetch.length === 0 &&
    outbox.events.length === 0
  );
}

export function sendNow(outbox: Outbox, to: NodeId, message: ClaimsNothing): void {
  outbox.sendNow.push({ to, message });
}

export function sendAfterPersist(outbox: Outbox, to: NodeId, message: SpeaksForDisk): void {
  const previous = outbox.sendAfterPersist.at(-1);
  if (previous && isCoveredBy(previous, to, message)) outbox.sendAfterPersist.pop();
  outbox.sendAfterPersist.push({ to, message });
}

/** Several AppendEntries taken in before one Ready need one acknowledgement, the last. */
function isCoveredBy(previous: Envelope, to: NodeId, message: SpeaksForDisk): boolean {
  return (
    previous.to === to &&
    message.kind === 'appendEntriesResponse' &&
    previous.message.kind === 'appendEntriesResponse' &&
    previous.message.term === message.term &&
    previous.message.session === message.session &&
    previous.message.matchIndex <= message.matchIndex
  );
}
