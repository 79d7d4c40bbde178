// When anybody was first told of each revision, or of a later one: by an answer to a write or a read, or by a stream.
import type { History } from './history.ts';

export interface FirstTold {
  /** Revisions that somebody was told, ascending. */
  readonly revisions: Float64Array;
  /** Of each of them: the first moment at which somebody had been told of it or of a later one. Never descends. */
  readonly atMs: Float64Array;
}

export function firstTold({ writes, reads = [], watches }: History): FirstTold {
  const earliest = new Map<number, number>();
  const tell = (revision: number, atMs: number): void => {
    const known = earliest.get(revision);
    if (known === undefined || atMs < known) earliest.set(revision, atMs);
  };
  for (const { outcome, revision, returnedAtMs } of writes) {
    if (outcome === 'acknowledged') tell(revision, returnedAtMs);
  }
  for (const { revision, returnedAtMs } of reads) tell(revision, returnedAtMs);
  for (const { messages } of watches) {
    for (const { revision, atMs } of messages) tell(revision, atMs);
  }
  const revisions = Float64Array.from(earliest.keys()).toSorted();
  const atMs = new Float64Array(revisions.length);
  let soonest = Number.POSITIVE_INFINITY;
  for (let at = revisions.length - 1; at >= 0; at--) {
    soonest = Math.min(soonest, earliest.get(revisions[at] ?? 0) ?? soonest);
    atMs[at] = soonest;
  }
  return { revisions, atMs };
}

/** The highest revision that anybody had been told strictly before a moment; 0 where none. */
export function highestToldBefore({ revisions, atMs }: FirstTold, momentMs: number): number {
  let low = 0;
  let high = atMs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((atMs[middle] ?? 0) < momentMs) low = middle + 1;
    else high = middle;
  }
  return revisions[low - 1] ?? 0;
}
