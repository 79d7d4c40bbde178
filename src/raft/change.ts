// Changes of membership, one server at a time (dissertation 4.1 to 4.4): each rule that a change must keep is a reason to
// refuse it.
import type { NodeId } from '../lib/ids.ts';
import { isAscending } from './history.ts';
import { type Progress, wasHeard } from './progress.ts';
import { quorumSize } from './quorum.ts';
import { confirmRounds } from './read-index.ts';
import type { RejectReason } from './ready.ts';
import { advanceCommit, appendAsLeader } from './replication.ts';
import type { Leader, RaftState } from './state.ts';
import type { Membership } from './types.ts';

/** Appends the configuration, or says which rule forbids it. It is in effect from here on, also for its own commitment. */
export function proposeMembership(
  state: RaftState,
  leader: Leader,
  token: number,
  payload: Uint8Array,
): void {
  const { outbox, term } = state;
  const reason = refusal(state, leader, payload);
  if (reason !== undefined) {
    outbox.rejected.push({ token, reason });
    return;
  }
  outbox.appended.push({
    token,
    index: appendAsLeader(state, leader, 'membership', payload),
    term,
  });
  // A smaller cluster may have a majority for what a larger one still waited for.
  confirmRounds(state, leader);
  advanceCommit(state, leader);
}

function refusal(state: RaftState, leader: Leader, payload: Uint8Array): RejectReason | undefined {
  if (leader.transfer !== undefined) return 'transferring';
  // Two leaders of different terms could each change the same configuration in a way of their own, and have majorities
  // that do not meet; an entry of the own term rules the other one out (Ongaro 2015).
  if (!leader.committedInTerm) return 'termNotCommitted';
  if (state.members.configuration.index > state.commitIndex) return 'changePending';
  const now = state.members.membership;
  const wanted = state.config.membershipOf(payload);
  if (!isWellFormed(wanted) || !isSingleChange(now, wanted)) return 'invalidChange';
  const added = wanted.voters.find((voter) => !now.voters.includes(voter));
  if (added !== undefined && !isCaughtUp(state, leader, added)) return 'notCaughtUp';
  return isMajorityHeard(state, leader, wanted) ? undefined : 'wouldLoseQuorum';
}

function isWellFormed({ voters, learners }: Membership): boolean {
  const disjoint = !learners.some((learner) => voters.includes(learner));
  return voters.length > 0 && disjoint && isAscending(voters) && isAscending(learners);
}

/** At most one node becomes, ceases to be, or is moved between voter and learner. Majorities before and after then share
 * a voter. */
function isSingleChange(now: Membership, wanted: Membership): boolean {
  const voters = difference(now.voters, wanted.voters);
  const learners = difference(now.learners, wanted.learners);
  return new Set([...voters, ...learners]).size <= 1;
}

function difference(a: readonly NodeId[], b: readonly NodeId[]): readonly NodeId[] {
  return [...a.filter((one) => !b.includes(one)), ...b.filter((one) => !a.includes(one))];
}

/** A voter with an empty log would stop all commits until it had caught up, so it catches up as a learner. It also holds the newest
 * configuration: before it has acknowledged that it is a member, its host may let it begin anew as if it had said nothing (G14). */
function isCaughtUp(state: RaftState, leader: Leader, id: NodeId): boolean {
  const progress = leader.progress.find(({ peer }) => peer === id);
  if (progress?.flow.kind !== 'replicate') return false;
  if (progress.matchIndex < state.members.configuration.index) return false;
  return state.log.lastIndex - progress.matchIndex <= state.config.maxPromotionLag;
}

function isMajorityHeard(state: RaftState, leader: Leader, { voters }: Membership): boolean {
  const heard = (voter: NodeId): boolean => {
    if (voter === state.id) return true;
    const progress: Progress | undefined = leader.progress.find(({ peer }) => peer === voter);
    return progress !== undefined && wasHeard(progress);
  };
  return voters.filter(heard).length >= quorumSize(voters.length);
}
