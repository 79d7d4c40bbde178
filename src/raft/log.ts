// The log as the core sees it: terms of everything, entries of what is recent, and how much of it is durable here. The
// entries sit in one array behind an offset, so that no step copies the log.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, type Term, term } from '../lib/ids.ts';
import type { LogEntry, LogFloor, TermRun } from './types.ts';

/** Bytes booked for an entry beside its payload, so that empty entries are not free. */
const ENTRY_OVERHEAD_BYTES = 32;

const COMPACT_AT = 1024;

export interface LogSlice {
  readonly entries: readonly LogEntry[];
  readonly bytes: number;
}

export interface RaftLog {
  readonly maxCachedBytes: number;
  /** The log begins after this entry, whose term is still known. 0: it is whole. */
  floorIndex: LogIndex;
  floorTerm: Term;
  /** Cached entries; the one at `head` has index `firstCached`, slots before it are evicted. */
  cached: LogEntry[];
  head: number;
  firstCached: LogIndex;
  lastIndex: LogIndex;
  cachedBytes: number;
  /** Ascending; every term of the log after the floor, also of evicted entries. */
  readonly runs: TermRun[];
  /** Durable here, and equal to what this log holds, up to this index. */
  persistedIndex: LogIndex;
  /** Handed out in persist batches up to this index. */
  issuedIndex: LogIndex;
  /** Issued entries after this index have been dropped since the last batch. */
  truncateAfter: LogIndex | undefined;
  /** The last slice made: peers at the same place, and the disk, share one array. */
  memo: (LogSlice & { readonly from: number; readonly to: number }) | undefined;
}

export interface LogStart {
  readonly floor: Pick<LogFloor, 'index' | 'term'>;
  readonly runs: readonly TermRun[];
  readonly lastIndex: LogIndex;
  /** The newest entries, without gaps up to `lastIndex`. */
  readonly tail: readonly LogEntry[];
}

/** The log of a node that starts: all of it is durable. */
export function openLog(
  { floor, runs, lastIndex, tail }: LogStart,
  maxCachedBytes: number,
): RaftLog {
  assert(lastIndex >= floor.index, 'a log ends where it begins or later');
  assert(
    (runs.length === 0) === (lastIndex === floor.index),
    'a log has term runs iff it has entries',
  );
  const begin = logIndex(floor.index + 1);
  assert(
    runs.length === 0 || runs[0]?.firstIndex === begin,
    'the first term run begins at the floor',
  );
  const first = logIndex(lastIndex - tail.length + 1);
  assert(first >= begin, 'no entry at or below the floor is held');
  const log: RaftLog = {
    maxCachedBytes,
    floorIndex: floor.index,
    floorTerm: floor.term,
    cached: [...tail],
    head: 0,
    firstCached: first,
    lastIndex,
    cachedBytes: 0,
    runs: [...runs],
    persistedIndex: lastIndex,
    issuedIndex: lastIndex,
    truncateAfter: undefined,
    memo: undefined,
  };
  runs.forEach((run, at) => {
    const before = runs[at - 1];
    const rises = before
      ? run.firstIndex > before.firstIndex && run.term > before.term
      : run.term >= floor.term;
    assert(rises && run.firstIndex <= lastIndex, 'term runs rise within the log');
  });
  tail.forEach((entry, at) => {
    assert(entry.index === first + at, 'the tail has no gaps and ends at the last index');
    assert(entry.term === termAt(log, entry.index), 'the tail agrees with the term runs');
    log.cachedBytes += entryBytes(entry);
  });
  return log;
}

/** What an entry counts for in every byte limit of the core. */
export function entryBytes(entry: LogEntry): number {
  return entry.payload.byteLength + ENTRY_OVERHEAD_BYTES;
}

export function lastTerm(log: RaftLog): Term {
  return log.runs.at(-1)?.term ?? log.floorTerm;
}

