// What must hold after every step, in production too (docs/invariants.md). Costs O(peers). A broken one stops the node:
// it is a defect, and going on would be a guess.
import { assert } from '../lib/assert.ts';
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';
import { lacksState } from './floor.ts';
import { configurationOf, type History } from './history.ts';
import { countBytes } from './inflight.ts';
import { lastTerm, type RaftLog } from './log.ts';
import { isVoter, otherMembers } from './membership.ts';
import type { Leader, RaftState } from './state.ts';
import type { Configuration } from './types.ts';

/** What the next check compares with. */
export interface Remembered {
  term: Term;
  votedFor: NodeId | undefined;
  commitIndex: LogIndex;
  /** As of the last check of it; undefined before the first. */
  history: History | undefined;
}

export function remember(state: RaftState): Remembered {
  const { term, votedFor, commitIndex } = state;
  return { term, votedFor, commitIndex, history: undefined };
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
  assert(state.commitIndex >= log.floorIndex, 'the floor is committed');
  const built = Math.max(state.appliedIndex, log.floorIndex);
  assert(log.firstCached <= built + 1, 'what is not applied is in memory');
  assert(log.firstCached > log.floorIndex, 'nothing below the floor is in memory');
  checkSnapshot(state);
  assert(log.persistedIndex <= log.issuedIndex, 'persisted <= issued');
  assert(log.issuedIndex <= log.lastIndex, 'issued <= last');
  assert(lastTerm(log) <= state.term, 'no entry is newer than the current term');
  assert(
    log.cached.length - log.head === log.lastIndex - log.firstCached + 1,
    'the cache reaches to the end of the log',
  );
  if (role.kind === 'leader') checkLeader(state, role);
  else assert(role.kind !== 'candidate' || state.votedFor === state.id, 'who campaigns has voted');
  const beforeNewest = state.history.at(-2)?.configuration.index ?? 0;
  assert(beforeNewest <= state.commitIndex, 'at most one change of membership is not committed');
  if (before.history !== state.history) checkMembership(state);
  before.history = state.history;
  before.term = state.term;
  before.votedFor = state.votedFor;
  before.commitIndex = state.commitIndex;
}

/** The state is below the log only where a snapshot is awaited or being put in place, and nobody leads meanwhile. */
function checkSnapshot(state: RaftState): void {
  const { installing, role, log } = state;
  if (installing !== undefined) {
    assert(installing === log.floorIndex, 'a snapshot that is installed is where the log begins');
    assert(state.appliedIndex < installing, 'a snapshot that is installed brings something');
  }
  assert(!lacksState(state) || role.kind === 'follower', 'a leader has nothing to install');
}

/** The configuration is what the log says, found again without what was remembered. Costs one pass over the cache, so it
 * is done only when the configuration may have changed. */
function checkMembership(state: RaftState): void {
  const { history, members, log } = state;
  const { membership, configuration } = members;
  const both = membership.voters.filter((voter) => membership.learners.includes(voter));
  assert(both.length === 0, 'voters and learners are disjoint');
  assert(members === history.at(-1), 'the newest configuration is the one in effect');
  assert(
    history[0].configuration.index <= log.floorIndex,
    "the first configuration is the floor's",
  );
  for (const { configuration: one } of history.slice(1)) {
    assert(
      one.index > log.floorIndex && one.index <= log.lastIndex,
      'a configuration is in the log',
    );
  }
  if (state.role.kind === 'leader') checkProgress(state, state.role);
  const found = lastConfiguration(log);
  const expected = configuration.index >= log.firstCached ? configuration : undefined;
  assert(found?.index === expected?.index, 'the configuration is the newest of the log');
  assert(
    found === undefined || sameBytes(found.payload, configuration.payload),
    'the configuration is what its entry says',
  );
}

function checkProgress(state: RaftState, { progress }: Leader): void {
  const others = otherMembers(state);
  assert(
    progress.length === others.length && progress.every(({ peer }, at) => peer === others[at]),
    'a leader knows every other member, in order',
  );
  assert(
    progress.every(({ peer, voter }) => voter === isVoter(state, peer)),
    'a leader knows who votes',
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function lastConfiguration(log: RaftLog): Configuration | undefined {
  const entry = log.cached.findLast(
    ({ kind, index }) =>
      index >= log.firstCached && (kind === 'membership' || kind === 'bootstrap'),
  );
  return entry && configurationOf(entry);
}

/** A leaked byte stays leaked, so it is enough to recount the window whenever it is nearly drained. */
const RECOUNT_AT_MOST = 4;

function checkLeader(state: RaftState, leader: Leader): void {
  const { log } = state;
  assert(state.votedFor === state.id, 'a leader voted for itself');
  assert(lastTerm(log) === state.term, 'a leader holds an entry of its own term');
  assert(leader.uncommittedBytes >= 0, 'uncommitted bytes are counted once');
  assert(leader.reads.pending >= leader.reads.queued.length, 'pending reads are counted once');
  for (const progress of leader.progress) {
    const { matchIndex, nextIndex, inflight } = progress;
    assert(matchIndex < nextIndex, 'match < next');
    assert(nextIndex <= log.lastIndex + 1, 'next <= last + 1');
    assert(
      progress.flow.kind === 'snapshot' || nextIndex > log.floorIndex,
      'what a peer is sent is in the log',
    );
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
