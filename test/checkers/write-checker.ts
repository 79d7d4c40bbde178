// G1: every acknowledged write is in the order at its revision. G3: what was rejected never appears. G4: no write has
// two effects. G2 (order): a write that began after an answer was given has a higher revision than that answer.
import type { ChangeRecord, Violation, WriteRecord } from './history.ts';
import { markedRevisions } from './marked-revisions.ts';
import type { RevisionOrder } from './revision-order.ts';

const effectOf = (write: WriteRecord): ChangeRecord['kind'] =>
  write.kind === 'deregister' ? 'remove' : 'put';

const sameEffect = ({ mark, instanceId }: WriteRecord): string => `${mark} ${instanceId}`;

/** How often a mark may have been written: once for each write that carries it, as of a registration sent again. */
function possibleEffects(writes: readonly WriteRecord[]): ReadonlyMap<string, number> {
  const possible = new Map<string, number>();
  for (const write of writes) {
    const key = sameEffect(write);
    possible.set(key, (possible.get(key) ?? 0) + (write.outcome === 'rejected' ? 0 : 1));
  }
  return possible;
}

function checkOne(
  write: WriteRecord,
  order: RevisionOrder,
  revisions: readonly number[],
  allowed: number,
): readonly Violation[] {
  const found: Violation[] = [];
  const what = `${write.kind} ${write.mark} of ${write.instanceId}`;
  if (revisions.length > Math.max(1, allowed)) {
    const evidence = `${what} took effect at revisions ${revisions.join(', ')}`;
    found.push({ guarantee: 'G4', evidence });
  }
  if (allowed === 0 && revisions.length > 0) {
    const evidence = `${what} was rejected, but took effect at revision ${revisions.join(', ')}`;
    found.push({ guarantee: 'G3', evidence });
  }
  if (write.outcome === 'acknowledged' && write.changed) {
    const there = (order.get(write.revision) ?? []).some(
      (change) =>
        change.mark === write.mark &&
        change.instanceId === write.instanceId &&
        change.kind === effectOf(write),
    );
    if (!there) {
      const evidence = `${what} was acknowledged at revision ${write.revision}, which does not hold it`;
      found.push({ guarantee: 'G1', evidence });
    }
  }
  return found;
}

/** Real-time order over acknowledged writes, by one sweep over the moments of calls and answers. */
function checkRealTime(writes: readonly WriteRecord[]): readonly Violation[] {
  const acknowledged = writes.filter((write) => write.outcome === 'acknowledged');
  const moments = acknowledged.flatMap((write) => [
    { atMs: write.invokedAtMs, write, answer: false },
    { atMs: write.returnedAtMs, write, answer: true },
  ]);
  moments.sort((a, b) => a.atMs - b.atMs || Number(a.answer) - Number(b.answer));
  const floors = new Map<WriteRecord, number>();
  const found: Violation[] = [];
  let highest = 0;
  for (const { write, answer } of moments) {
    if (!answer) {
      floors.set(write, highest);
      continue;
    }
    const floor = floors.get(write) ?? 0;
    if (write.changed ? write.revision <= floor : write.revision < floor) {
      const evidence = `${write.kind} ${write.mark} got revision ${write.revision} after ${floor} had been answered before it began`;
      found.push({ guarantee: 'G2', evidence });
    }
    highest = Math.max(highest, write.revision);
  }
  return found;
}

export function checkWrites(
  writes: readonly WriteRecord[],
  order: RevisionOrder,
): readonly Violation[] {
  const byMark = markedRevisions(order);
  const possible = possibleEffects(writes);
  return [
    ...writes.flatMap((write) =>
      checkOne(write, order, byMark.get(write.mark) ?? [], possible.get(sameEffect(write)) ?? 0),
    ),
    ...checkRealTime(writes),
  ];
}
