// When the host itself was too busy to judge by: a process that wants to run and is not let cannot answer, nor elect, in time.
// The kernel tells how long each server has waited for a processor, so a server that is slow by itself is not excused.
import type { Finding, RunRecord, Sight } from './evidence.ts';
import type { LoadedRun } from './load-history.ts';
import { lengthOf, type Stretch, without } from './times.ts';

/** Between two looks at a node, or out of a client's hands. */
const STALL_MS = 250;
/** Of the time between two looks: a server that has a sixth of a processor to itself waits less. */
const STARVED_SHARE = 0.8;
/** Until what was put off by it is done. */
const AFTER_MS = 1000;

/** Times in which a client, the observer or a server was kept from running, and a while after; in no order. */
export function hostStalls({ run, stalls }: LoadedRun): readonly Stretch[] {
  const found: Stretch[] = stalls.filter(({ fromMs, toMs }) => toMs - fromMs >= STALL_MS);
  return [...found, ...starvedTimes(run)].map(({ fromMs, toMs }) => ({
    fromMs,
    toMs: toMs + AFTER_MS,
  }));
}

/** Of the time in which something was waited for: so much of it with a processor for everybody suffices on any host. */
const PATIENCE_MS = 30_000;

/** Whether what did not come may be the host's fault alone. */
export function isExcused({ waited }: Finding, stalls: readonly Stretch[]): boolean {
  if (waited === undefined) return false;
  return without(waited, stalls).reduce((sum, one) => sum + lengthOf(one), 0) < PATIENCE_MS;
}

/** Times without a stall, the longest one. */
export function longestCalm(whole: Stretch, stalls: readonly Stretch[]): Stretch | undefined {
  const calm = without(whole, stalls);
  return calm.toSorted((one, other) => lengthOf(other) - lengthOf(one))[0];
}

/** Of each server by itself. */
function starvedTimes({ sights }: RunRecord): readonly Stretch[] {
  const looks = new Map<string, Sight[]>();
  for (const sight of sights) {
    const own = looks.get(sight.node);
    if (own === undefined) looks.set(sight.node, [sight]);
    else own.push(sight);
  }
  return [...looks.values()].flatMap(starvedTimesOf);
}

function starvedTimesOf(sights: readonly Sight[]): readonly Stretch[] {
  const found: Stretch[] = [];
  let sinceMs: number | undefined;
  let lastMs = sights[0]?.atMs ?? 0;
  const end = (): void => {
    if (sinceMs !== undefined && lastMs - sinceMs >= STALL_MS) {
      found.push({ fromMs: sinceMs, toMs: lastMs });
    }
    sinceMs = undefined;
  };
  for (const { atMs, waitedMs = 0, term } of sights) {
    const starved = waitedMs >= STARVED_SHARE * (atMs - lastMs);
    // A node that answers late without being struck was not given the processor, or the observer was not.
    const late = term !== undefined && atMs - lastMs >= 4 * STALL_MS;
    if ((starved || late) && atMs > lastMs) sinceMs ??= lastMs;
    else end();
    lastMs = atMs;
  }
  end();
  return found;
}
