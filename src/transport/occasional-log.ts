// Log lines about peers that misbehave or are away, at a bounded rate: what repeats is counted, not written.
import type { Logger } from 'pino';
import type { Clock } from '../node/ports.ts';

const INTERVAL_MS = 60_000;
/** Keys come from the network, so they are bounded; the oldest is forgotten first. */
const MAX_KEYS = 256;

/** Writes a warning unless one with the same event and peer was written within the last minute. */
export type OccasionalLog = (event: string, peer: string, fields: object) => void;

export function createOccasionalLog(log: Logger, clock: Clock): OccasionalLog {
  const written = new Map<string, { atMs: number; suppressed: number }>();
  return (event, peer, fields) => {
    const key = `${event} ${peer}`;
    const last = written.get(key);
    if (last !== undefined && clock.now() - last.atMs < INTERVAL_MS) {
      last.suppressed += 1;
      return;
    }
    written.delete(key);
    const [oldest] = written.keys();
    if (written.size >= MAX_KEYS && oldest !== undefined) written.delete(oldest);
    written.set(key, { atMs: clock.now(), suppressed: 0 });
    log.warn({ peer, ...fields, suppressed: last?.suppressed ?? 0 }, event);
  };
}
