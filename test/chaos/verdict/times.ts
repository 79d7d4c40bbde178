// Arithmetic of stretches of time: what is left of one when others are taken out of it.

export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What remains of `whole` without any of `taken`, ascending. */
export function without(whole: Stretch, taken: readonly Stretch[]): readonly Stretch[] {
  const left: Stretch[] = [];
  let fromMs = whole.fromMs;
  for (const one of taken.toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (one.fromMs >= whole.toMs) break;
    if (one.fromMs > fromMs) left.push({ fromMs, toMs: one.fromMs });
    fromMs = Math.max(fromMs, one.toMs);
  }
  if (fromMs < whole.toMs) left.push({ fromMs, toMs: whole.toMs });
  return left;
}

export const lengthOf = ({ fromMs, toMs }: Stretch): number => toMs - fromMs;

export const overlaps = (one: Stretch, other: Stretch): boolean =>
  one.fromMs < other.toMs && other.fromMs < one.toMs;
