// A leader's own life: taking office, heartbeats, and leaving when a majority no longer answers (check-quorum,
// dissertation 6.2). Heartbeats never wait for the disk.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex } from '../lib/ids.ts';
import { meetFloor } from './floor.ts';
import { bytesAfter } from './log.ts';
import { isVoter, otherMembers, otherVoters, progressFor } from './membership.ts';
import { sendNow } from './outbox.ts';
import { type Progress, renewSession } from './progress.ts';
import { quorumSize } from './quorum.ts';
import { appendAsLeader } from './replication.ts';
import { becomeFollower, enter } from './role.ts';
import { repeatTicks } from './snapshot.ts';
import type { Leader, RaftState } from './state.ts';
import { tickTransfer } from './transfer.ts';

/** "Upon election" (section 5.2). The no-op is what lets the commit index move in this term (section 8). */
export function becomeLeader(state: RaftState): void {
  assert(state.role.kind === 'candidate', 'only a candidate is elected');
  assert(state.votedFor === state.id, 'a leader voted for itself');
  const leader: Leader = {
    kind: 'leader',
    progress: progressFor(state, [], otherMembers(state)),
    transfer: undefined,
    reads: { queued: [], rounds: [], pending: 0, lastRound: 0 },
    heartbeatElapsedTicks: 0,
    windowTicks: 0,
    contactInDoubt: false,
    committedInTerm: false,
    uncommittedBytes: bytesAfter(state.log, state.commitIndex),
  };
  enter(state, leader, 'a majority voted for it');
  appendAsLeader(state, leader, 'noop', NOTHING);
}

const NOTHING = new Uint8Array(0);

export function tickLeader(state: RaftState, leader: Leader): void {
  for (const { flow, inflight } of leader.progress) tickFlow(state, flow, inflight.count > 0);
  tickTransfer(state, leader);
  if (state.role !== leader) return;
  leader.windowTicks += 1;
  if (leader.windowTicks >= state.config.electionTicks && !holdsQuorum(state, leader)) return;
  leader.heartbeatElapsedTicks += 1;
  if (leader.heartbeatElapsedTicks < state.config.heartbeatTicks) return;
  leader.heartbeatElapsedTicks = 0;
  for (const { flow } of leader.progress)
    if (flow.kind === 'probe') flow.heartbeatSinceAsked = true;
  broadcastHeartbeat(state, leader);
}

function tickFlow(state: RaftState, flow: Progress['flow'], inFlight: boolean): void {
  switch (flow.kind) {
    case 'probe':
      return;
    case 'replicate':
      flow.stalledTicks = inFlight ? flow.stalledTicks + 1 : 0;
      return;
    case 'snapshot':
      flow.quietTicks += 1;
      if (flow.quietTicks >= repeatTicks(state)) flow.said = false;
      return;
  }
}

/** Ends the check-quorum window: steps down unless a majority answered in it. */
function holdsQuorum(state: RaftState, leader: Leader): boolean {
  if (countActive(state, leader) < quorum(state)) {
    becomeFollower(state, state.term, undefined, 'no majority answered within an election timeout');
    return false;
  }
  startWindow(leader);
  return true;
}

function startWindow(leader: Leader): void {
  leader.windowTicks = 0;
  for (const progress of leader.progress) {
    progress.activeBefore = progress.active;
    progress.active = false;
  }
}

/** Voters that answered in this window; this node counts while it is one. */
function countActive(state: RaftState, leader: Leader): number {
  let active = isVoter(state, state.id) ? 1 : 0;
  for (const progress of leader.progress) if (progress.voter && progress.active) active += 1;
  return active;
}

function quorum(state: RaftState): number {
  return quorumSize(state.members.membership.voters.length);
}

/** The peer answered in the current term and session. */
export function noteActive(state: RaftState, leader: Leader, progress: Progress): void {
  progress.active = true;
  if (!leader.contactInDoubt) return;
  leader.contactInDoubt = countActive(state, leader) < quorum(state);
}

/** The host stood still. Answers from before the gap prove nothing about now, and peers may have elected another leader
 * meanwhile, so the window starts anew and until a majority answers this leader does not hide behind stickiness. Read
 * rounds stay: a round is confirmed by answers to messages sent after it began, whatever the clocks did. */
export function doubtContact(state: RaftState, leader: Leader): void {
  startWindow(leader);
  for (const progress of leader.progress) progress.activeBefore = false;
  leader.contactInDoubt = otherVoters(state).length > 0;
  leader.heartbeatElapsedTicks = state.config.heartbeatTicks;
}

/** What was in flight to the peer may be lost, and its late answers must not be taken for new ones. */
export function restartSession(state: RaftState, progress: Progress): void {
  state.lastSession += 1;
  renewSession(progress, state.lastSession);
  meetFloor(state, progress);
}

export function broadcastHeartbeat(state: RaftState, leader: Leader): void {
  const round = leader.reads.rounds.length > 0 ? leader.reads.lastRound : 0;
  for (const progress of leader.progress) {
    sendNow(state.outbox, progress.peer, {
      kind: 'heartbeat',
      term: state.term,
      session: progress.session,
      leaderCommit: lower(state.commitIndex, progress.matchIndex),
      round,
    });
  }
}

function lower(a: LogIndex, b: LogIndex): LogIndex {
  return logIndex(Math.min(a, b));
}
