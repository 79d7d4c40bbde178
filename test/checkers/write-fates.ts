// What became of writes whose outcome their client never learned, as far as the readers were told: when at the latest each took
// effect, or that it never did. Without it a search must keep every one of them open to the end of a long history.
import type { FirstTold } from './first-told.ts';
import type { WriteRecord } from './history.ts';
import { markedRevisions } from './marked-revisions.ts';
import type { RevisionOrder } from './revision-order.ts';

/** It took effect, if it did, by `byMs`. */
export interface Fate {
  readonly happened: 'yes' | 'no' | 'perhaps';
  readonly byMs: number;
}

/** A request that was given up may still lie in a server's socket or queue, or in the log of a node that is away; not for
 * longer than this, as no fault lasts so long. */
const LATEST_MS = 60_000;

/** A write to many instances has a record for each, with one mark. */
const keyOf = ({ mark, instanceId }: WriteRecord): string => `${mark} ${instanceId}`;

/** Of a write of unknown outcome. `hidden`: revisions of which nobody was told alone. */
export function fatesOf(
  order: RevisionOrder,
  hidden: readonly number[],
  told: FirstTold,
  writes: readonly WriteRecord[],
): (write: WriteRecord) => Fate {
  const byMark = markedRevisions(order);
  const carriers = new Map<string, number>();
  for (const write of writes) carriers.set(keyOf(write), (carriers.get(keyOf(write)) ?? 0) + 1);
  const hiddenAtMs = Float64Array.from(hidden, (revision) => momentOf(told, revision));
  return (write) => {
    const [revision] = byMark.get(write.mark) ?? [];
    const latestMs = write.returnedAtMs + LATEST_MS;
    // With others of its mark it cannot be told apart.
    if ((carriers.get(keyOf(write)) ?? 0) > 1) return { happened: 'perhaps', byMs: latestMs };
    if (revision !== undefined) return { happened: 'yes', byMs: momentOf(told, revision) };
    const byMs = lastWithin(hiddenAtMs, write.invokedAtMs, latestMs);
    return byMs === undefined ? { happened: 'no', byMs: 0 } : { happened: 'perhaps', byMs };
  };
}

/** When anybody was told of the revision, or of a later one. */
function momentOf({ revisions, atMs }: FirstTold, revision: number): number {
  let low = 0;
  let high = revisions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((revisions[middle] ?? 0) < revision) low = middle + 1;
    else high = middle;
  }
  return atMs[low] ?? Number.POSITIVE_INFINITY;
}

/** The last of the ascending moments between the two. */
function lastWithin(moments: Float64Array, fromMs: number, toMs: number): number | undefined {
  let low = 0;
  let high = moments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((moments[middle] ?? 0) <= toMs) low = middle + 1;
    else high = middle;
  }
  const last = moments[low - 1];
  return last !== undefined && last >= fromMs ? last : undefined;
}
