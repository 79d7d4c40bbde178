// A message arrives. One term rule runs before every role rule (Figure 2, "rules for all servers"); after it, every
// handler may rely on message.term === state.term.
import type { NodeId } from '../lib/ids.ts';
import {
  handlePreVote,
  handlePreVoteResponse,
  handleRequestVote,
  handleRequestVoteResponse,
  handleTimeoutNow,
  hearsLeader,
  refuseVote,
} from './election.ts';
import { handleAppendEntries, handleHeartbeat, refuseOldLeader } from './following.ts';
import { noteActive } from './leadership.ts';
import type {
  AppendEntriesResponse,
  HeartbeatResponse,
  InstallSnapshotResponse,
  Message,
  RequestVote,
} from './messages.ts';
import type { Progress } from './progress.ts';
import {
  confirmRounds,
  handleReadIndexRequest,
  handleReadIndexResponse,
  refuseRead,
} from './read-index.ts';
import { handleAppendEntriesResponse, noteMatch, noteRound, resumeFlow } from './replication.ts';
import { becomeFollower } from './role.ts';
import {
  handleInstallSnapshot,
  handleInstallSnapshotResponse,
  handleSnapshotWanted,
} from './snapshot.ts';
import type { Leader, RaftState } from './state.ts';

/** Terms rise by one at an election: with one every 150 ms these are five thousand years. What is further ahead is a damaged message, and
 * to adopt it could leave no term for the next election, on any node and for good. */
const MAX_TERM_LEAP = 2 ** 40;

/** A request is answered whoever sends it: the sender may be a member by a configuration that has not come here yet, and a
 * node that waited for that might wait for ever (dissertation 4.1). The host has made sure that it is of this cluster. An
 * answer counts only from those it was asked of. */
export function receive(state: RaftState, from: NodeId, message: Message): void {
  if (from === state.id || message.term - state.term > MAX_TERM_LEAP) return undefined;
  if (state.gone.size > 0) state.gone.delete(from);
  // A question that changes nothing: it must not move the term either.
  if (message.kind === 'preVote') return handlePreVote(state, from, message);
  if (message.term < state.term) return answerOldTerm(state, from, message);
  if (message.term > state.term && !adoptTerm(state, from, message)) return undefined;
  return dispatch(state, from, message);
}

/** A higher term is adopted, whoever brings it, with two exceptions. A granted pre-vote echoes a term that nobody has
 * reached. And a candidate cannot disturb a node that hears a live leader: its request is ignored (dissertation 4.2.3). */
function adoptTerm(state: RaftState, from: NodeId, message: Message): boolean {
  if (message.kind === 'preVoteResponse' && message.voteGranted) return true;
  if (message.kind === 'requestVote' && isDisturbing(state, message)) return false;
  const leads = LEADERS_OWN.has(message.kind);
  const leader = leads ? from : undefined;
  becomeFollower(state, message.term, leader, `${message.kind} of a higher term from ${from}`);
  return true;
}

/** A candidate cannot depose a leader that is heard, unless that leader itself asked it to campaign (dissertation 3.10). */
function isDisturbing(state: RaftState, request: RequestVote): boolean {
  return !request.transfer && hearsLeader(state);
}

const LEADERS_OWN: ReadonlySet<Message['kind']> = new Set([
  'appendEntries',
  'heartbeat',
  'installSnapshot',
  'timeoutNow',
]);

/** Requests of an earlier term are refused with the current one, so that the sender catches up; answers are dropped. */
function answerOldTerm(state: RaftState, from: NodeId, message: Message): void {
  switch (message.kind) {
    case 'requestVote':
      return refuseVote(state, from);
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
      return refuseOldLeader(state, from, message);
    case 'readIndexRequest':
      return refuseRead(state, from, message.context);
    case 'preVote':
    case 'preVoteResponse':
    case 'requestVoteResponse':
    case 'appendEntriesResponse':
    case 'heartbeatResponse':
    case 'readIndexResponse':
    case 'installSnapshotResponse':
    case 'snapshotWanted':
    case 'timeoutNow':
      return undefined;
  }
}

function dispatch(state: RaftState, from: NodeId, message: Message): void {
  switch (message.kind) {
    case 'preVote':
      return handlePreVote(state, from, message);
    case 'preVoteResponse':
      return handlePreVoteResponse(state, from, message);
    case 'requestVote':
      return isDisturbing(state, message) ? undefined : handleRequestVote(state, from, message);
    case 'requestVoteResponse':
      return handleRequestVoteResponse(state, from, message);
    case 'appendEntries':
      return handleAppendEntries(state, from, message);
    case 'heartbeat':
      return handleHeartbeat(state, from, message);
    case 'installSnapshot':
      return handleInstallSnapshot(state, from, message);
    case 'timeoutNow':
      return handleTimeoutNow(state, from);
    case 'snapshotWanted':
      return handleSnapshotWanted(state, from);
    case 'appendEntriesResponse':
    case 'heartbeatResponse':
    case 'installSnapshotResponse':
      return handleReply(state, from, message);
    case 'readIndexRequest':
      return handleReadIndexRequest(state, from, message);
    case 'readIndexResponse':
      return handleReadIndexResponse(state, from, message);
  }
}

/** A reply counts only in the session it was asked in: one from before a restart of the session may speak of messages
 * that were repeated since, or answer a read round that the peer never saw. */
function handleReply(
  state: RaftState,
  from: NodeId,
  reply: AppendEntriesResponse | HeartbeatResponse | InstallSnapshotResponse,
): void {
  const leader = state.role;
  if (leader.kind !== 'leader') return;
  const progress = leader.progress.find(({ peer }) => peer === from);
  if (progress?.session !== reply.session) {
    state.outbox.events.push({ kind: 'staleReplyDropped', peer: from });
    return;
  }
  noteActive(state, leader, progress);
  switch (reply.kind) {
    case 'appendEntriesResponse':
      return handleAppendEntriesResponse(state, leader, progress, reply);
    case 'heartbeatResponse':
      return heardHeartbeat(state, leader, progress, reply);
    case 'installSnapshotResponse':
      if (handleInstallSnapshotResponse(state, progress, reply)) noteMatch(state, leader);
      return undefined;
  }
}

function heardHeartbeat(
  state: RaftState,
  leader: Leader,
  progress: Progress,
  reply: HeartbeatResponse,
): void {
  noteRound(progress, reply);
  confirmRounds(state, leader);
  resumeFlow(state, progress);
}
