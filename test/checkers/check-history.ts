// All checkers over one history.
import { checkAnswers } from './answer-checker.ts';
import { firstTold } from './first-told.ts';
import type { History, Violation } from './history.ts';
import { searchInstances } from './instance-search.ts';
import { checkLeases } from './lease-checker.ts';
import { checkReads } from './read-checker.ts';
import { fillHoles } from './order-holes.ts';
import { collectOrder, stateAt } from './revision-order.ts';
import { checkWatch } from './watch-checker.ts';
import { checkWrites } from './write-checker.ts';
import { fatesOf } from './write-fates.ts';

export interface Verdict {
  readonly violations: readonly Violation[];
  /** How many revisions the readers witnessed one by one. */
  readonly witnessed: number;
  /** Revisions that neither a reader nor an acknowledged write told of alone. */
  readonly hidden: number;
  /** Instances whose history was too entangled to be searched. */
  readonly undecided: readonly string[];
}

/** G12 and G2 at the end: each node's final list is the state of the order at that list's revision. */
function checkFinals(
  history: History,
  order: ReturnType<typeof collectOrder>['order'],
): Violation[] {
  return history.finals.flatMap(({ node, revision, instances }) => {
    const truth = stateAt(order, revision);
    if (truth === undefined) {
      return [{ guarantee: 'G5', evidence: `revisions up to ${revision} were not all witnessed` }];
    }
    const found: Violation[] = [];
    for (const id of new Set([...truth.keys(), ...instances.keys()])) {
      if (truth.get(id) === instances.get(id)) continue;
      const evidence = `${node} lists ${instances.get(id) ?? 'nothing'} for ${id} at revision ${revision}, true is ${truth.get(id) ?? 'nothing'}`;
      found.push({ guarantee: 'G12', evidence });
      if (found.length >= 10) break;
    }
    return found;
  });
}

const by = (checker: string, violations: readonly Violation[]): readonly Violation[] =>
  violations.map((violation) => ({ ...violation, checker }));

export function checkHistory(history: History): Verdict {
  const { order: witnessed, violations } = collectOrder(history.watches, history.order);
  const { order, holes, hidden } = fillHoles(witnessed, history);
  const finalRevision = Math.max(0, ...history.finals.map(({ revision }) => revision));
  const told = firstTold(history);
  // A harness that knows the order from elsewhere asks for a search that trusts no reader either.
  const trusts = history.order === undefined;
  const fateOf = trusts ? fatesOf(order, hidden, told, history.writes) : undefined;
  const search = searchInstances(history, fateOf);
  return {
    witnessed: witnessed.size,
    hidden: hidden.length,
    violations: [
      ...by('witnesses', violations),
      ...by(
        'watches',
        history.watches.flatMap((watch) => checkWatch(watch, order, finalRevision)),
      ),
      ...by('writes', checkWrites(history.writes, order)),
      ...by('finals', checkFinals(history, order)),
      ...by('reads', checkReads(history, order, told)),
      ...by('answers', checkAnswers(history, order, holes)),
      ...by('leases', checkLeases(history, order)),
      ...by('search', search.violations),
    ],
    undecided: search.undecided,
  };
}
