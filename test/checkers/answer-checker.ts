// G4: a request sent again gets its first answer. G10: a write that names a generation acts on that one and no other.
import type { History, Violation, WriteRecord } from './history.ts';
import type { RevisionOrder } from './revision-order.ts';

/** `holes`: revisions that nobody was told alone; a registration in one of them cannot be followed. */
export function checkAnswers(
  { writes }: History,
  order: RevisionOrder,
  holes: readonly number[] = [],
): readonly Violation[] {
  return [...writes.flatMap(checkRepeats), ...checkGenerations(writes, order, new Set(holes))];
}

function checkRepeats({ kind, mark, instanceId, answers = [] }: WriteRecord): readonly Violation[] {
  const other = answers.find((answer) => answer !== answers[0]);
  if (other === undefined) return [];
  const evidence = `${kind} ${mark} of ${instanceId} was answered ${answers[0]} and, sent again, ${other}`;
  return [{ guarantee: 'G4', evidence }];
}

function checkGenerations(
  writes: readonly WriteRecord[],
  order: RevisionOrder,
  holes: ReadonlySet<number>,
): readonly Violation[] {
  const fenced = writes.filter(
    ({ generation = 0, outcome, changed }) =>
      generation !== 0 && outcome === 'acknowledged' && changed,
  );
  const byRevision = new Map(fenced.map((write) => [write.revision, write]));
  const current = new Map<string, number>();
  const found: Violation[] = [];
  for (let revision = 1; revision <= order.size; revision++) {
    const write = byRevision.get(revision);
    const before = current.get(write?.instanceId ?? '');
    if (write !== undefined && before !== write.generation && !holes.has(write.generation ?? 0)) {
      const evidence = `${write.kind} ${write.mark} named generation ${write.generation} of ${write.instanceId} and acted on ${before ?? 'none'}`;
      found.push({ guarantee: 'G10', evidence });
    }
    for (const { kind, instanceId, generation } of order.get(revision) ?? []) {
      if (kind === 'remove') current.delete(instanceId);
      else if (generation !== undefined) current.set(instanceId, generation);
    }
  }
  return found;
}
