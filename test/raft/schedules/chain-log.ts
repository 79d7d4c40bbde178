// A log in which every entry also names all entries before it: two logs agree up to an index iff the chain numbers
// there are equal. That turns log matching, leader completeness and state machine safety into comparisons of numbers.
import type { LogEntry, TermRun } from '../../../src/raft/index.ts';

export interface ChainLog {
  readonly entries: LogEntry[];
  /** `chains[i]` stands for the entries up to and including `entries[i]`. */
  readonly chains: number[];
}

/** The chain of the empty log. */
export const EMPTY_CHAIN = 0;

/** The entry's proposal, or what it is instead. */
export const NOOP = 0;
export const BOOTSTRAP = -1;

export function tokenOf(entry: LogEntry): number {
  if (entry.kind === 'noop') return NOOP;
  if (entry.kind === 'bootstrap') return BOOTSTRAP;
  const { payload } = entry;
  return (payload[0] ?? 0) | ((payload[1] ?? 0) << 8) | ((payload[2] ?? 0) << 16);
}

/** A payload of `size` bytes, at least three, that names its proposal. */
export function payloadOf(token: number, size: number): Uint8Array {
  const payload = new Uint8Array(Math.max(3, size));
  payload[0] = token;
  payload[1] = token >> 8;
  payload[2] = token >> 16;
  return payload;
}

export function createChainLog(): ChainLog {
  return { entries: [], chains: [] };
}

export function lastIndexOf(log: ChainLog): number {
  return log.entries.length;
}

/** undefined beyond the log. */
export function chainAt(log: ChainLog, index: number): number | undefined {
  return index === 0 ? EMPTY_CHAIN : log.chains[index - 1];
}

/** 0 before the log, undefined beyond it. */
export function termOf(log: ChainLog, index: number): number | undefined {
  return index === 0 ? 0 : log.entries[index - 1]?.term;
}

export function cutAfter(log: ChainLog, index: number): void {
  log.entries.length = index;
  log.chains.length = index;
}

export function pushEntry(log: ChainLog, entry: LogEntry, chain: number): void {
  log.entries.push(entry);
  log.chains.push(chain);
}

export function copyLog(log: ChainLog): ChainLog {
  return { entries: [...log.entries], chains: [...log.chains] };
}

export function runsOf(log: ChainLog): readonly TermRun[] {
  return log.entries
    .filter((entry, at) => entry.term !== log.entries[at - 1]?.term)
    .map((entry) => ({ firstIndex: entry.index, term: entry.term }));
}
