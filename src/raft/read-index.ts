// ReadIndex (dissertation 6.4): the leader proves that it still leads with one round of heartbeats for all reads of one
// Ready, also for followers that ask. No clock is involved.
import { logIndex, type NodeId } from '../lib/ids.ts';
import type { Token } from './input.ts';
import { ofVoters } from './membership.ts';
import type { ReadIndexRequest, ReadIndexResponse } from './messages.ts';
import { sendNow } from './outbox.ts';
import { majorityValue } from './quorum.ts';
import type { Follower, ForwardedReads, Leader, RaftState, ReadRequest } from './state.ts';

/** A read of this node. A leader that has not committed in its term yet holds it: its commit index may be behind. */
export function requestRead(state: RaftState, token: Token): void {
  const role = state.role;
  const reject = (reason: 'noLeader' | 'overloaded'): void => {
    state.outbox.rejected.push({ token, reason });
  };
  if (role.kind === 'leader') {
    if (!queueRead(state, role, { kind: 'local', token })) reject('overloaded');
  } else if (role.kind !== 'follower' || role.leader === undefined) {
    reject('noLeader');
  } else if (role.reads.pending >= state.config.maxPendingReads) {
    reject('overloaded');
  } else {
    role.reads.pending += 1;
    role.reads.queued.push(token);
  }
}

function queueRead(state: RaftState, leader: Leader, request: ReadRequest): boolean {
  const { reads } = leader;
  if (reads.pending >= state.config.maxPendingReads) return false;
  reads.pending += 1;
  reads.queued.push(request);
  return true;
}

/** A follower's question joins the round of everyone else's. */
export function handleReadIndexRequest(
  state: RaftState,
  from: NodeId,
  request: ReadIndexRequest,
): void {
  const { context } = request;
  const role = state.role;
  const queued =
    role.kind === 'leader' && queueRead(state, role, { kind: 'remote', from, context });
  if (!queued) refuseRead(state, from, context);
}

export function refuseRead(state: RaftState, to: NodeId, context: number): void {
  const { term } = state;
  sendNow(state.outbox, to, { kind: 'readIndexResponse', term, context, readIndex: undefined });
}

export function handleReadIndexResponse(
  state: RaftState,
  from: NodeId,
  response: ReadIndexResponse,
): void {
  const role = state.role;
  if (role.kind !== 'follower' || role.leader !== from) return;
  const tokens = endWait(role.reads, response.context);
  const { readIndex } = response;
  if (readIndex === undefined) rejectReads(state, tokens);
  else for (const token of tokens) state.outbox.reads.push({ token, index: readIndex });
}

/** The tokens that waited under `context`; none if it is not, or no longer, waited for. */
function endWait(reads: ForwardedReads, context: number): readonly Token[] {
  const tokens = reads.waiting.get(context)?.tokens ?? [];
  reads.waiting.delete(context);
  reads.pending -= tokens.length;
  return tokens;
}

function rejectReads(state: RaftState, tokens: readonly Token[]): void {
  for (const token of tokens) state.outbox.rejected.push({ token, reason: 'noLeader' });
}

/** A read whose answer was lost ends after an election timeout. */
export function tickReads(state: RaftState, follower: Follower): void {
  for (const [context, asked] of follower.reads.waiting) {
    asked.ageTicks += 1;
    if (asked.ageTicks < state.config.electionTicks) continue;
    rejectReads(state, endWait(follower.reads, context));
  }
}

/** True when the next Ready starts a round or sends a question. */
export function hasReadsToStart(state: RaftState): boolean {
  const role = state.role;
  if (role.kind === 'leader') return role.committedInTerm && role.reads.queued.length > 0;
  return role.kind === 'follower' && role.reads.queued.length > 0;
}

/** Sends the reads gathered since the last Ready under one context. The context is never used again, so that the answer to
 * an earlier question cannot be taken for the answer to this one. */
export function sendReads(state: RaftState, follower: Follower, leader: NodeId): void {
  const { reads } = follower;
  state.lastContext += 1;
  const context = state.lastContext;
  reads.waiting.set(context, { tokens: reads.queued, ageTicks: 0 });
  reads.queued = [];
  sendNow(state.outbox, leader, { kind: 'readIndexRequest', term: state.term, context });
}

/** Opens one round for all reads gathered since the last Ready. The caller sends the heartbeats that carry it. */
export function openRound(state: RaftState, leader: Leader): void {
  const { reads } = leader;
  reads.lastRound += 1;
  reads.rounds.push({ round: reads.lastRound, index: state.commitIndex, requests: reads.queued });
  reads.queued = [];
}

/** Answers every round that a majority, this node included while it is a voter, has confirmed. */
export function confirmRounds(state: RaftState, leader: Leader): void {
  const { reads } = leader;
  if (reads.rounds.length === 0) return;
  const values = ofVoters(state, leader, (progress) => progress.ackedRound, reads.lastRound);
  const confirmed = majorityValue(values);
  let done = 0;
  for (const { round, index, requests } of reads.rounds) {
    if (round > confirmed) break;
    done += 1;
    reads.pending -= requests.length;
    for (const request of requests) {
      if (request.kind === 'local') state.outbox.reads.push({ token: request.token, index });
      else answerRead(state, request.from, request.context, index);
    }
  }
  if (done > 0) reads.rounds.splice(0, done);
}

function answerRead(state: RaftState, to: NodeId, context: number, index: number): void {
  const { term } = state;
  const readIndex = logIndex(index);
  sendNow(state.outbox, to, { kind: 'readIndexResponse', term, context, readIndex });
}

/** The role ends, and with it every read that waits in it. */
export function abandonReads(state: RaftState): void {
  const role = state.role;
  if (role.kind === 'follower') {
    for (const { tokens } of role.reads.waiting.values()) rejectReads(state, tokens);
    rejectReads(state, role.reads.queued);
    return;
  }
  if (role.kind !== 'leader') return;
  const { rounds, queued } = role.reads;
  for (const request of [...rounds.flatMap(({ requests }) => requests), ...queued]) {
    if (request.kind === 'remote') refuseRead(state, request.from, request.context);
    else rejectReads(state, [request.token]);
  }
}
