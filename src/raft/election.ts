// Elections: pre-vote (dissertation 9.6), the vote itself (sections 5.2 and 5.4.1) and leader stickiness (dissertation
// 4.2.3). A pre-vote changes nothing anywhere, so it speaks at once; a vote is a promise, so it waits for the disk.
import { assert } from '../lib/assert.ts';
import { type NodeId, nextTerm } from '../lib/ids.ts';
import { lacksState } from './floor.ts';
import { becomeLeader } from './leadership.ts';
import { isUpToDate, lastTerm } from './log.ts';
import { isVoter, otherMembers, otherVoters } from './membership.ts';
import type { PreVote, PreVoteResponse, RequestVote, RequestVoteResponse } from './messages.ts';
import { sendAfterPersist, sendNow } from './outbox.ts';
import { type VoteResult, voteResult } from './quorum.ts';
import { becomeFollower, enter, followLeader, forgetLeader, retryTimer } from './role.ts';
import {
  type Ballot,
  type Candidate,
  drawHurriedTimer,
  drawTimer,
  type Follower,
  type PreCandidate,
  type RaftState,
} from './state.ts';

/** Asks whether a campaign could win, before any term is raised. */
function startPreVote(state: RaftState, reason: string): void {
  const role: PreCandidate = { kind: 'preCandidate', ballot: new Map(), timer: retryTimer(state) };
  enter(state, role, reason);
  const { log } = state;
  const request: PreVote = {
    kind: 'preVote',
    term: nextTerm(state.term),
    lastLogIndex: log.lastIndex,
    lastLogTerm: lastTerm(log),
  };
  for (const peer of otherVoters(state)) sendNow(state.outbox, peer, request);
  // Saying yes to itself promises nothing, so it needs no disk.
  role.ballot.set(state.id, true);
  countPreVotes(state, role);
}

/** "On conversion to candidate" (section 5.2). The own vote is counted by `countOwnVote` once it is durable. */
function startElection(state: RaftState, hurriedTicks: number, transfer: boolean): void {
  state.term = nextTerm(state.term);
  state.votedFor = state.id;
  // A full timeout even in a hurry: the answers wait for disks.
  const timer = { ...drawTimer(state.config, state.random), hurriedTicks };
  const reason = transfer ? 'the leader hands over to it' : 'a majority would vote for it';
  enter(state, { kind: 'candidate', ballot: new Map(), timer }, reason);
  const { log } = state;
  const request: RequestVote = {
    kind: 'requestVote',
    term: state.term,
    lastLogIndex: log.lastIndex,
    lastLogTerm: lastTerm(log),
    transfer,
  };
  for (const peer of otherVoters(state)) sendAfterPersist(state.outbox, peer, request);
}

/** The batch with this node's vote for itself in the current term is durable. */
export function countOwnVote(state: RaftState): void {
  if (state.role.kind !== 'candidate') return;
  state.role.ballot.set(state.id, true);
  countVotes(state, state.role);
}

/** Changes nothing here: no term, no vote, no timer. It runs before the term rule for that reason. A refusal carries the
 * own term; an asker that was left behind learns it from there, else it would ask in vain for ever. */
export function handlePreVote(state: RaftState, from: NodeId, request: PreVote): void {
  const voteGranted =
    request.term > state.term &&
    !hearsLeader(state) &&
    isUpToDate(state.log, request.lastLogIndex, request.lastLogTerm);
  const term = voteGranted ? request.term : state.term;
  sendNow(state.outbox, from, { kind: 'preVoteResponse', term, voteGranted });
}

export function handlePreVoteResponse(
  state: RaftState,
  from: NodeId,
  response: PreVoteResponse,
): void {
  const role = state.role;
  if (role.kind !== 'preCandidate') return;
  if (response.voteGranted && response.term !== state.term + 1) return;
  // A yes stays a yes: a refusal that was delayed from an earlier attempt takes nothing back.
  if (response.voteGranted || !role.ballot.has(from)) role.ballot.set(from, response.voteGranted);
  countPreVotes(state, role);
}

/** Receiver rules of RequestVote, sections 5.2 and 5.4.1. */
export function handleRequestVote(state: RaftState, from: NodeId, request: RequestVote): void {
  assert(request.term === state.term, 'the term rule runs before any role rule');
  const canVote = state.votedFor === undefined || state.votedFor === from;
  if (!canVote || !isUpToDate(state.log, request.lastLogIndex, request.lastLogTerm)) {
    refuseVote(state, from);
    return;
  }
  const role = state.role;
  assert(role.kind === 'follower' || role.kind === 'preCandidate', 'who campaigns has voted');
  state.votedFor = from;
  // The candidate deserves a full timeout, also from a node that was in a hurry.
  role.timer = drawTimer(state.config, state.random);
  sendAfterPersist(state.outbox, from, {
    kind: 'requestVoteResponse',
    term: state.term,
    voteGranted: true,
  });
}

