// The configuration in effect (dissertation 4.1): it acts from where its entry is appended, on every node, and goes with
// the entry when that is dropped. A leader keeps one Progress for each other member of it.
import { assert } from '../lib/assert.ts';
import { type LogIndex, type NodeId, nextIndex } from '../lib/ids.ts';
import {
  configurationOf,
  type History,
  newest,
  openHistory,
  raiseHistory,
  truncateHistory,
  withNext,
} from './history.ts';
import { appendEntry } from './log.ts';
import { createProgress, type Progress } from './progress.ts';
import type { Leader, RaftState } from './state.ts';
import type { Configuration, LogEntry } from './types.ts';

export function isVoter(state: RaftState, id: NodeId): boolean {
  return state.members.membership.voters.includes(id);
}

/** The voters without this node, ascending. */
export function otherVoters(state: RaftState): readonly NodeId[] {
  return state.members.membership.voters.filter((voter) => voter !== state.id);
}

/** Every other member, ascending. */
export function otherMembers(state: RaftState): readonly NodeId[] {
  const { voters, learners } = state.members.membership;
  return [...voters, ...learners].filter((member) => member !== state.id).toSorted();
}

/** One value for each voter; `own` is this node's, which counts only while it is one. Learners count for nothing. */
export function ofVoters(
  state: RaftState,
  leader: Leader,
  valueOf: (progress: Progress) => number,
  own: number,
): Float64Array {
  const { voters } = state.members.membership;
  const values = new Float64Array(voters.length);
  let filled = 0;
  for (const progress of leader.progress) if (progress.voter) values[filled++] = valueOf(progress);
  if (isVoter(state, state.id)) values[filled++] = own;
  assert(filled === voters.length, 'there is one value for each voter');
  return values;
}

/** The only way into the log: what an entry says of the cluster takes effect with it. */
export function appendToLog(state: RaftState, entry: LogEntry): void {
  appendEntry(state.log, entry);
  const configuration = configurationOf(entry);
  if (configuration === undefined) return;
  adopt(state, withNext(state.config.membershipOf, state.history, configuration));
}

/** Entries after `after` were dropped, and with them what they said. */
export function rollBackMembership(state: RaftState, after: LogIndex): void {
  if (state.members.configuration.index > after)
    adopt(state, truncateHistory(state.history, after));
}

/** The floor rose within the log: nothing changes but from where the history is told. */
export function raiseMembership(state: RaftState, floorIndex: LogIndex): void {
  adopt(state, raiseHistory(state.history, floorIndex));
}

/** A snapshot says who belonged at its index. Only configurations of entries that stayed in the log may follow: one that
 * was never committed must not outlive the log it stood in. */
export function replaceMembership(
  state: RaftState,
  configuration: Configuration,
  kept: { readonly after: LogIndex } | undefined,
): void {
  const after: Configuration[] = [];
  for (const one of state.history) {
    const { index } = one.configuration;
    if (kept !== undefined && index > kept.after) after.push(one.configuration);
  }
  adopt(state, openHistory(state.config.membershipOf, configuration, after));
}

function adopt(state: RaftState, history: History): void {
  state.history = history;
  state.members = newest(history);
  const others = otherMembers(state);
  for (const peer of state.gone) if (!others.includes(peer)) state.gone.delete(peer);
  const { role } = state;
  if (role.kind === 'leader') role.progress = progressFor(state, role.progress, others);
}

/** Who stays keeps what is known of him. Who comes, also one who was a member before, gets a session of his own: answers
 * to what an earlier membership was told are worth nothing. */
export function progressFor(
  state: RaftState,
  known: readonly Progress[],
  peers: readonly NodeId[],
): readonly Progress[] {
  const next = nextIndex(state.log.lastIndex);
  return peers.map((peer) => {
    let progress = known.find((one) => one.peer === peer);
    if (!progress) {
      state.lastSession += 1;
      progress = createProgress(state.config, peer, state.lastSession, next);
    }
    progress.voter = isVoter(state, peer);
    return progress;
  });
}
