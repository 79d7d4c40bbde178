// Handing leadership over (dissertation 3.10). Everything about it lives in the leader's own object, so that it cannot
// outlive the term: a flag that did would refuse all writes of a later one.
import type { NodeId } from '../lib/ids.ts';
import { isVoter } from './membership.ts';
import { sendNow } from './outbox.ts';
import { type Progress, wasHeard } from './progress.ts';
import { becomeFollower } from './role.ts';
import type { Leader, RaftState } from './state.ts';

/** Ignored where nobody can take over, and while another transfer is under way. */
export function startTransfer(state: RaftState, leader: Leader, target: NodeId | undefined): void {
  if (leader.transfer !== undefined) return;
  const successor = leader.progress
    .filter((progress) => target === undefined || progress.peer === target)
    .filter((progress) => progress.voter && wasHeard(progress))
    .reduce(further, undefined);
  if (successor) begin(state, leader, successor, false);
}

/** The configuration without this node as a voter is committed: its leadership ends here, with a successor if one can be
 * named at once or within an election timeout. */
export function leaveIfRemoved(state: RaftState, leader: Leader): void {
  if (isVoter(state, state.id) || state.members.configuration.index > state.commitIndex) return;
  if (leader.transfer !== undefined) {
    leader.transfer.leaves = true;
    if (leader.transfer.sent) leave(state);
    return;
  }
  const voters = leader.progress.filter(({ voter }) => voter);
  const successor =
    voters.filter(wasHeard).reduce(further, undefined) ?? voters.reduce(further, undefined);
  if (successor) begin(state, leader, successor, true);
}

function further(best: Progress | undefined, one: Progress): Progress {
  return best && best.matchIndex >= one.matchIndex ? best : one;
}

function begin(state: RaftState, leader: Leader, { peer }: Progress, leaves: boolean): void {
  leader.transfer = { target: peer, leaves, sent: false, elapsedTicks: 0 };
  state.outbox.events.push({ kind: 'transferStarted', target: peer });
  advanceTransfer(state, leader);
}

/** Once the target holds the whole log it is told to campaign: nobody's log can be ahead of its own. */
export function advanceTransfer(state: RaftState, leader: Leader): void {
  const { transfer } = leader;
  if (!transfer || transfer.sent) return;
  const progress = leader.progress.find(({ peer }) => peer === transfer.target);
  if (progress?.matchIndex !== state.log.lastIndex) return;
  transfer.sent = true;
  sendNow(state.outbox, transfer.target, { kind: 'timeoutNow', term: state.term });
  if (transfer.leaves) leave(state);
}

export function tickTransfer(state: RaftState, leader: Leader): void {
  const { transfer } = leader;
  if (!transfer) return;
  transfer.elapsedTicks += 1;
  if (transfer.elapsedTicks < state.config.electionTicks) return;
  if (transfer.leaves) {
    leave(state);
    return;
  }
  leader.transfer = undefined;
  const reason = `${transfer.target} did not take over within an election timeout`;
  state.outbox.events.push({ kind: 'transferEnded', reason });
}

function leave(state: RaftState): void {
  becomeFollower(state, state.term, undefined, 'it is no longer a voter');
}