/** Binds nobody, so it does not wait for the disk. */
export function refuseVote(state: RaftState, to: NodeId): void {
  sendNow(state.outbox, to, {
    kind: 'requestVoteResponse',
    term: state.term,
    voteGranted: false,
  });
}

export function handleRequestVoteResponse(
  state: RaftState,
  from: NodeId,
  response: RequestVoteResponse,
): void {
  const role = state.role;
  if (role.kind !== 'candidate') return;
  if (response.voteGranted || !role.ballot.has(from)) role.ballot.set(from, response.voteGranted);
  countVotes(state, role);
}

/** Leader stickiness: whoever hears a live leader lets nobody disturb it. A leader counts as hearing itself, except
 * after a clock gap, when it does not know whether others still listen. */
export function hearsLeader(state: RaftState): boolean {
  const role = state.role;
  switch (role.kind) {
    case 'leader':
      return !role.contactInDoubt;
    case 'follower':
      return role.leader !== undefined && role.silentTicks < state.config.electionTicks;
    case 'preCandidate':
    case 'candidate':
      return false;
  }
}

/** The peer's process is gone. If it led, stickiness towards it ends and a campaign follows after a short delay. */
export function losePeer(state: RaftState, peer: NodeId): void {
  if (otherMembers(state).includes(peer)) state.gone.add(peer);
  const role = state.role;
  if (role.kind === 'candidate') countVotes(state, role);
  if (role.kind !== 'follower' || role.leader !== peer) return;
  const timer = drawHurriedTimer(state, state.config.electionTicks);
  forgetLeader(state, timer, `the process of leader ${peer} is gone`);
}

/** One tick of everyone but the leader. */
export function tickElection(state: RaftState): void {
  const role = state.role;
  assert(role.kind !== 'leader', 'a leader does not campaign');
  const { timer } = role;
  timer.elapsedTicks += 1;
  if (timer.hurriedTicks > 0) timer.hurriedTicks -= 1;
  if (role.kind === 'follower') role.silentTicks += 1;
  if (timer.elapsedTicks < timer.timeoutTicks) return;
  const obstacle = whyNotCampaign(state);
  if (obstacle !== undefined) return waitFurther(state, role, obstacle);
  return startPreVote(state, timer.hurriedTicks > 0 ? 'the leader is gone' : 'election timeout');
}

/** What keeps this node from campaigning; undefined: nothing. A node that a configuration removed may still be the only
 * one that holds the entry, so until it knows it committed it campaigns all the same, without a vote of its own
 * (dissertation 4.2.2, figure 4.6). */
function whyNotCampaign(state: RaftState): string | undefined {
  if (lacksState(state)) return 'its state is missing';
  if (state.diskInDoubt) return 'its disk has stopped persisting';
  const committed = state.history.findLast(
    ({ configuration }) => configuration.index <= state.commitIndex,
  );
  const { id } = state;
  const votes = isVoter(state, id) || committed?.membership.voters.includes(id);
  return votes ? undefined : 'it is no voter';
}

/** The timeout passed and this node may not campaign: whatever it believed of a leader has ended all the same. */
function waitFurther(
  state: RaftState,
  role: Follower | PreCandidate | Candidate,
  obstacle: string,
): void {
  const timer = drawTimer(state.config, state.random);
  if (role.kind === 'follower' && role.leader === undefined) role.timer = timer;
  else forgetLeader(state, timer, `election timeout, but ${obstacle}`);
}

/** The leader hands over to this node (dissertation 3.10): no pre-vote, and the vote is asked for in the leader's name. */
export function handleTimeoutNow(state: RaftState, from: NodeId): void {
  followLeader(state, from);
  if (whyNotCampaign(state) === undefined) startElection(state, 0, true);
}

function countPreVotes(state: RaftState, role: PreCandidate): void {
  if (tally(state, role.ballot) === 'won') {
    startElection(state, role.timer.hurriedTicks, false);
  }
}

function countVotes(state: RaftState, role: Candidate): void {
  const result = tally(state, role.ballot);
  if (result === 'won') {
    becomeLeader(state);
    return;
  }
  // With the old leader's process gone two hurried candidates may split the votes. Waiting for an answer that cannot
  // come would cost a full timeout, so the loser asks again soon.
  if (result === 'lost' && role.timer.hurriedTicks > 0) {
    becomeFollower(state, state.term, undefined, 'the votes were split');
  }
}

/** Counts the voters of the configuration in effect and nobody else; this node's own vote too only if it is one. */
function tally(state: RaftState, ballot: Ballot): VoteResult {
  const { voters } = state.members.membership;
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const answer = ballot.get(voter);
    if (answer === true) granted += 1;
    else if (answer === false || state.gone.has(voter)) refused += 1;
  }
  return voteResult(voters.length, granted, refused);
}
