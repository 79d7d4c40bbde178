// G15: while a majority is healthy and connected, every window of 5 s has a successful write and a linearizable read.
import type { Violation } from './history.ts';
import { firstAbove } from './told-states.ts';

/** A time through which a majority was healthy and connected. */
export interface HealthyTime {
  readonly fromMs: number;
  readonly toMs: number;
  /** Names, with commas between. */
  readonly who: string;
}

/** A linearizable read that somebody began. */
export interface Attempt {
  readonly node: string;
  readonly atMs: number;
}

/** When calls of each kind succeeded, ascending. */
export interface Successes {
  readonly writes: readonly number[];
  readonly reads: readonly number[];
  /** Where there are lulls in which nobody reads: every read that was begun. Nothing can succeed that nobody asks for. */
  readonly readsBegun?: readonly Attempt[];
}

const WINDOW_MS = 5000;

export function checkAvailability(
  healthy: readonly HealthyTime[],
  { writes, reads, readsBegun }: Successes,
): readonly Violation[] {
  return healthy.flatMap((time) => [
    ...gapsIn(time, writes, 'write'),
    ...gapsIn(time, reads, 'linearizable read', readsBegun),
  ]);
}

/** After a majority has become healthy it may need so long to elect. */
const SETTLES_MS = 1000;

/** Somebody asked one of the healthy nodes early enough in the gap to have an answer in it. */
function wasAsked(begun: readonly Attempt[], who: string, fromMs: number, toMs: number): boolean {
  const names = who.split(', ');
  return begun.some(
    ({ node, atMs }) =>
      names.includes(node) && atMs >= fromMs + SETTLES_MS && atMs <= toMs - WINDOW_MS / 2,
  );
}

function gapsIn(
  { fromMs, toMs, who }: HealthyTime,
  successes: readonly number[],
  what: string,
  begun?: readonly Attempt[],
): readonly Violation[] {
  let lastMs = fromMs;
  const within = successes.slice(firstAbove(successes, fromMs), firstAbove(successes, toMs));
  for (const atMs of [...within, toMs]) {
    const asked = begun === undefined || wasAsked(begun, who, lastMs, atMs);
    if (atMs - lastMs > WINDOW_MS && asked) {
      const evidence = `${who} were healthy and connected from ${fromMs.toFixed(0)} to ${toMs.toFixed(0)} ms, and no ${what} succeeded from ${lastMs.toFixed(0)} to ${atMs.toFixed(0)} ms`;
      return [{ guarantee: 'G15', evidence }];
    }
    lastMs = atMs;
  }
  return [];
}
