// Where the log begins (section 7, with the dissertation's chapter 5): raised when the state below is safe elsewhere, or
// moved by a snapshot that takes the place of the log.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, type Term } from '../lib/ids.ts';
import { dropLog, raiseFloor, termAt } from './log.ts';
import { raiseMembership, replaceMembership } from './membership.ts';
import { becomeProbing, type Progress } from './progress.ts';
import type { RaftState } from './state.ts';
import type { Configuration, LogFloor } from './types.ts';

/** The floor as the disk is to hold it. */
export function floorOf(state: RaftState): LogFloor {
  const { floorIndex, floorTerm } = state.log;
  return { index: floorIndex, term: floorTerm, configuration: state.history[0].configuration };
}

/** The state is behind where the log begins: lost, or on its way into place. */
export function lacksState(state: RaftState): boolean {
  return state.appliedIndex < state.log.floorIndex;
}

/** Lets go what is applied, durable in the log and, as the host says, durable outside it. */
export function compact(state: RaftState, upTo: LogIndex): void {
  const { log } = state;
  const index = logIndex(Math.min(upTo, state.appliedIndex, log.persistedIndex));
  if (index <= log.floorIndex) return;
  raiseFloor(log, index);
  raiseMembership(state, index);
  state.outbox.events.push({ kind: 'floorRaised', index });
  if (state.role.kind !== 'leader') return;
  for (const progress of state.role.progress) meetFloor(state, progress);
}

/** A peer that needs entries from below the floor needs a snapshot. One that is only being asked where it stands is asked
 * at the floor: it may well hold that. */
export function meetFloor(state: RaftState, progress: Progress): void {
  const { floorIndex } = state.log;
  if (progress.flow.kind === 'snapshot' || progress.nextIndex > floorIndex) return;
  if (progress.flow.kind === 'replicate') needSnapshot(state, progress);
  else becomeProbing(progress, logIndex(floorIndex + 1));
}

/** Under a session of its own, so that an answer about an earlier snapshot is not taken for one about this. */
export function needSnapshot(state: RaftState, progress: Progress): void {
  state.lastSession += 1;
  becomeProbing(progress, logIndex(progress.matchIndex + 1));
  progress.session = state.lastSession;
  progress.commitTold = logIndex(0);
  progress.flow = { kind: 'snapshot', said: false, quietTicks: 0 };
  state.outbox.events.push({ kind: 'snapshotNeeded', peer: progress.peer });
}

/** A snapshot becomes the beginning of the log. Entries behind it stay only if the log agrees with it there: a suffix of
 * a log that conflicts would be refused by every leader, for ever. */
export function moveFloor(
  state: RaftState,
  index: LogIndex,
  term: Term,
  configuration: Configuration,
): void {
  const { log } = state;
  const agrees = termAt(log, index) === term;
  const lastIndexBefore = log.lastIndex;
  if (!agrees) {
    // What was committed before is in the snapshot too, so the disk holds nothing wrong up to there.
    const agreedTo = state.commitIndex;
    assert(index > agreedTo, 'a snapshot agrees with what is committed here');
    dropLog(log, index, term, agreedTo);
    for (const batch of state.outstanding) {
      if (batch.stableTo > agreedTo) batch.stableTo = agreedTo;
    }
    state.outbox.events.push({ kind: 'logReplaced', index, lastIndexBefore });
  } else if (index > log.floorIndex) {
    raiseFloor(log, index);
    state.outbox.events.push({ kind: 'floorRaised', index });
  }
  replaceMembership(state, configuration, agrees ? { after: index } : undefined);
}
