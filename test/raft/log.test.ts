// The log behind its offset, against a plain array that copies everything.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LogIndex, logIndex, term } from '../../src/lib/ids.ts';
import {
  appendEntry,
  bytesAfter,
  entryBytes,
  evict,
  firstIndexOfTermAt,
  isUpToDate,
  lastIndexOfTerm,
  lastTerm,
  type LogStart,
  openLog,
  type RaftLog,
  rangeOf,
  sliceLog,
  termAt,
  truncateLog,
  raiseFloor,
  dropLog,
} from '../../src/raft/log.ts';
import type { LogEntry } from '../../src/raft/types.ts';
import { entries, entry, runsOf } from './lone-node.ts';

const noFloor = { index: logIndex(0), term: term(0) };

function whole(log: readonly LogEntry[], lastIndex: number, tail: readonly LogEntry[]): LogStart {
  return { floor: noFloor, runs: runsOf(log), lastIndex: logIndex(lastIndex), tail };
}

function open(log: readonly LogEntry[], cachedAfter = 0, maxCachedBytes = 1 << 20): RaftLog {
  return openLog(whole(log, log.length, log.slice(cachedAfter)), maxCachedBytes);
}

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), rise: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), drop: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('evict' as const), to: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('slice' as const), from: fc.nat(60) }) },
);

function compare(log: RaftLog, model: readonly LogEntry[]): void {
  expect(log.lastIndex).toBe(model.length);
  expect(lastTerm(log)).toBe(model.at(-1)?.term ?? 0);
  for (let index = 0; index <= model.length + 1; index++) {
    const wanted = index === 0 ? 0 : model[index - 1]?.term;
    expect(termAt(log, index)).toBe(wanted);
  }
  for (const one of model) {
    const first = model.findIndex((other) => other.term === one.term) + 1;
    expect(firstIndexOfTermAt(log, one.index)).toBe(first);
    expect(lastIndexOfTerm(log, one.term)).toBe(
      model.findLastIndex((other) => other.term === one.term) + 1,
    );
  }
  const cached = rangeOf(log, log.firstCached, log.lastIndex);
  expect(cached).toEqual(model.slice(log.firstCached - 1));
  expect(log.cachedBytes).toBe(cached.reduce((sum, one) => sum + entryBytes(one), 0));
}

function checkSlice(log: RaftLog, model: readonly LogEntry[], at: number): void {
  const from = Math.max(log.firstCached, Math.min(at, model.length + 1)) as LogIndex;
  const slice = sliceLog(log, from, 100);
  expect(slice.entries).toEqual(model.slice(from - 1, from - 1 + slice.entries.length));
  expect(slice.bytes).toBe(slice.entries.reduce((sum, one) => sum + entryBytes(one), 0));
  if (slice.entries.length > 1) expect(slice.bytes).toBeLessThanOrEqual(100);
  const next = model[from - 1 + slice.entries.length];
  if (next) expect(slice.bytes + entryBytes(next)).toBeGreaterThan(100);
}

describe('log', () => {
  test('it answers like an array that holds everything, for any sequence of steps', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const log = open([], 0, 300);
        const model: LogEntry[] = [];
        for (const one of operations) {
          if (one.kind === 'append') {
            const next = entry(model.length + 1, Math.max(1, lastTerm(log) + one.rise));
            model.push(next);
            appendEntry(log, next);
          } else if (one.kind === 'truncate') {
            const after = Math.max(log.firstCached - 1, model.length - one.drop);
            if (after >= model.length) continue;
            truncateLog(log, logIndex(after));
            model.length = after;
          } else if (one.kind === 'evict') {
            evict(log, logIndex(Math.min(one.to, model.length)));
          } else {
            checkSlice(log, model, one.from);
          }
          compare(log, model);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a slice holds at least one entry, however large', () => {
    const log = open([entry(1, 1, 'x'.repeat(1000)), entry(2, 1)]);
    expect(sliceLog(log, logIndex(1), 10).entries).toHaveLength(1);
    expect(sliceLog(log, logIndex(3), 10).entries).toEqual([]);
  });

  test('peers at the same place share one array, until the log changes there', () => {
    const log = open(entries(1, 1, 1));
    const first = sliceLog(log, logIndex(2), 1000);
    expect(sliceLog(log, logIndex(2), 1000)).toBe(first);
    truncateLog(log, logIndex(2));
    appendEntry(log, entry(3, 2));
    expect(sliceLog(log, logIndex(2), 1000).entries.map((one) => one.term)).toEqual([1, 2]);
  });

  test('eviction stops at the limit and at the index it is given', () => {
    const log = open(entries(1, 1, 1, 1), 0, 2 * entryBytes(entry(1, 1)));
    evict(log, logIndex(1));
    expect(log.firstCached).toBe(2);
    evict(log, logIndex(4));
    expect(log.firstCached).toBe(3);
    expect(() => sliceLog(log, logIndex(2), 100)).toThrow(/cached/);
    expect(termAt(log, 1)).toBe(1);
  });

  test('a truncation lowers what is durable and asks for the same on disk, once', () => {
    const log = open(entries(1, 1, 1, 1));
    truncateLog(log, logIndex(2));
    expect(log).toMatchObject({ persistedIndex: 2, issuedIndex: 2, truncateAfter: 2 });
    appendEntry(log, entry(3, 2));
    log.truncateAfter = undefined;
    truncateLog(log, logIndex(2));
    expect(log.truncateAfter).toBeUndefined();
  });

  test('gaps, falling terms and truncations of nothing are refused', () => {
    const log = open(entries(1, 2));
    expect(() => appendEntry(log, entry(4, 2))).toThrow(/no gaps/);
    expect(() => appendEntry(log, entry(3, 1))).toThrow(/never fall/);
    expect(() => truncateLog(log, logIndex(2))).toThrow(/drops something/);
  });

  test('a start whose parts contradict each other is refused', () => {
    const two = entries(1, 1);
    expect(() => openLog(whole([], 2, two), 100)).toThrow(/term runs/);
    expect(() => openLog(whole(two, 3, two), 100)).toThrow(/gaps/);
    expect(() => openLog(whole(entries(1, 2), 2, two), 100)).toThrow(/agrees/);
  });

  test('the later last term is up to date, then the longer log', () => {
    const log = open(entries(1, 2, 2));
    expect(isUpToDate(log, logIndex(1), term(3))).toBe(true);
    expect(isUpToDate(log, logIndex(3), term(2))).toBe(true);
    expect(isUpToDate(log, logIndex(2), term(2))).toBe(false);
    expect(isUpToDate(log, logIndex(9), term(1))).toBe(false);
  });

  test('bytes after an index are those of the entries behind it', () => {
    const log = open(entries(1, 1, 1));
    expect(bytesAfter(log, logIndex(1))).toBe(2 * entryBytes(entry(1, 1)));
    expect(bytesAfter(log, logIndex(3))).toBe(0);
  });
});

