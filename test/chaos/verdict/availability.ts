// G15 over a chaos run: through which times a majority was certainly healthy and connected, as far as the record of the faults
// tells, and whether calls succeeded meanwhile. Where it does not tell, nothing is demanded.
import { checkAvailability, type HealthyTime } from '../../checkers/availability-checker.ts';
import type { Violation } from '../../checkers/history.ts';
import type { FaultKind } from '../faults/fault.ts';
import type { FaultRecord } from './evidence.ts';
import { hostStalls } from './host-stalls.ts';
import type { LoadedRun } from './load-history.ts';
import { without, type Stretch } from './times.ts';

/** A strike may have had its effect a little before it was noted. */
const BEFORE_STRIKE_MS = 500;
/** From the end of a fault until the nodes it struck answer, have a leader and have caught up. */
const AFTER_HEAL_MS = 3000;
/** G15 speaks of windows of this length; shorter times say nothing. */
const WORTH_MS = 5000;

/** What is not named in them is touched, too: paths between the others are cut, or who is a member changes. */
const touchesAll: ReadonlySet<FaultKind> = new Set([
  'killAll',
  'pauseAll',
  'powerCutAll',
  'loseRecord',
  'fullDisks',
  'partial',
  'bridge',
  'flap',
  'loss',
  'rollingRestart',
  'rollingUpgrade',
  'changeMembers',
]);
/** Nobody can write while they last. */
export const silencesAll: ReadonlySet<FaultKind> = new Set([
  'killAll',
  'pauseAll',
  'powerCutAll',
  'loseRecord',
  'fullDisks',
]);
const touchesNobody: ReadonlySet<FaultKind> = new Set(['herd', 'wallClock']);

export function checkHealthyTimes(loaded: LoadedRun): readonly Violation[] {
  const writes = loaded.writes
    .filter(({ outcome }) => outcome === 'acknowledged')
    .map(({ returnedAtMs }) => returnedAtMs);
  const reads = loaded.reads
    .filter(({ consistency }) => consistency === 'linearizable')
    .map(({ returnedAtMs }) => returnedAtMs);
  const asked = reads.length > 0 || loaded.failedReads.length > 0;
  const successes = { writes: ascending(writes), reads: ascending(reads) };
  const demanded = asked ? successes : { ...successes, readsBegun: [] };
  const found = checkAvailability(healthyTimes(loaded), demanded);
  return found.map((violation) => ({ ...violation, checker: 'availability' }));
}

/** Times through which one and the same majority was healthy and connected. */
export function healthyTimes(loaded: LoadedRun): readonly HealthyTime[] {
  const { run } = loaded;
  const chaos = { fromMs: run.beganAtMs, toMs: run.healedAtMs };
  const common = [...run.faults.filter(strikesAll).map(troubledBy), ...hostStalls(loaded)];
  const nodes = membersOf(run.nodes);
  const found = majorities(nodes, (nodes.length >>> 1) + 1).flatMap((group) => {
    const own = run.faults.filter((fault) => fault.nodes.some((node) => group.includes(node)));
    const troubled = own.filter(({ kind }) => !touchesNobody.has(kind)).map(troubledBy);
    const who = group.join(', ');
    return without(chaos, [...common, ...troubled]).map((time) => ({ ...time, who }));
  });
  return found.filter(({ fromMs, toMs }) => toMs - fromMs >= WORTH_MS);
}

const strikesAll = ({ kind, nodes }: FaultRecord): boolean =>
  touchesAll.has(kind) || (nodes.length === 0 && !touchesNobody.has(kind));

/** The time in which its nodes may not be well. */
export const troubledBy = ({ atMs, healedAtMs }: FaultRecord): Stretch => ({
  fromMs: atMs - BEFORE_STRIKE_MS,
  toMs: healedAtMs + AFTER_HEAL_MS,
});

/** The names an arena gives to the members a run begins with. */
const membersOf = (nodes: number): readonly string[] =>
  Array.from({ length: nodes }, (_, at) => `n${at + 1}`);

function majorities(of: readonly string[], count: number): readonly (readonly string[])[] {
  if (count === 0) return [[]];
  return of.flatMap((first, at) =>
    majorities(of.slice(at + 1), count - 1).map((rest) => [first, ...rest]),
  );
}

const ascending = (times: readonly number[]): readonly number[] =>
  Array.from(Float64Array.from(times).toSorted());
