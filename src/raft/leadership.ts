// A leader's own life: taking office, heartbeats, and leaving when a majority no longer answers (check-quorum,
// dissertation 6.2). Heartbeats never wait for the disk.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, nextIndex } from '../lib/ids.ts';
import { bytesAfter } from './log.ts';
import { sendNow } from './outbox.ts';
import { createProgress, type Progress, renewSession } from './progress.ts';
import { appendAsLeader } from './replication.ts';
import { becomeFollower, enter } from './role.ts';
import type { Leader, RaftState } from './state.ts';

/** "Upon election" (section 5.2). The no-op is what lets the commit index move in this term (section 8). */
export function becomeLeader(state: RaftState): void {
  assert(state.role.kind === 'candidate', 'only a candidate is elected');
  assert(state.votedFor === state.id, 'a leader voted for itself');
  const { log, config } = state;
  const next = nextIndex(log.lastIndex);
  const leader: Leader = {
    kind: 'leader',
    progress: state.peers.map((peer) => createProgress(config, peer, ++state.lastSession, next)),
    reads: { queued: [], rounds: [], pending: 0, lastRound: 0 },
    heartbeatElapsedTicks: 0,
    windowTicks: 0,
    contactInDoubt: false,
    stalledSequence: 0,
    stalledTicks: 0,
    committedInTerm: false,
    uncommittedBytes: bytesAfter(log, state.commitIndex),
  };
  enter(state, leader, 'a majority voted for it');
  appendAsLeader(state, leader, 'noop', NOTHING);
}

const NOTHING = new Uint8Array(0);

export function tickLeader(state: RaftState, leader: Leader): void {
  for (const progress of leader.progress) {
    if (progress.flow.kind !== 'replicate') continue;
    if (progress.inflight.count > 0) progress.flow.stalledTicks += 1;
    else progress.flow.stalledTicks = 0;
  }
  if (!holdsDisk(state, leader)) return;
  leader.windowTicks += 1;
  if (leader.windowTicks >= state.config.electionTicks && !holdsQuorum(state, leader)) return;
  leader.heartbeatElapsedTicks += 1;
  if (leader.heartbeatElapsedTicks < state.config.heartbeatTicks) return;
  leader.heartbeatElapsedTicks = 0;
  for (const { flow } of leader.progress)
    if (flow.kind === 'probe') flow.heartbeatSinceAsked = true;
  broadcastHeartbeat(state, leader);
}

const DISK_PATIENCE_ELECTIONS = 10;

/** A leader whose disk has stopped would keep its office by heartbeats alone while its own log falls behind and every
 * slow moment of one follower stops all commits. It steps down when one batch has not become durable for ten election
 * timeouts; a disk that is merely slow deposes nobody. */
function holdsDisk(state: RaftState, leader: Leader): boolean {
  const sequence = state.outstanding[0]?.sequence ?? 0;
  if (sequence === 0 || sequence !== leader.stalledSequence || state.peers.length === 0) {
    leader.stalledSequence = sequence;
    leader.stalledTicks = 0;
    return true;
  }
  leader.stalledTicks += 1;
  if (leader.stalledTicks < DISK_PATIENCE_ELECTIONS * state.config.electionTicks) return true;
  becomeFollower(state, state.term, undefined, 'its disk has stopped persisting');
  return false;
}

/** Ends the check-quorum window: steps down unless a majority answered in it. */
function holdsQuorum(state: RaftState, leader: Leader): boolean {
  if (countActive(leader) < state.quorum) {
    becomeFollower(state, state.term, undefined, 'no majority answered within an election timeout');
    return false;
  }
  startWindow(leader);
  return true;
}

function startWindow(leader: Leader): void {
  leader.windowTicks = 0;
  for (const progress of leader.progress) progress.active = false;
}

function countActive(leader: Leader): number {
  let active = 1;
  for (const progress of leader.progress) if (progress.active) active += 1;
  return active;
}

/** The peer answered in the current term and session. */
export function noteActive(state: RaftState, leader: Leader, progress: Progress): void {
  progress.active = true;
  if (leader.contactInDoubt && countActive(leader) >= state.quorum) leader.contactInDoubt = false;
}

/** The host stood still. Answers from before the gap prove nothing about now, and peers may have elected another leader
 * meanwhile, so the window starts anew and until a majority answers this leader does not hide behind stickiness. Read
 * rounds stay: a round is confirmed by answers to messages sent after it began, whatever the clocks did. */
export function doubtContact(state: RaftState, leader: Leader): void {
  startWindow(leader);
  leader.contactInDoubt = state.peers.length > 0;
  leader.heartbeatElapsedTicks = state.config.heartbeatTicks;
}

/** What was in flight to the peer may be lost, and its late answers must not be taken for new ones. */
export function restartSession(state: RaftState, progress: Progress): void {
  state.lastSession += 1;
  renewSession(progress, state.lastSession);
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