/** Term of the entry at `index`; known at the floor too, which has term 0 where the log is whole. Undefined beyond the log
 * and below the floor: an entry that is gone has no term, and above all not that of an entry that never was. */
export function termAt(log: RaftLog, index: number): Term | undefined {
  if (index > log.lastIndex || index < log.floorIndex) return undefined;
  return log.runs[runAt(log, index)]?.term ?? log.floorTerm;
}

/** Position of the run that covers `index`; -1 at the floor. */
function runAt(log: RaftLog, index: number): number {
  let low = 0;
  let high = log.runs.length - 1;
  // Nearly every question is about the newest run.
  if ((log.runs[high]?.firstIndex ?? 0) <= index) return high;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if ((log.runs[middle]?.firstIndex ?? 0) <= index) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}

/** First index after the floor of the run of equal terms around `index`; the floor itself where that is asked for. */
export function firstIndexOfTermAt(log: RaftLog, index: LogIndex): LogIndex {
  return log.runs[runAt(log, index)]?.firstIndex ?? log.floorIndex;
}

/** Last index whose term is `wanted`, the floor included; undefined if the log has none. */
export function lastIndexOfTerm(log: RaftLog, wanted: Term): LogIndex | undefined {
  for (let at = log.runs.length - 1; at >= 0; at--) {
    const run = log.runs[at];
    if (!run || run.term < wanted) return undefined;
    if (run.term !== wanted) continue;
    const following = log.runs[at + 1];
    return following ? logIndex(following.firstIndex - 1) : log.lastIndex;
  }
  return wanted === log.floorTerm ? log.floorIndex : undefined;
}

/** Section 5.4.1: the later last term wins, then the longer log. */
export function isUpToDate(log: RaftLog, theirLastIndex: LogIndex, theirLastTerm: Term): boolean {
  const ours = lastTerm(log);
  return theirLastTerm > ours || (theirLastTerm === ours && theirLastIndex >= log.lastIndex);
}

export function appendEntry(log: RaftLog, entry: LogEntry): void {
  const newest = lastTerm(log);
  assert(entry.index === log.lastIndex + 1, 'the log has no gaps');
  assert(entry.term >= newest && entry.term > 0, 'terms never fall along the log');
  if (entry.term > newest) log.runs.push({ firstIndex: entry.index, term: entry.term });
  log.cached.push(entry);
  log.lastIndex = entry.index;
  log.cachedBytes += entryBytes(entry);
}

/** Drops every entry after `after`. The caller has made sure that none of them is committed. */
export function truncateLog(log: RaftLog, after: LogIndex): void {
  assert(after >= log.firstCached - 1, 'only entries that are still cached are dropped');
  assert(after < log.lastIndex, 'a truncation drops something');
  const kept = log.head + (after - log.firstCached + 1);
  for (let at = kept; at < log.cached.length; at++) {
    const dropped = log.cached[at];
    if (dropped) log.cachedBytes -= entryBytes(dropped);
  }
  log.cached.length = kept;
  log.lastIndex = after;
  log.memo = undefined;
  while ((log.runs.at(-1)?.firstIndex ?? 0) > after) log.runs.pop();
  if (log.persistedIndex > after) log.persistedIndex = after;
  if (log.issuedIndex > after) {
    log.issuedIndex = after;
    log.truncateAfter = after;
  }
}

/** The cached entries from `from`, cut to `maxBytes` but at least one; empty beyond the log. */
export function sliceLog(log: RaftLog, from: LogIndex, maxBytes: number): LogSlice {
  assert(from >= log.firstCached, 'only cached entries are sliced');
  const start = log.head + (from - log.firstCached);
  let bytes = 0;
  let end = start;
  for (; end < log.cached.length; end++) {
    const entry = log.cached[end];
    if (!entry) break;
    const size = entryBytes(entry);
    if (end > start && bytes + size > maxBytes) break;
    bytes += size;
  }
  const to = from + (end - start) - 1;
  if (log.memo?.from === from && log.memo.to === to) return log.memo;
  log.memo = { from, to, entries: log.cached.slice(start, end), bytes };
  return log.memo;
}

