// A closed loop: a fixed number of callers, each starting its next call when the last one ended. Bounded in time and
// count, and honest about errors: an error is counted, never timed as an answer.
import { performance } from 'node:perf_hooks';

export interface LoopResult {
  readonly operations: number;
  readonly errors: number;
  readonly firstError: string | undefined;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** How busy the generator's own thread was, 0 to 1. Near 1 it measures itself. */
  readonly generatorLoad: number;
}

export interface LoopOptions {
  readonly inFlight: number;
  readonly seconds: number;
  readonly maxOperations: number;
  /** `caller` is the number of the loop, `sequence` counts over all loops. */
  readonly operation: (caller: number, sequence: number) => Promise<unknown>;
}

export function percentile(sorted: readonly number[], fraction: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

export async function closedLoop(options: LoopOptions): Promise<LoopResult> {
  const latencies: number[] = [];
  let errors = 0;
  let firstError: string | undefined;
  let sequence = 0;
  const began = performance.now();
  const until = began + options.seconds * 1000;
  const loadBefore = performance.eventLoopUtilization();
  const caller = async (number: number): Promise<void> => {
    while (performance.now() < until && sequence < options.maxOperations) {
      const own = sequence++;
      const start = performance.now();
      try {
        await options.operation(number, own);
        latencies.push(performance.now() - start);
      } catch (error) {
        errors++;
        firstError ??= String(error);
      }
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, (_, number) => caller(number)));
  const seconds = (performance.now() - began) / 1000;
  const load = performance.eventLoopUtilization(loadBefore).utilization;
  latencies.sort((a, b) => a - b);
  return {
    operations: latencies.length,
    errors,
    firstError,
    seconds,
    perSecond: latencies.length / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1) ?? Number.NaN,
    generatorLoad: load,
  };
}
