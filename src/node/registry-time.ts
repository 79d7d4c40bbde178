// Registry time: what the state machine calls "now". It follows the leader's monotonic clock from where the log left
// off, so it never goes back at a change of leader, and it stands still while the leader itself was away.
import type { Clock } from './ports.ts';

export interface RegistryTime {
  /** This node leads from here on; `floorMs` is the registry time of the last applied command. */
  lead(floorMs: number): void;
  /** The leader was paused for so long. */
  pause(lengthMs: number): void;
  /** Milliseconds for the next command's header. */
  now(): number;
}

export function createRegistryTime(clock: Clock): RegistryTime {
  let baseMs = 0;
  let sinceMs = clock.now();
  return {
    lead(floorMs) {
      baseMs = floorMs;
      sinceMs = clock.now();
    },
    pause(lengthMs) {
      sinceMs = Math.min(clock.now(), sinceMs + lengthMs);
    },
    now: () => Math.floor(baseMs + clock.now() - sinceMs),
  };
}
