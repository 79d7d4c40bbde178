// A message arrives. One term rule runs before every role rule (Figure 2, "rules for all servers"); after it, every
// handler may rely on message.term === state.term.
import type { NodeId } from '../lib/ids.ts';
import {
  handlePreVote,
  handlePreVoteResponse,
  handleRequestVote,
  handleRequestVoteResponse,
  hearsLeader,
  refuseVote,
} from './election.ts';
import { handleAppendEntries, handleHeartbeat, refuseOldLeader } from './following.ts';
import { noteActive } from './leadership.ts';
import type { AppendEntriesResponse, HeartbeatResponse, Message } from './messages.ts';
import type { Progress } from './progress.ts';
import {
  confirmRounds,
  handleReadIndexRequest,
  handleReadIndexResponse,
  refuseRead,
} from './read-index.ts';
import { handleAppendEntriesResponse, noteRound, resumeFlow } from './replication.ts';
import { becomeFollower } from './role.ts';
import type { Leader, RaftState } from './state.ts';

export function receive(state: RaftState, from: NodeId, message: Message): void {
  if (!state.peers.includes(from)) return;
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
  if (message.kind === 'requestVote' && hearsLeader(state)) return false;
  const leads = message.kind === 'appendEntries' || message.kind === 'heartbeat';
  const leader = leads ? from : undefined;
  becomeFollower(state, message.term, leader, `${message.kind} of a higher term from ${from}`);
  return true;
}

/** Requests of an earlier term are refused with the current one, so that the sender catches up; answers are dropped. */
function answerOldTerm(state: RaftState, from: NodeId, message: Message): void {
  switch (message.kind) {
    case 'requestVote':
      return refuseVote(state, from);
    case 'appendEntries':
    case 'heartbeat':
      return refuseOldLeader(state, from, message);
    case 'readIndexRequest':
      return refuseRead(state, from, message.context);
    case 'preVote':
    case 'preVoteResponse':
    case 'requestVoteResponse':
    case 'appendEntriesResponse':
    case 'heartbeatResponse':
    case 'readIndexResponse':
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
      return hearsLeader(state) ? undefined : handleRequestVote(state, from, message);
    case 'requestVoteResponse':
      return handleRequestVoteResponse(state, from, message);
    case 'appendEntries':
      return handleAppendEntries(state, from, message);
    case 'heartbeat':
      return handleHeartbeat(state, from, message);
    case 'appendEntriesResponse':
    case 'heartbeatResponse':
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
  reply: AppendEntriesResponse | HeartbeatResponse,
): void {
  const leader = state.role;
  if (leader.kind !== 'leader') return;
  const progress = leader.progress.find(({ peer }) => peer === from);
  if (progress?.session !== reply.session) {
    state.outbox.events.push({ kind: 'staleReplyDropped', peer: from });
    return;
  }
  noteActive(state, leader, progress);
  if (reply.kind === 'appendEntriesResponse') {
    handleAppendEntriesResponse(state, leader, progress, reply);
  } else {
    heardHeartbeat(state, leader, progress, reply);
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
