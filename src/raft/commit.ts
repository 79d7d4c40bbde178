// The commit index and what follows from it: entries are handed out once, in order, and leave memory when all is done.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, nextIndex } from '../lib/ids.ts';
import { lacksState } from './floor.ts';
import { evict, rangeOf } from './log.ts';
import type { RaftState } from './state.ts';
import type { LogEntry } from './types.ts';

export function commitTo(state: RaftState, index: LogIndex): void {
  assert(index > state.commitIndex, 'the commit index only rises');
  assert(index <= state.log.lastIndex, 'only what is in the log is committed');
  state.commitIndex = index;
}

/** True when there is something to hand out; nothing is while the state that it builds on is missing. */
export function hasCommitted(state: RaftState): boolean {
  return state.handedOutIndex < state.commitIndex && !lacksState(state);
}

/** Everything committed since the last call. */
export function takeCommitted(state: RaftState): readonly LogEntry[] {
  if (!hasCommitted(state)) return [];
  const entries = rangeOf(state.log, nextIndex(state.handedOutIndex), state.commitIndex);
  state.handedOutIndex = state.commitIndex;
  return entries;
}

/** "lastApplied" of Figure 2, as the host reports it. */
export function noteApplied(state: RaftState, index: LogIndex): void {
  assert(index <= state.handedOutIndex, 'the host applies only what it was given');
  assert(index >= state.appliedIndex, 'the applied index never falls');
  state.appliedIndex = index;
  if (state.installing === index) state.installing = undefined;
  evictDone(state);
}

/** Entries that are applied and durable may leave memory; a peer that still needs one makes the host read it back. */
export function evictDone(state: RaftState): void {
  evict(state.log, logIndex(Math.min(state.appliedIndex, state.log.persistedIndex)));
}
