// Changes of role. Every change goes through `enter`, which settles what the old role leaves behind: a flag or a queue
// of one role never outlives it.
import { assert } from '../lib/assert.ts';
import type { NodeId, Term } from '../lib/ids.ts';
import { abandonReads } from './read-index.ts';
import {
  createFollower,
  drawHurriedTimer,
  drawTimer,
  type ElectionTimer,
  type Follower,
  leaderOf,
  type RaftState,
  type RoleState,
} from './state.ts';

export function enter(state: RaftState, role: RoleState, reason: string): void {
  const leaderBefore = leaderOf(state);
  const before = state.role;
  abandonReads(state);
  state.role = role;
  const { term, outbox } = state;
  if (before.kind === 'leader' && before.transfer !== undefined) {
    outbox.events.push({ kind: 'transferEnded', reason: 'this node leads no longer' });
  }
  if (role.kind !== before.kind) {
    if (before.kind === 'leader') outbox.events.push({ kind: 'steppedDown', term, reason });
    outbox.events.push({ kind: 'roleChanged', role: role.kind, term, reason });
  }
  announceLeader(state, leaderBefore);
}

function announceLeader(state: RaftState, before: NodeId | undefined): void {
  const leader = leaderOf(state);
  if (leader === before) return;
  state.outbox.events.push({ kind: 'leaderChanged', leader, term: state.term });
}

/** Follows in `term`, which is the current one or a later one. A later term forgets the vote of the old one. */
export function becomeFollower(
  state: RaftState,
  term: Term,
  leader: NodeId | undefined,
  reason: string,
): Follower {
  assert(term >= state.term, 'the term never falls');
  const timer = leader === undefined ? retryTimer(state) : drawTimer(state.config, state.random);
  if (term > state.term) {
    state.term = term;
    state.votedFor = undefined;
  }
  const follower = createFollower(leader, timer);
  enter(state, follower, reason);
  return follower;
}

/** A sign of life from the leader of the current term: anything that only a leader sends. */
export function followLeader(state: RaftState, leader: NodeId): Follower {
  const role = state.role;
  assert(role.kind !== 'leader', 'a term has at most one leader');
  if (role.kind !== 'follower') {
    return becomeFollower(
      state,
      state.term,
      leader,
      `heard from ${leader}, the leader of this term`,
    );
  }
  assert(role.leader === undefined || role.leader === leader, 'a term has at most one leader');
  role.silentTicks = 0;
  role.timer.elapsedTicks = 0;
  if (role.timer.hurriedTicks > 0) role.timer = drawTimer(state.config, state.random);
  if (role.leader !== undefined) return role;
  role.leader = leader;
  announceLeader(state, undefined);
  return role;
}

/** The leader's process is gone: its word from before keeps nobody from electing another. */
export function forgetLeader(state: RaftState, timer: ElectionTimer, reason: string): void {
  enter(state, createFollower(undefined, timer), reason);
}

/** The timer after an attempt that did not lead to a leader: short while the node is in a hurry, else a full one. */
export function retryTimer(state: RaftState): ElectionTimer {
  const hurriedTicks = state.role.kind === 'leader' ? 0 : state.role.timer.hurriedTicks;
  if (hurriedTicks > 0) return drawHurriedTimer(state, hurriedTicks);
  return drawTimer(state.config, state.random);
}
