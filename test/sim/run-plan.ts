// One run from beginning to end: chaos, healing, convergence, judgement.
import { checkAvailability, type Successes } from '../checkers/availability-checker.ts';
import { checkHistory } from '../checkers/check-history.ts';
import type { FinalList, History, Violation } from '../checkers/history.ts';
import type { Coverage } from './coverage.ts';
import type { Plan } from './plan.ts';
import { everything } from './reader.ts';
import { contentOf } from './record-text.ts';
import { replayOrder, type ReplayedOrder } from './replay-order.ts';
import { World, type WorldOptions } from './world.ts';

export interface RunReport {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly hash: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly revisions: number;
  /** Instances whose history was too entangled for the search. */
  readonly undecided: number;
  readonly coverage: Coverage;
}

/** G6 and the plan's own promise: this long after the faults everything is as it should be. */
const CONVERGENCE_MS = 5000;
/** Calls that were under way may wait for this long. */
const PATIENCE_MS = 6000;
/** Longest lease of a plan, its grace, and some room: whoever is silent is gone after that (G8). */
const SILENCE_MS = 3400;
const LOOK_MS = 20;

export async function runPlan(plan: Plan, options: WorldOptions = {}): Promise<RunReport> {
  const world = new World(plan, options);
  const { timeline } = world;
  let undecided = 0;
  await world.runChaos();
  if (world.violations.length === 0) {
    world.heal();
    await converge(world, 'after the faults');
    await until(world, PATIENCE_MS, () => world.idle, 'every client has an outcome');
    await world.proveAlive();
    const stableFromMs = Math.max(timeline.nowMs, world.leaderSinceMs);
    const { highestTerm } = world;
    const { silences } = world.network.counts;
    await timeline.run(timeline.nowMs + SILENCE_MS);
    await converge(world, 'at the end');
    const toMs = timeline.nowMs;
    const silent = world.network.counts.silences > silences;
    if (world.highestTerm !== highestTerm && !silent) {
      const evidence = `the term rose from ${highestTerm} to ${world.highestTerm} while nothing was wrong`;
      world.violations.push({ guarantee: 'G16', evidence });
    }
    const stable = world.leaderSinceMs > stableFromMs ? undefined : { fromMs: stableFromMs, toMs };
    const replayed = replayOrder(world.ledger.committed, plan.parameters.limits);
    const verdict = checkHistory(historyOf(world, replayed, stable));
    world.violations.push(
      ...replayed.violations,
      ...verdict.violations,
      ...checkAvailability(world.wellness.healthyTimes(), successesOf(world)),
      ...world.wellness.violations,
    );
    undecided = verdict.undecided.length;
  }
  collectCounts(world);
  return {
    seed: plan.seed,
    violations: world.violations,
    hash: timeline.hash,
    events: timeline.events,
    simulatedMs: timeline.nowMs,
    revisions: world.revision,
    undecided,
    coverage: world.coverage,
  };
}

async function converge(world: World, when: string): Promise<void> {
  await until(world, CONVERGENCE_MS, () => world.converged, `everything converged ${when}`);
}

async function until(
  world: World,
  withinMs: number,
  holds: () => boolean,
  what: string,
): Promise<void> {
  const byMs = world.timeline.nowMs + withinMs;
  while (!holds()) {
    if (world.violations.length > 0) return;
    if (world.timeline.nowMs >= byMs) {
      const evidence = `${withinMs} ms passed without: ${what}: ${world.picture()}`;
      world.violations.push({ guarantee: 'G6', evidence });
      return;
    }
    world.startAll();
    await world.timeline.run(world.timeline.nowMs + LOOK_MS);
  }
}

function historyOf(
  world: World,
  { order }: ReplayedOrder,
  stable: { readonly fromMs: number; readonly toMs: number } | undefined,
): History {
  const { records, watchers, members, appliedAtMs, plan } = world;
  return {
    writes: records.writes,
    reads: records.reads,
    watches: watchers.map(({ name, service, messages }) => ({ watcher: name, service, messages })),
    finals: members.flatMap(({ id, node }): readonly FinalList[] => {
      if (node === undefined) return [];
      const found = node.registry.list(everything, undefined, { count: 1000, bytes: 1 << 24 });
      const instances = new Map(found.records.map((one) => [one.instanceId, contentOf(one)]));
      return [{ node: id, revision: node.registry.revision, instances }];
    }),
    leases: {
      beats: records.beats,
      keeps: records.keeps,
      appliedAtMs,
      stable,
      clockDrift: plan.parameters.maxDrift,
    },
    order,
  };
}

const ascending = (a: number, b: number): number => a - b;

function successesOf({ records }: World): Successes {
  const writes = records.writes
    .filter(({ outcome }) => outcome === 'acknowledged')
    .map(({ returnedAtMs }) => returnedAtMs);
  const reads = records.reads
    .filter(({ consistency }) => consistency === 'linearizable')
    .map(({ returnedAtMs }) => returnedAtMs);
  const { readsBegun } = records;
  return { writes: writes.toSorted(ascending), reads: reads.toSorted(ascending), readsBegun };
}

function collectCounts(world: World): void {
  const { coverage, network, ledger, machines, watchers, timeline, wellness } = world;
  const { counts } = network;
  coverage.count('healthyTimes', wellness.healthyTimes().length);
  coverage.count('configurationsCommitted', ledger.membership.changes);
  coverage.count('elections', ledger.elections);
  coverage.count('snapshotsResumed', counts.resumed);
  coverage.count('lostMessages', counts.lost);
  coverage.count('repeatedMessages', counts.duplicated);
  coverage.count('retransmissions', counts.retransmitted);
  coverage.count('brokenStreams', counts.broken);
  for (const { disk } of machines) {
    const segments = disk.files.paths().filter((path) => path.endsWith('.wal'));
    coverage.count('segments', Math.max(0, segments.length - 1));
  }
  const [first] = watchers;
  const changes = (first?.messages ?? []).flatMap((message) => message.changes);
  coverage.count('expiries', changes.filter(({ expired }) => expired === true).length);
  timeline.note(coverage.toString());
}
