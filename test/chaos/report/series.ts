// Writes by the second: how many were acknowledged, how many were not, and how long the answers took.
import type { LoadedRun } from '../verdict/load-history.ts';

export interface Second {
  readonly acknowledged: number;
  /** Rejected, or of unknown outcome. */
  readonly failed: number;
  /** Of writes acknowledged in it; undefined where none was. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** Position n is the n-th second since the run began; writes count where they were answered. */
export function secondsOf({ run, writes }: LoadedRun): readonly Second[] {
  const count = Math.max(1, Math.ceil((run.endedAtMs - run.beganAtMs) / 1000));
  const latencies: number[][] = Array.from({ length: count }, () => []);
  const failed = new Uint32Array(count);
  for (const { outcome, invokedAtMs, returnedAtMs } of writes) {
    const at = Math.floor((returnedAtMs - run.beganAtMs) / 1000);
    if (at < 0 || at >= count) continue;
    if (outcome === 'acknowledged') latencies[at]?.push(returnedAtMs - invokedAtMs);
    else failed[at] = (failed[at] ?? 0) + 1;
  }
  return latencies.map((own, at) => {
    const sorted = Float64Array.from(own).toSorted();
    const share = (part: number): number | undefined =>
      sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
    return {
      acknowledged: own.length,
      failed: failed[at] ?? 0,
      p50Ms: share(0.5),
      p99Ms: share(0.99),
    };
  });
}
