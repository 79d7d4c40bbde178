// Snapshots (section 7), turned round: the leader says that one is needed, the follower's host pulls it from wherever the
// core says, and only what is verified and on disk comes back here. The content never passes through consensus.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, type NodeId } from '../lib/ids.ts';
import { commitTo } from './commit.ts';
import { lacksState, moveFloor, needSnapshot } from './floor.ts';
import type { Input } from './input.ts';
import type { InstallSnapshot, InstallSnapshotResponse } from './messages.ts';
import { sendAfterPersist, sendNow } from './outbox.ts';
import { acknowledge, becomeProbing, type Progress } from './progress.ts';
import { becomeFollower, followLeader } from './role.ts';
import type { Follower, RaftState } from './state.ts';

type SnapshotReceived = Extract<Input, { kind: 'snapshotReceived' }>;

/** The leader has no entries left for this node. While a snapshot is being put in place nothing else is pulled. */
export function handleInstallSnapshot(
  state: RaftState,
  from: NodeId,
  request: InstallSnapshot,
): void {
  assert(request.term === state.term, 'the term rule runs before any role rule');
  const follower = followLeader(state, from);
  follower.snapshotSession = request.session;
  // Repeated before the answer reached the leader: a second pull would bring what is here already.
  if (follower.answeredSession === request.session) return answerLeader(state, follower);
  if (state.installing === undefined) state.outbox.pullSnapshotFrom = from;
  return undefined;
}

/** The leader is told how far this node's disk reaches now; with the next batch, which holds the floor. */
function answerLeader(state: RaftState, follower: Follower): void {
  const { leader, snapshotSession: session } = follower;
  if (leader === undefined || session === 0) return;
  follower.answeredSession = session;
  sendAfterPersist(state.outbox, leader, {
    kind: 'installSnapshotResponse',
    term: state.term,
    session,
    index: state.commitIndex,
  });
}

/** The host holds a verified snapshot. It is of no use to a leader, nor where the log has moved beyond it: what was handed
 * out as committed is being applied. */
export function takeSnapshot(state: RaftState, snapshot: SnapshotReceived): void {
  const { index, term, configuration } = snapshot;
  assert(term > 0 && index > 0, 'a snapshot holds at least one entry');
  if (state.role.kind === 'leader' || state.installing !== undefined) return;
  if (index <= state.handedOutIndex || index < state.log.floorIndex) {
    if (state.role.kind === 'follower' && !lacksState(state)) answerLeader(state, state.role);
    return;
  }
  assert(term <= state.term, 'no snapshot is newer than the leader that named it');
  if (state.role.kind !== 'follower') {
    becomeFollower(state, state.term, undefined, 'a snapshot takes the place of its log');
  }
  moveFloor(state, index, term, configuration);
  if (index > state.commitIndex) commitTo(state, index);
  state.handedOutIndex = index;
  state.installing = index;
  state.outbox.install = { index, term };
  if (state.role.kind === 'follower') answerLeader(state, state.role);
}

/** A follower that has lost the state below its log asks for a snapshot, again and again until it has one. */
export function tickSnapshot(state: RaftState, follower: Follower): void {
  if (!lacksState(state) || state.installing !== undefined || follower.leader === undefined) return;
  state.wantTicks -= 1;
  if (state.wantTicks > 0) return;
  state.wantTicks = repeatTicks(state);
  sendNow(state.outbox, follower.leader, { kind: 'snapshotWanted', term: state.term });
}

/** The sender's log may be whole, so replication goes on as it is; only the state is missing there. */
export function handleSnapshotWanted(state: RaftState, from: NodeId): void {
  const leader = state.role;
  if (leader.kind !== 'leader') return;
  const progress = leader.progress.find(({ peer }) => peer === from);
  if (progress) sendInstallSnapshot(state, progress);
}

export function sendInstallSnapshot(state: RaftState, { peer, session }: Progress): void {
  sendNow(state.outbox, peer, { kind: 'installSnapshot', term: state.term, session });
}

/** How often a need that is not met is said again: three times in an election timeout. */
export function repeatTicks(state: RaftState): number {
  return Math.ceil(state.config.electionTicks / 3);
}

/** True when matchIndex rose. The peer holds everything up to `index`; from there on it is asked. */
export function handleInstallSnapshotResponse(
  state: RaftState,
  progress: Progress,
  response: InstallSnapshotResponse,
): boolean {
  const { index } = response;
  if (index > state.log.lastIndex) return false;
  if (progress.flow.kind !== 'snapshot') return acknowledge(progress, index);
  const rose = index > progress.matchIndex;
  if (rose) progress.matchIndex = index;
  // This log may have moved on while the snapshot travelled.
  if (progress.matchIndex < state.log.floorIndex) needSnapshot(state, progress);
  else becomeProbing(progress, next(progress.matchIndex));
  return rose;
}

function next(index: LogIndex): LogIndex {
  return logIndex(index + 1);
}