describe('the floor of a log', () => {
  test('pitfall 14: an entry that is gone has no term, the one at the floor has its own', () => {
    const log = open(entries(1, 1, 2, 3));
    raiseFloor(log, logIndex(3));
    expect([0, 1, 2].map((index) => termAt(log, index))).toEqual([undefined, undefined, undefined]);
    expect([3, 4, 5].map((index) => termAt(log, index))).toEqual([2, 3, undefined]);
    expect(log).toMatchObject({ firstCached: 4, lastIndex: 4 });
  });

  test('cuts the run of terms that it falls into, and keeps its last term for searches', () => {
    const log = open(entries(1, 1, 1, 3, 3));
    raiseFloor(log, logIndex(2));
    expect(log.runs).toEqual([
      { firstIndex: 3, term: 1 },
      { firstIndex: 4, term: 3 },
    ]);
    raiseFloor(log, logIndex(3));
    expect(log.runs).toEqual([{ firstIndex: 4, term: 3 }]);
    expect(lastIndexOfTerm(log, term(1))).toBe(3);
    expect(lastIndexOfTerm(log, term(2))).toBeUndefined();
    raiseFloor(log, logIndex(5));
    expect(log.runs).toEqual([]);
    expect(lastTerm(log)).toBe(3);
    appendEntry(log, entry(6, 3));
    expect(termAt(log, 6)).toBe(3);
    expect(log.cachedBytes).toBe(entryBytes(entry(6, 3)));
  });

  test('forgets nothing of what follows, whatever was evicted before', () => {
    const log = open(entries(1, 1, 1, 1, 1), 0, 80);
    evict(log, logIndex(3));
    raiseFloor(log, logIndex(1));
    expect(rangeOf(log, log.firstCached, logIndex(5)).at(-1)?.index).toBe(5);
    raiseFloor(log, logIndex(4));
    expect(rangeOf(log, logIndex(5), logIndex(5))).toEqual([entry(5, 1)]);
    expect(() => raiseFloor(log, logIndex(4))).toThrow(/rises within/);
    expect(() => raiseFloor(log, logIndex(6))).toThrow(/rises within/);
  });

  test('a dropped log begins anew behind it, and claims to be durable no further than it agrees', () => {
    const log = open(entries(1, 1, 1, 1));
    dropLog(log, logIndex(3), term(4), logIndex(2));
    expect(log).toMatchObject({ lastIndex: 3, persistedIndex: 2, issuedIndex: 3, firstCached: 4 });
    expect(termAt(log, 3)).toBe(4);
    expect(isUpToDate(log, logIndex(9), term(3))).toBe(false);
    appendEntry(log, entry(4, 4));
    expect(sliceLog(log, logIndex(4), 100).entries).toEqual([entry(4, 4)]);
  });

  test('a start whose floor and runs contradict each other is refused', () => {
    const floor = { index: logIndex(3), term: term(2) };
    const runs = [{ firstIndex: logIndex(4), term: term(1) }];
    const four = { floor, runs, lastIndex: logIndex(4), tail: [entry(4, 1)] };
    expect(() => openLog(four, 100)).toThrow(/rise/);
    expect(() => openLog({ ...four, runs: [], lastIndex: logIndex(2), tail: [] }, 100)).toThrow(
      /ends where it begins/,
    );
    const below = [{ firstIndex: logIndex(3), term: term(2) }];
    expect(() => openLog({ ...four, runs: below }, 100)).toThrow(/begins at the floor/);
  });
});
