// The leader's side of AppendEntries: append, send, take answers in, commit (sections 5.3 and 5.4.2). Messages are made
// when a Ready is taken, so that everything proposed since the last one shares them.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, nextIndex } from '../lib/ids.ts';
import { commitTo } from './commit.ts';
import type { Proposal } from './input.ts';
import { meetFloor, needSnapshot } from './floor.ts';
import { bytesBetween, entryBytes, lastIndexOfTerm, sliceLog, termAt } from './log.ts';
import { appendToLog, ofVoters } from './membership.ts';
import type { AppendEntriesResponse, HeartbeatResponse } from './messages.ts';
import { sendNow } from './outbox.ts';
import {
  acknowledge,
  backtrack,
  becomeProbing,
  maySend,
  noteSent,
  type Progress,
} from './progress.ts';
import { isReachedByMajority, majorityValue } from './quorum.ts';
import { sendInstallSnapshot } from './snapshot.ts';
import type { Leader, RaftState } from './state.ts';
import { advanceTransfer, leaveIfRemoved } from './transfer.ts';
import type { EntryKind, LogEntry } from './types.ts';

export function appendAsLeader(
  state: RaftState,
  leader: Leader,
  kind: EntryKind,
  payload: Uint8Array,
): LogIndex {
  const index = nextIndex(state.log.lastIndex);
  const entry: LogEntry = { index, term: state.term, kind, payload };
  appendToLog(state, entry);
  leader.uncommittedBytes += entryBytes(entry);
  return index;
}

/** Appends what fits under maxUncommittedBytes. One proposal always fits when nothing is uncommitted, whatever its size. */
export function propose(state: RaftState, leader: Leader, proposals: readonly Proposal[]): void {
  const { outbox, term } = state;
  for (const { token, payload } of proposals) {
    if (leader.transfer !== undefined) {
      outbox.rejected.push({ token, reason: 'transferring' });
      continue;
    }
    const full = leader.uncommittedBytes + payload.byteLength > state.config.maxUncommittedBytes;
    if (full && leader.uncommittedBytes > 0) {
      outbox.rejected.push({ token, reason: 'overloaded' });
      continue;
    }
    outbox.appended.push({ token, index: appendAsLeader(state, leader, 'command', payload), term });
  }
}

/** True when `sendEntries` would send to some peer or ask the host for entries. */
export function hasEntriesToSend(state: RaftState, leader: Leader): boolean {
  return leader.progress.some((progress) => isDue(state, progress));
}

/** Sends every peer what its flow state allows. */
export function sendEntries(state: RaftState, leader: Leader): void {
  for (const progress of leader.progress) while (isDue(state, progress)) sendNext(state, progress);
}

function isDue(state: RaftState, progress: Progress): boolean {
  if (progress.flow.kind === 'snapshot') return !progress.flow.said;
  if (progress.fetchTicket !== undefined || !maySend(progress)) return false;
  // A question is due even with nothing to send: it is how the leader learns where the peer stands.
  if (progress.flow.kind === 'probe') return true;
  return progress.nextIndex <= state.log.lastIndex || progress.commitTold < state.commitIndex;
}

function sendNext(state: RaftState, progress: Progress): void {
  const { log, config } = state;
  const { flow } = progress;
  if (flow.kind === 'snapshot') {
    flow.said = true;
    flow.quietTicks = 0;
    sendInstallSnapshot(state, progress);
  } else if (progress.nextIndex >= log.firstCached) {
    const window = config.maxInflightBytes - progress.inflight.bytes;
    const slice = sliceLog(log, progress.nextIndex, Math.min(config.maxAppendBytes, window));
    sendAppendEntries(state, progress, slice.entries, slice.bytes);
  } else if (flow.kind === 'probe') {
    // Reading old entries for a question that may be refused would be wasted; the bare question does.
    sendAppendEntries(state, progress, [], 0);
  } else {
    state.lastTicket += 1;
    progress.fetchTicket = state.lastTicket;
    state.outbox.fetch.push({
      ticket: state.lastTicket,
      peer: progress.peer,
      from: progress.nextIndex,
      to: logIndex(log.firstCached - 1),
      maxBytes: config.maxAppendBytes,
    });
  }
}

function sendAppendEntries(
  state: RaftState,
  progress: Progress,
  entries: readonly LogEntry[],
  bytes: number,
): void {
  const prevLogIndex = logIndex(progress.nextIndex - 1);
  const prevLogTerm = termAt(state.log, prevLogIndex);
  assert(prevLogTerm !== undefined, 'nextIndex is above the floor and at most one beyond the log');
  sendNow(state.outbox, progress.peer, {
    kind: 'appendEntries',
    term: state.term,
    session: progress.session,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit: state.commitIndex,
  });
  const told = Math.min(state.commitIndex, prevLogIndex + entries.length);
  if (told > progress.commitTold) progress.commitTold = logIndex(told);
  noteSent(progress, entries.length, bytes);
}

