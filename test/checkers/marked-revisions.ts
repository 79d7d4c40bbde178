// Which revisions carry the effect of a write: found by its mark.
import type { RevisionOrder } from './revision-order.ts';

/** Mark -> the revisions that carry it. */
export function markedRevisions(order: RevisionOrder): ReadonlyMap<string, readonly number[]> {
  const byMark = new Map<string, number[]>();
  for (const [revision, changes] of order) {
    for (const { mark } of changes) {
      if (mark === '') continue;
      const known = byMark.get(mark);
      if (known === undefined) byMark.set(mark, [revision]);
      else if (known.at(-1) !== revision) known.push(revision);
    }
  }
  return byMark;
}
