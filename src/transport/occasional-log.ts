// Log lines about peers that misbehave or are away, at a bounded rate: what repeats is counted, not written.
import type { Logger } from 'pino';
import type { Clock } from '../node/ports.ts';

const INTERVAL_MS = 60_000;
/** Lines about one event in a minute, whomever it is about: a stranger who takes another name each time has each line for the first time. */
const MAX_LINES = 32;
/** Keys come from the network, so they are bounded; the oldest is forgotten first. */
const MAX_KEYS = 256;

interface Minute {
  readonly sinceMs: number;
  lines: number;
  /** First lines that were not written any more. */
  others: number;
}

/** Writes a warning unless one with the same event and peer was written within the last minute, or `MAX_LINES` with the same event. `event` is
 * one of a few. */
export type OccasionalLog = (event: string, peer: string, fields: object) => void;

export function createOccasionalLog(log: Logger, clock: Clock): OccasionalLog {
  const written = new Map<string, { atMs: number; suppressed: number }>();
  const minutes = new Map<string, Minute>();
  const minuteOf = (event: string): Minute => {
    const before = minutes.get(event);
    if (before !== undefined && clock.now() - before.sinceMs < INTERVAL_MS) return before;
    const minute = { sinceMs: clock.now(), lines: 0, others: before?.others ?? 0 };
    minutes.set(event, minute);
    return minute;
  };
  return (event, peer, fields) => {
    const key = `${event} ${peer}`;
    const last = written.get(key);
    if (last !== undefined && clock.now() - last.atMs < INTERVAL_MS) {
      last.suppressed += 1;
      return;
    }
    const minute = minuteOf(event);
    if (minute.lines >= MAX_LINES) {
      minute.others += 1;
      return;
    }
    minute.lines += 1;
    const { others } = minute;
    minute.others = 0;
    written.delete(key);
    const [oldest] = written.keys();
    if (written.size >= MAX_KEYS && oldest !== undefined) written.delete(oldest);
    written.set(key, { atMs: clock.now(), suppressed: 0 });
    const more = others === 0 ? {} : { others };
    log.warn({ peer, ...fields, suppressed: last?.suppressed ?? 0, ...more }, event);
  };
}