/** Evicted entries that the host has read back. They are dropped when the peer has moved on meanwhile. */
export function takeFetched(
  state: RaftState,
  leader: Leader,
  ticket: number,
  entries: readonly LogEntry[],
): void {
  const progress = leader.progress.find((one) => one.fetchTicket === ticket);
  if (!progress) return;
  progress.fetchTicket = undefined;
  const first = entries[0];
  assert(first !== undefined, 'a fetch brings at least one entry');
  if (first.index !== progress.nextIndex || !maySend(progress)) return;
  let bytes = 0;
  let count = 0;
  for (const entry of entries) {
    assert(entry.index === first.index + count, 'fetched entries have no gaps');
    assert(entry.term === termAt(state.log, entry.index), 'fetched entries agree with the log');
    const size = entryBytes(entry);
    if (count > 0 && bytes + size > state.config.maxAppendBytes) break;
    bytes += size;
    count += 1;
  }
  sendAppendEntries(state, progress, entries.slice(0, count), bytes);
}

export function handleAppendEntriesResponse(
  state: RaftState,
  leader: Leader,
  progress: Progress,
  response: AppendEntriesResponse,
): void {
  const { log } = state;
  const { matchIndex } = response;
  // No entries are sent in the session of a snapshot, so this can only be a peer that is not what it seems.
  if (progress.flow.kind === 'snapshot') return;
  if (!response.success) {
    const moved = backtrack(progress, matchIndex, whereToLook(state, response));
    if (!moved || progress.nextIndex > log.floorIndex) return;
    // Refused at the floor, it holds nothing that this log could go on from.
    if (matchIndex === log.floorIndex) needSnapshot(state, progress);
    else meetFloor(state, progress);
    return;
  }
  assert(matchIndex <= log.lastIndex, 'a peer holds nothing that was never sent');
  const rose = acknowledge(progress, matchIndex);
  meetFloor(state, progress);
  if (rose) noteMatch(state, leader);
}

/** The log reaches further at some peer. */
export function noteMatch(state: RaftState, leader: Leader): void {
  advanceCommit(state, leader);
  if (state.role === leader) advanceTransfer(state, leader);
}

/** Fast backtracking (section 5.3): skips a whole term per answer. If this log has the conflicting term too, the logs may
 * agree up to the end of it here; otherwise they can only agree before it began there. */
function whereToLook(state: RaftState, response: AppendEntriesResponse): number {
  const { conflictTerm, conflictIndex, matchIndex: refused } = response;
  if (conflictTerm === 0) return conflictIndex;
  const shared = lastIndexOfTerm(state.log, conflictTerm);
  return shared !== undefined && shared < refused ? shared + 1 : conflictIndex;
}

/** The peer lives. A question without an answer is asked again, and a stream that has not moved for an election timeout
 * is taken for lost: streams may drop messages when a queue overflows. */
export function resumeFlow(state: RaftState, progress: Progress): void {
  const { flow } = progress;
  if (flow.kind === 'probe') {
    if (flow.heartbeatSinceAsked) flow.asked = false;
    return;
  }
  if (flow.kind === 'snapshot' || progress.inflight.count === 0) return;
  if (flow.stalledTicks < state.config.electionTicks) return;
  becomeProbing(progress, nextIndex(progress.matchIndex));
  meetFloor(state, progress);
}

export function noteRound(progress: Progress, response: HeartbeatResponse): void {
  if (response.round > progress.ackedRound) progress.ackedRound = response.round;
}

/** Last rule for leaders in Figure 2. Only an entry of the own term is committed by counting (section 5.4.2); the own copy
 * counts as far as it is durable. */
export function advanceCommit(state: RaftState, leader: Leader): void {
  const { log } = state;
  const values = ofVoters(state, leader, (progress) => progress.matchIndex, log.persistedIndex);
  const reached = logIndex(majorityValue(values));
  if (reached <= state.commitIndex || termAt(log, reached) !== state.term) return;
  assert(isReachedByMajority(values, reached), 'a majority holds what is committed');
  leader.uncommittedBytes -= bytesBetween(log, nextIndex(state.commitIndex), reached);
  assert(leader.uncommittedBytes >= 0, 'uncommitted bytes are counted once');
  leader.committedInTerm = true;
  commitTo(state, reached);
  leaveIfRemoved(state, leader);
}
