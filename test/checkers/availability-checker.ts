// G15: while a majority is healthy and connected, every window of 5 s has a successful write and a linearizable read.
import type { Violation } from './history.ts';

/** A time through which a majority was healthy and connected. */
export interface HealthyTime {
  readonly fromMs: number;
  readonly toMs: number;
  readonly who: string;
}

/** When calls of each kind succeeded, ascending. */
export interface Successes {
  readonly writes: readonly number[];
  readonly reads: readonly number[];
}

const WINDOW_MS = 5000;

export function checkAvailability(
  healthy: readonly HealthyTime[],
  { writes, reads }: Successes,
): readonly Violation[] {
  return healthy.flatMap((time) => [
    ...gapsIn(time, writes, 'write'),
    ...gapsIn(time, reads, 'linearizable read'),
  ]);
}

function gapsIn(
  { fromMs, toMs, who }: HealthyTime,
  successes: readonly number[],
  what: string,
): readonly Violation[] {
  let lastMs = fromMs;
  const within = successes.filter((atMs) => atMs > fromMs && atMs < toMs);
  for (const atMs of [...within, toMs]) {
    if (atMs - lastMs > WINDOW_MS) {
      const evidence = `${who} were healthy and connected from ${fromMs.toFixed(0)} to ${toMs.toFixed(0)} ms, and no ${what} succeeded from ${lastMs.toFixed(0)} to ${atMs.toFixed(0)} ms`;
      return [{ guarantee: 'G15', evidence }];
    }
    lastMs = atMs;
  }
  return [];
}
