// Time for the core: one tick for each 10 ms of the monotonic clock. A gap longer than a heartbeat is not made up for
// tick by tick, because nobody was away but this node: it is reported as a gap, and what was inferred from time is void.
import type { Clock } from './ports.ts';

export const TICK_MS = 10;

export interface TickerHost {
  readonly clock: Clock;
  /** Longer than this is a gap. */
  readonly gapMs: number;
  /** `gapMs` is 0, or how long this node did not run by `atMs`. Input that waited meanwhile has been delivered. */
  readonly elapsed: (ticks: number, gapMs: number, atMs: number) => void;
}

/** Starts ticking; the result stops it. */
export function startTicker(host: TickerHost): () => void {
  const { clock } = host;
  let lastMs = clock.now();
  let stopped = false;
  let cancel: (() => void) | undefined;

  const fire = (): void => {
    const atMs = clock.now();
    const passedMs = atMs - lastMs;
    const ticks = Math.floor(passedMs / TICK_MS);
    arm();
    if (ticks === 0) return;
    lastMs += ticks * TICK_MS;
    const gapMs = passedMs > host.gapMs ? passedMs - TICK_MS : 0;
    // What arrived while this node did not run is delivered before time is told to have passed.
    clock.defer(() => {
      if (!stopped) host.elapsed(ticks, gapMs, atMs);
    });
  };
  const arm = (): void => {
    cancel = clock.after(TICK_MS, fire);
  };

  arm();
  return () => {
    stopped = true;
    cancel?.();
  };
}
