// The verdict over a run: the checkers of test/checkers over the whole history, and what only a run on real processes can
// show: equal hashes (G12), availability (G15), elections (G16), and how long writes stopped at each fault.
import { checkHistory, type Verdict as Checked } from '../../checkers/check-history.ts';
import { firstTold } from '../../checkers/first-told.ts';
import type { History, LeaseHistory, Violation } from '../../checkers/history.ts';
import { checkHealthyTimes } from './availability.ts';
import { checkElections } from './election-bound.ts';
import { gapsOf, type Gap } from './fail-over.ts';
import { hostStalls, isExcused, longestCalm } from './host-stalls.ts';
import type { LoadedRun } from './load-history.ts';
import { voidReasons } from './void-rules.ts';

export interface Verdict {
  /** `violation` outweighs `void`: too little happened to say anything. */
  readonly outcome: 'clean' | 'void' | 'violation';
  readonly violations: readonly Violation[];
  /** Why the run proves nothing. */
  readonly voids: readonly string[];
  readonly gaps: readonly Gap[];
  readonly counts: Counts;
}

export interface Counts {
  readonly acknowledged: number;
  readonly rejected: number;
  readonly unknown: number;
  readonly reads: number;
  readonly failedReads: number;
  readonly messages: number;
  readonly resumes: number;
  readonly beats: number;
  /** Revisions that readers witnessed one by one. */
  readonly witnessed: number;
  /** Revisions of which neither a reader nor an acknowledged write told alone, as after the death of all nodes. */
  readonly hidden: number;
  /** Instances whose history was too entangled for the search that trusts no revision. */
  readonly undecided: number;
  /** Acknowledged writes for each second of the chaos. */
  readonly writesPerSecond: number;
}

export function judge(loaded: LoadedRun): Verdict {
  const checked = checkHistory(historyOf(loaded));
  const stalls = hostStalls(loaded);
  const { broken } = loaded.run;
  const found = broken.filter((finding) => !isExcused(finding, stalls));
  const violations = [
    ...checked.violations,
    ...checkHashes(loaded),
    ...checkHealthyTimes(loaded),
    ...checkElections(loaded),
    ...found.map(({ guarantee, evidence }) => ({ guarantee, evidence, checker: 'harness' })),
  ];
  const counts = countsOf(loaded, checked);
  const excused = broken.filter((finding) => !found.includes(finding));
  const voids = [
    ...excused.map(({ evidence }) => `the host was too busy to tell: ${evidence}`),
    ...voidReasons(loaded, counts),
  ];
  const empty = voids.length > 0 ? 'void' : 'clean';
  const outcome = violations.length > 0 ? 'violation' : empty;
  return { outcome, violations, voids, gaps: gapsOf(loaded), counts };
}

export function historyOf(loaded: LoadedRun): History {
  const { writes, reads, watches, finals } = loaded;
  const history: History = { writes, reads, watches, finals };
  return { ...history, leases: leasesOf(loaded, history) };
}

/** The nodes are not asked when they had a revision: a time between that at which its write began and that at which somebody
 * was told of it is known, and each check takes the end that is fair to the registry. */
function leasesOf(loaded: LoadedRun, history: History): LeaseHistory {
  const { beats, keeps, run } = loaded;
  const stalls = hostStalls(loaded);
  const told = firstTold(history);
  const appliedAtMs: number[] = [];
  told.revisions.forEach((revision, at) => {
    const atMs = told.atMs[at] ?? 0;
    while (appliedAtMs.length < revision) appliedAtMs.push(atMs);
  });
  const notBeforeMs = appliedAtMs.map(() => 0);
  for (const { outcome, changed, revision, invokedAtMs } of history.writes) {
    if (outcome !== 'acknowledged' || !changed || revision > notBeforeMs.length) continue;
    notBeforeMs[revision - 1] = invokedAtMs;
  }
  let latest = 0;
  notBeforeMs.forEach((atMs, at) => (notBeforeMs[at] = latest = Math.max(latest, atMs)));
  // A leader that is not let run moves all deadlines by that time: it is not stable.
  const stable = run.stable === undefined ? undefined : longestCalm(run.stable, stalls);
  return { beats, keeps, appliedAtMs, notBeforeMs, stable, clockDrift: 0 };
}

function checkHashes({ run }: LoadedRun): readonly Violation[] {
  const hashes = Object.entries(run.hashes);
  const [first] = hashes;
  const other = hashes.find(([, hash]) => hash !== first?.[1]);
  if (first === undefined || other === undefined) return [];
  const evidence = `at one applied index ${first[0]} has the hash ${first[1]} and ${other[0]} has ${other[1]}`;
  return [{ guarantee: 'G12', evidence, checker: 'hashes' }];
}

function countsOf(loaded: LoadedRun, { witnessed, hidden, undecided }: Checked): Counts {
  const { writes, reads, failedReads, watches, resumes, beats, run } = loaded;
  const counts = { acknowledged: 0, rejected: 0, unknown: 0 };
  for (const { outcome } of writes) counts[outcome]++;
  const seconds = Math.max(1, (run.healedAtMs - run.beganAtMs) / 1000);
  return {
    ...counts,
    reads: reads.length,
    failedReads: failedReads.length,
    messages: watches.reduce((sum, { messages }) => sum + messages.length, 0),
    resumes: resumes.length,
    beats: beats.length,
    witnessed,
    hidden,
    undecided: undecided.length,
    writesPerSecond: counts.acknowledged / seconds,
  };
}
