// How long writes stopped at each fault that may stop them: to the first acknowledgement of a write begun after the strike, and
// the longest silence around it.
import type { FaultRecord } from './evidence.ts';
import type { LoadedRun } from './load-history.ts';
import { overlaps } from './times.ts';

export type GapKind = NonNullable<FaultRecord['gap']>;

export interface Gap {
  readonly kind: GapKind;
  readonly fault: FaultRecord;
  /** From the strike to the first acknowledgement of a write that began after it; undefined: none came. */
  readonly firstAckMs: number | undefined;
  /** The longest time between two acknowledgements, from the last one before the strike to that first one. */
  readonly silenceMs: number;
  /** Another fault lasted at the same time, or had ended shortly before. */
  readonly mixed: boolean;
}

export interface Distribution {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** An earlier fault this close may still be in the way. */
const APART_MS = 1500;

export function gapsOf({ run, writes }: LoadedRun): readonly Gap[] {
  const acknowledged = writes
    .filter(({ outcome }) => outcome === 'acknowledged')
    .toSorted((a, b) => a.returnedAtMs - b.returnedAtMs);
  const answers = Float64Array.from(acknowledged, ({ returnedAtMs }) => returnedAtMs);
  return run.faults.flatMap((fault): readonly Gap[] => {
    const { gap: kind, atMs } = fault;
    if (kind === undefined) return [];
    let at = firstAfter(answers, atMs);
    let lastMs = at > 0 ? Math.max(answers[at - 1] ?? 0, run.beganAtMs) : run.beganAtMs;
    let silenceMs = 0;
    for (; at < acknowledged.length; at++) {
      const write = acknowledged[at];
      if (write === undefined) break;
      silenceMs = Math.max(silenceMs, write.returnedAtMs - lastMs);
      lastMs = write.returnedAtMs;
      if (write.invokedAtMs >= atMs) break;
    }
    const answered = at < acknowledged.length;
    if (!answered) silenceMs = Math.max(silenceMs, run.endedAtMs - lastMs);
    const firstAckMs = answered ? lastMs - atMs : undefined;
    return [{ kind, fault, firstAckMs, silenceMs, mixed: isMixed(fault, run.faults) }];
  });
}

/** The first position of a value above the limit. */
function firstAfter(ascending: Float64Array, limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isMixed(fault: FaultRecord, faults: readonly FaultRecord[]): boolean {
  const own = { fromMs: fault.atMs - APART_MS, toMs: fault.healedAtMs };
  return faults.some(
    (other) => other !== fault && overlaps(own, { fromMs: other.atMs, toMs: other.healedAtMs }),
  );
}

/** undefined of nothing. */
export function distributionOf(values: readonly number[]): Distribution | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const maxMs = sorted.at(-1);
  if (maxMs === undefined) return undefined;
  const share = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? maxMs;
  return { count: sorted.length, p50Ms: share(0.5), p99Ms: share(0.99), maxMs };
}
