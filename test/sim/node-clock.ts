// The clock of one process: monotonic time that drifts, wall time that jumps, timers that fire late when it is stopped.
import type { Clock } from '../../src/node/ports.ts';
import type { Process, Timeline } from './timeline.ts';

/** What a machine's clocks do; shared by all lives of its processes. */
export interface ClockFaults {
  /** Milliseconds of its monotonic clock in one of simulated time: 1.002 runs fast. */
  readonly rate: number;
  /** Wall time against true time. */
  wallOffsetMs: number;
}

const EPOCH_MS = 1_800_000_000_000;
/** From the end of one turn of an event loop to the next. */
const TURN_MS = 0.05;

export function createNodeClock(
  timeline: Timeline,
  process: Process,
  faults: ClockFaults,
  originMs: number,
): Clock {
  const now = (): number => originMs + timeline.nowMs * faults.rate;
  return {
    now,
    unixNow: () => Math.floor(EPOCH_MS + timeline.nowMs + faults.wallOffsetMs),
    after: (delayMs, callback) =>
      timeline.after(delayMs / faults.rate, process, `timer ${process.name}`, callback),
    defer: (callback) => {
      timeline.after(TURN_MS, process, `turn ${process.name}`, callback);
    },
  };
}
