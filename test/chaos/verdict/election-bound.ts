// G16 over a chaos run: a term is begun only where a fault gives a reason to. A calm time has none; each fault justifies so
// many, the time it takes to heal included.
import type { Violation } from '../../checkers/history.ts';
import type { FaultKind } from '../faults/fault.ts';
import { troubledBy } from './availability.ts';
import type { FaultRecord, Sight } from './evidence.ts';
import { hostStalls } from './host-stalls.ts';
import type { LoadedRun } from './load-history.ts';
import { overlaps, without, type Stretch } from './times.ts';

interface Allowance {
  /** For the strike and for the healing: votes may be split a few times on a busy host. */
  readonly terms: number;
  /** For each second that it lasts. */
  readonly perSecond: number;
}

const none: Allowance = { terms: 0, perSecond: 0 };
const once: Allowance = { terms: 5, perSecond: 0 };
/** Leaders may come and go as long as it lasts. */
const unrest: Allowance = { terms: 5, perSecond: 1 };

/** Terms that each fault justifies. */
export const justifiedTerms: Readonly<Record<FaultKind, Allowance>> = {
  killLeader: once,
  // Whoever is away for a moment comes back with a pre-vote that nobody grants.
  killFollower: { terms: 1, perSecond: 0 },
  killAll: once,
  pauseLeader: once,
  pauseAll: once,
  wakeCutOff: once,
  isolateLeader: once,
  split: once,
  partial: unrest,
  oneWay: unrest,
  flap: { terms: 5, perSecond: 3 },
  bridge: unrest,
  loss: unrest,
  disconnectLeader: once,
  slowDisk: unrest,
  diskError: once,
  fullDisk: once,
  fullDisks: once,
  tornTail: once,
  rotLog: { terms: 10, perSecond: 0 },
  powerCut: once,
  powerCutAll: once,
  damageState: once,
  loseRecord: once,
  wipe: once,
  rollingRestart: { terms: 15, perSecond: 0 },
  rollingUpgrade: { terms: 15, perSecond: 0 },
  changeMembers: { terms: 10, perSecond: 0 },
  leaveBehind: once,
  herd: none,
  wallClock: none,
};

/** Shorter calm times say nothing. */
const WORTH_MS = 1000;
const TERMS_OF_A_STALL = 2;

export function checkElections(loaded: LoadedRun): readonly Violation[] {
  const { run } = loaded;
  const rises = termRises(run.sights);
  const stalls = hostStalls(loaded);
  return [...checkCalm(loaded, rises, stalls), ...checkSum(loaded, rises, stalls)].map(
    (violation) => ({ ...violation, checker: 'elections' }),
  );
}

/** The highest term rose by so much between two looks. */
interface Rise extends Stretch {
  readonly from: number;
  readonly to: number;
}

export function termRises(sights: readonly Sight[]): readonly Rise[] {
  const rises: Rise[] = [];
  let highest: number | undefined;
  let lastMs = 0;
  for (const { term, atMs } of sights.toSorted((a, b) => a.atMs - b.atMs)) {
    if (term === undefined) continue;
    if (highest !== undefined && term > highest) {
      rises.push({ fromMs: lastMs, toMs: atMs, from: highest, to: term });
    }
    highest = Math.max(highest ?? 0, term);
    lastMs = atMs;
  }
  return rises;
}

function checkCalm(
  { run }: LoadedRun,
  rises: readonly Rise[],
  stalls: readonly Stretch[],
): readonly Violation[] {
  const troubled = run.faults.filter(({ kind }) => justifiedTerms[kind] !== none).map(troubledBy);
  const whole = { fromMs: run.beganAtMs, toMs: run.endedAtMs };
  const calm = without(whole, [...troubled, ...stalls]);
  const long = calm.filter(({ fromMs, toMs }) => toMs - fromMs >= WORTH_MS);
  return long.flatMap(({ fromMs, toMs }) => {
    const risen = rises.filter((rise) => rise.fromMs >= fromMs && rise.toMs <= toMs);
    return risen.map(({ from, to, toMs: atMs }) => {
      const evidence = `the term rose from ${from} to ${to} by ${atMs.toFixed(0)} ms, although no fault struck from ${fromMs.toFixed(0)} to ${toMs.toFixed(0)} ms`;
      return { guarantee: 'G16', evidence };
    });
  });
}

function checkSum(
  { run }: LoadedRun,
  rises: readonly Rise[],
  stalls: readonly Stretch[],
): readonly Violation[] {
  const begun = rises.reduce((sum, { from, to }) => sum + to - from, 0);
  const disturbing = stalls.filter((stall) => rises.some((rise) => overlaps(rise, stall)));
  const allowed =
    run.faults.reduce((sum, fault) => sum + allowanceOf(fault), 0) +
    disturbing.length * TERMS_OF_A_STALL;
  if (begun <= allowed) return [];
  const evidence = `${begun} terms were begun, and ${run.faults.length} faults with ${disturbing.length} stalls of the host justify ${Math.floor(allowed)}`;
  return [{ guarantee: 'G16', evidence }];
}

function allowanceOf({ kind, atMs, healedAtMs }: FaultRecord): number {
  const { terms, perSecond } = justifiedTerms[kind];
  return terms + (perSecond * Math.max(0, healedAtMs - atMs)) / 1000;
}