/** The cached entries [from, to]; empty when to < from. */
export function rangeOf(log: RaftLog, from: LogIndex, to: LogIndex): readonly LogEntry[] {
  if (to < from) return [];
  assert(from >= log.firstCached && to <= log.lastIndex, 'only cached entries are handed out');
  if (log.memo?.from === from && log.memo.to === to) return log.memo.entries;
  const start = log.head + (from - log.firstCached);
  return log.cached.slice(start, start + (to - from) + 1);
}

/** Lets entries leave memory, oldest first, while the cache is over its limit; never one beyond `upTo`. */
export function evict(log: RaftLog, upTo: LogIndex): void {
  if (log.cachedBytes <= log.maxCachedBytes) return;
  forget(log, upTo, log.maxCachedBytes);
}

function forget(log: RaftLog, upTo: LogIndex, maxCachedBytes: number): void {
  if (log.firstCached > upTo) return;
  let first: number = log.firstCached;
  while (log.cachedBytes > maxCachedBytes && first <= upTo) {
    const entry = log.cached[log.head];
    assert(entry !== undefined, 'the cache reaches to the end of the log');
    log.cachedBytes -= entryBytes(entry);
    log.cached[log.head] = EVICTED;
    log.head += 1;
    first += 1;
  }
  log.firstCached = logIndex(first);
  log.memo = undefined;
  if (log.head < COMPACT_AT || log.head * 2 < log.cached.length) return;
  log.cached = log.cached.slice(log.head);
  log.head = 0;
}

/** The log begins after `index`, which it holds. */
export function raiseFloor(log: RaftLog, index: LogIndex): void {
  const atIndex = termAt(log, index);
  assert(index > log.floorIndex && atIndex !== undefined, 'the floor rises within the log');
  while (log.runs.length > 1 && (log.runs[1]?.firstIndex ?? 0) <= index + 1) log.runs.shift();
  const run = log.runs[0];
  if (index === log.lastIndex) log.runs.length = 0;
  else if (run && run.firstIndex <= index)
    log.runs[0] = { ...run, firstIndex: logIndex(index + 1) };
  log.floorIndex = index;
  log.floorTerm = atIndex;
  // Every entry counts for something, so none is kept below.
  forget(log, index, 0);
  // Entries that no batch has carried yet need none any more.
  if (log.issuedIndex < index) log.issuedIndex = index;
}

/** Nothing of this log stays: it goes on after an entry that it does not hold. What the disk holds is right up to
 * `agreedTo` only. */
export function dropLog(log: RaftLog, index: LogIndex, atIndex: Term, agreedTo: LogIndex): void {
  log.cached = [];
  log.head = 0;
  log.cachedBytes = 0;
  log.runs.length = 0;
  log.floorIndex = index;
  log.floorTerm = atIndex;
  log.firstCached = logIndex(index + 1);
  log.lastIndex = index;
  log.issuedIndex = index;
  log.memo = undefined;
  if (log.persistedIndex > agreedTo) log.persistedIndex = agreedTo;
}

/** Fills evicted slots until the array is compacted, so that payloads are released at once. */
const EVICTED: LogEntry = {
  index: logIndex(0),
  term: term(0),
  kind: 'noop',
  payload: new Uint8Array(0),
};

/** What the cached entries [from, to] count for. */
export function bytesBetween(log: RaftLog, from: LogIndex, to: LogIndex): number {
  assert(from >= log.firstCached && to <= log.lastIndex, 'only cached entries are counted');
  let bytes = 0;
  for (let index: number = from; index <= to; index++) {
    const entry = log.cached[log.head + (index - log.firstCached)];
    if (entry) bytes += entryBytes(entry);
  }
  return bytes;
}

/** What the entries after `index` count for. */
export function bytesAfter(log: RaftLog, index: LogIndex): number {
  return bytesBetween(log, logIndex(index + 1), log.lastIndex);
}
