// The follower's side: receiver rules of AppendEntries (Figure 2, section 5.3) and heartbeats.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, type NodeId, term } from '../lib/ids.ts';
import { commitTo } from './commit.ts';
import { firstIndexOfTermAt, termAt } from './log.ts';
import { appendToLog } from './membership.ts';
import type { AppendEntries, Heartbeat, InstallSnapshot } from './messages.ts';
import { sendAfterPersist, sendNow } from './outbox.ts';
import { dropSuffix } from './persistence.ts';
import { followLeader } from './role.ts';
import type { RaftState } from './state.ts';
import type { LogEntry } from './types.ts';

export function handleAppendEntries(state: RaftState, from: NodeId, request: AppendEntries): void {
  assert(request.term === state.term, 'the term rule runs before any role rule');
  followLeader(state, from);
  const { prevLogIndex, prevLogTerm, entries, leaderCommit } = request;
  const { log } = state;
  // Below the floor there is nothing left to compare, and no need to: all of it was committed.
  if (prevLogIndex >= log.floorIndex && termAt(log, prevLogIndex) !== prevLogTerm) {
    refuseEntries(state, from, request);
    return;
  }
  storeEntries(state, prevLogIndex, entries);
  const lastNewIndex = logIndex(Math.max(prevLogIndex + entries.length, log.floorIndex));
  const committed = logIndex(Math.min(leaderCommit, lastNewIndex));
  if (committed > state.commitIndex) commitTo(state, committed);
  sendAfterPersist(state.outbox, from, {
    kind: 'appendEntriesResponse',
    term: state.term,
    session: request.session,
    success: true,
    matchIndex: lastNewIndex,
    conflictTerm: term(0),
    conflictIndex: logIndex(0),
  });
}

/** Receiver rules 3 and 4. What is already here with the same term stays untouched, also on disk: AppendEntries arrive
 * late and twice, and a shorter one must not cut off what a longer one brought. */
function storeEntries(
  state: RaftState,
  prevLogIndex: LogIndex,
  entries: readonly LogEntry[],
): void {
  const { log } = state;
  let expected = prevLogIndex + 1;
  for (const entry of entries) {
    assert(entry.index === expected, 'AppendEntries carries consecutive entries');
    assert(entry.term <= state.term, 'no entry is newer than its leader');
    expected += 1;
    if (entry.index <= log.floorIndex) continue;
    if (entry.index <= log.lastIndex) {
      if (termAt(log, entry.index) === entry.term) continue;
      const after = logIndex(entry.index - 1);
      assert(after >= state.commitIndex, 'a committed entry is never dropped');
      dropSuffix(state, after);
    }
    appendToLog(state, entry);
  }
}

/** Says where the leader should look next: the term that stands at prevLogIndex here and where it began, or, when the log
 * is too short, its end. What is committed here agrees with every later leader, so the search never goes below it. */
function refuseEntries(state: RaftState, to: NodeId, request: AppendEntries): void {
  const { log } = state;
  const { prevLogIndex } = request;
  const conflictTerm = termAt(log, prevLogIndex);
  const start =
    conflictTerm === undefined ? log.lastIndex + 1 : firstIndexOfTermAt(log, prevLogIndex);
  sendNow(state.outbox, to, {
    kind: 'appendEntriesResponse',
    term: state.term,
    session: request.session,
    success: false,
    matchIndex: prevLogIndex,
    conflictTerm: conflictTerm ?? term(0),
    conflictIndex: logIndex(Math.max(start, state.commitIndex + 1)),
  });
}

/** No session has this number: what is said in it is dropped by every leader of the current term. */
const NO_SESSION = 0;

/** The sender leads an earlier term: it learns the current one from the answer and steps down. The answer bears the
 * current term but belongs to no session of it. Sessions and rounds are counted anew after a restart, so a sender that
 * restarted and leads the current term by now might take its own old numbers for new ones, and confirm a read with them. */
export function refuseOldLeader(
  state: RaftState,
  to: NodeId,
  request: AppendEntries | Heartbeat | InstallSnapshot,
): void {
  const { term: current } = state;
  const session = NO_SESSION;
  if (request.kind !== 'appendEntries') {
    sendNow(state.outbox, to, { kind: 'heartbeatResponse', term: current, session, round: 0 });
    return;
  }
  sendNow(state.outbox, to, {
    kind: 'appendEntriesResponse',
    term: current,
    session,
    success: false,
    matchIndex: request.prevLogIndex,
    conflictTerm: term(0),
    conflictIndex: logIndex(0),
  });
}

/** The answer says only that no later term was promised here when it was written, so it need not wait for the disk, not
 * even when this very message brought a new term. */
export function handleHeartbeat(state: RaftState, from: NodeId, request: Heartbeat): void {
  assert(request.term === state.term, 'the term rule runs before any role rule');
  followLeader(state, from);
  const { leaderCommit, session, round } = request;
  if (leaderCommit > state.commitIndex) commitTo(state, leaderCommit);
  sendNow(state.outbox, from, { kind: 'heartbeatResponse', term: state.term, session, round });
}
