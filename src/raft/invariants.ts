// What must hold after every step, in production too (docs/invariants.md). Costs O(peers). A broken one stops the node:
// it is a defect, and going on would be a guess.
import { assert } from '../lib/assert.ts';
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';
import { countBytes } from './inflight.ts';
import type { Leader, RaftState } from './state.ts';

/** What the next check compares with. */
export interface Remembered {
  term: Term;
  votedFor: NodeId | undefined;
  commitIndex: LogIndex;
}

export function remember(state: RaftState): Remembered {
  const { term, votedFor, commitIndex } = state;
  return { term, votedFor, commitIndex };
}

/** Checks the state against itself and against what was remembered, then remembers it. */
export function checkInvariants(state: RaftState, before: Remembered): void {
  const { log, role } = state;
  assert(state.term >= before.term, 'the term never falls');
  assert(state.commitIndex >= before.commitIndex, 'the commit index never falls');
  const sameTerm = state.term === before.term;
  assert(
    !sameTerm || before.votedFor === undefined || state.votedFor === before.votedFor,
    'one vote per term',
  );
  assert(state.appliedIndex <= state.handedOutIndex, 'applied <= handed out');
  assert(state.handedOutIndex <= state.commitIndex, 'handed out <= committed');
  assert(state.commitIndex <= log.lastIndex, 'committed <= last');
  assert(log.firstCached <= state.appliedIndex + 1, 'what is not applied is in memory');
  assert(log.persistedIndex <= log.issuedIndex, 'persisted <= issued');
  assert(log.issuedIndex <= log.lastIndex, 'issued <= last');
  assert((log.runs.at(-1)?.term ?? 0) <= state.term, 'no entry is newer than the current term');
  assert(
    log.cached.length - log.head === log.lastIndex - log.firstCached + 1,
    'the cache reaches to the end of the log',
  );
  if (role.kind === 'leader') checkLeader(state, role);
  else assert(role.kind !== 'candidate' || state.votedFor === state.id, 'who campaigns has voted');
  before.term = state.term;
  before.votedFor = state.votedFor;
  before.commitIndex = state.commitIndex;
}

/** A leaked byte stays leaked, so it is enough to recount the window whenever it is nearly drained. */
const RECOUNT_AT_MOST = 4;

function checkLeader(state: RaftState, leader: Leader): void {
  const { log } = state;
  assert(state.votedFor === state.id, 'a leader voted for itself');
  assert(log.runs.at(-1)?.term === state.term, 'a leader holds an entry of its own term');
  assert(leader.uncommittedBytes >= 0, 'uncommitted bytes are counted once');
  assert(leader.reads.pending >= leader.reads.queued.length, 'pending reads are counted once');
  for (const progress of leader.progress) {
    const { matchIndex, nextIndex, inflight } = progress;
    assert(matchIndex < nextIndex, 'match < next');
    assert(nextIndex <= log.lastIndex + 1, 'next <= last + 1');
    assert(progress.ackedRound <= leader.reads.lastRound, 'no answer to a round never begun');
    assert((inflight.count === 0) === (inflight.bytes === 0), 'an empty window holds no bytes');
    if (inflight.count <= RECOUNT_AT_MOST) {
      assert(inflight.bytes === countBytes(inflight), 'the window holds what was booked');
    }
    assert(inflight.count === 0 || progress.flow.kind === 'replicate', 'no stream while asking');
    assert(
      progress.fetchTicket === undefined || progress.flow.kind === 'replicate',
      'no fetch while asking',
    );
  }
}
