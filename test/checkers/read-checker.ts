// Checker A, by witness order: every answer at a revision is the state of that revision (G2), a linearizable one is not older
// than anything that anybody was told before it was asked for, a bounded one not by more than its bound, and no answer is
// older than its client demands (G11).
import { type FirstTold, firstTold, highestToldBefore } from './first-told.ts';
import type { History, ReadRecord, Violation } from './history.ts';
import { applyGroup, type RevisionOrder } from './revision-order.ts';

const MAX_FINDINGS = 10;

export function checkReads(
  history: History,
  order: RevisionOrder,
  told: FirstTold = firstTold(history),
): readonly Violation[] {
  const reads = (history.reads ?? []).toSorted((a, b) => a.revision - b.revision);
  const floorBefore = (atMs: number): number => highestToldBefore(told, atMs);
  const found: Violation[] = [];
  const truth = new Map<string, string>();
  let at = 0;
  for (const read of reads) {
    while (at < read.revision) {
      const group = order.get(++at);
      if (group === undefined) {
        const evidence = `revision ${at} is not known, so reads from there on cannot be judged`;
        return [...found, { guarantee: 'G2', evidence }];
      }
      applyGroup(truth, group);
    }
    found.push(...checkAge(read, floorBefore), ...checkContent(read, truth));
    if (found.length >= MAX_FINDINGS) break;
  }
  return found;
}

const describe = ({ client, consistency, instanceId, service, revision }: ReadRecord): string =>
  `the ${consistency} read of ${instanceId ?? service ?? 'everything'} by ${client} at revision ${revision}`;

function checkAge(read: ReadRecord, floorBefore: (atMs: number) => number): readonly Violation[] {
  const found: Violation[] = [];
  const { consistency, revision, minRevision, invokedAtMs, maxStalenessMs } = read;
  if (revision < minRevision) {
    const evidence = `${describe(read)} is older than ${minRevision}, which it demanded`;
    found.push({ guarantee: 'G11', evidence });
  }
  const bounded = consistency === 'bounded' && maxStalenessMs !== undefined;
  if (consistency !== 'linearizable' && !bounded) return found;
  const floor = floorBefore(invokedAtMs - (bounded ? maxStalenessMs : 0));
  if (revision < floor) {
    const evidence = `${describe(read)} is older than ${floor}, which had been told before`;
    found.push({ guarantee: 'G2', evidence });
  }
  return found;
}

/** The instances that the read could have told of, compared one by one. */
function checkContent(read: ReadRecord, truth: ReadonlyMap<string, string>): readonly Violation[] {
  const { instanceId, service, instances } = read;
  const ids =
    instanceId === undefined ? new Set([...truth.keys(), ...instances.keys()]) : [instanceId];
  for (const id of ids) {
    const is = truth.get(id);
    // Content begins with the service.
    const selected = service === undefined || is?.startsWith(`${service} `) === true;
    const expected = selected ? is : undefined;
    if (instances.get(id) === expected) continue;
    const evidence = `${describe(read)} says ${instances.get(id) ?? 'nothing'} of ${id}, true is ${expected ?? 'nothing'}`;
    return [{ guarantee: 'G2', evidence }];
  }
  return [];
}
