// The seam to the disk: which batch must be written next, and what a completion may vouch for.
import { assert } from '../lib/assert.ts';
import { type LogIndex, nextIndex, type Term } from '../lib/ids.ts';
import { evictDone } from './commit.ts';
import { floorOf } from './floor.ts';
import { rangeOf, truncateLog } from './log.ts';
import { rollBackMembership } from './membership.ts';
import type { IssuedBatch, RaftState } from './state.ts';
import type { PersistBatch } from './types.ts';

/** Term, vote and log must be durable before anything speaks for them. The commit index is only a hint and causes no write. */
export function needsPersist(state: RaftState): boolean {
  const { log } = state;
  return (
    state.term !== state.issuedTerm ||
    state.votedFor !== state.issuedVote ||
    log.floorIndex > state.issuedFloor ||
    log.lastIndex > log.issuedIndex ||
    log.truncateAfter !== undefined
  );
}

/** Everything not yet issued, as one atomic write. */
export function takePersist(state: RaftState): PersistBatch | undefined {
  if (!needsPersist(state)) return undefined;
  const { log, term, votedFor } = state;
  state.lastSequence += 1;
  const batch: PersistBatch = {
    sequence: state.lastSequence,
    term,
    hardState: { term, votedFor, commitIndex: state.commitIndex },
    truncateAfter: log.truncateAfter,
    floor: log.floorIndex > state.issuedFloor ? floorOf(state) : undefined,
    entries: rangeOf(log, nextIndex(log.issuedIndex), log.lastIndex),
  };
  state.outstanding.push({
    sequence: batch.sequence,
    term,
    votedFor,
    stableTo: log.lastIndex,
    issuedAtTick: state.ticks,
    forgiven: false,
  });
  state.issuedTerm = term;
  state.issuedVote = votedFor;
  state.issuedFloor = log.floorIndex;
  log.issuedIndex = log.lastIndex;
  log.truncateAfter = undefined;
  return batch;
}

/** Takes in that every batch up to `sequence` is durable. Returns the newest of them if it was issued in the current term.
 * A completion of an older term vouches for nothing: the batch that carried the current term to disk comes later, covers
 * the same entries, and vouches for those that are still in the log. A repeated completion is a no-op. */
export function completePersist(
  state: RaftState,
  sequence: number,
  term: Term,
): IssuedBatch | undefined {
  assert(sequence <= state.lastSequence, 'only issued batches complete');
  let newest: IssuedBatch | undefined;
  while ((state.outstanding[0]?.sequence ?? Number.POSITIVE_INFINITY) <= sequence) {
    newest = state.outstanding.shift();
  }
  if (!newest) return undefined;
  if (state.outstanding.length === 0) state.diskInDoubt = false;
  assert(newest.term === term, 'a completion names the term its batch was issued under');
  if (term !== state.term) return undefined;
  const { log } = state;
  if (newest.stableTo > log.persistedIndex) log.persistedIndex = newest.stableTo;
  evictDone(state);
  return newest;
}

/** Drops every entry after `after`, and with them what batches under way could have vouched for. */
export function dropSuffix(state: RaftState, after: LogIndex): void {
  assert(state.role.kind === 'follower', 'only a follower drops entries');
  truncateLog(state.log, after);
  rollBackMembership(state, after);
  for (const batch of state.outstanding) if (batch.stableTo > after) batch.stableTo = after;
  state.outbox.events.push({ kind: 'truncated', after, term: state.term });
}
