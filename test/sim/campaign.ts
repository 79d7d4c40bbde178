// Many seeds in a row: progress, speed, what was covered, and now and then a seed run twice.
import { Coverage } from './coverage.ts';
import type { Plan } from './plan.ts';
import { type RunReport, runPlan } from './run-plan.ts';

export interface CampaignOptions {
  readonly firstSeed: number;
  /** Stops when one of the two is reached. */
  readonly seeds: number;
  readonly minutes: number;
  readonly draw: (seed: number) => Plan;
  readonly now: () => number;
  readonly print: (line: string) => void;
}

export interface CampaignReport {
  readonly failed: RunReport | undefined;
  readonly coverage: Coverage;
  readonly seeds: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly wallMs: number;
  /** Of the runs with three nodes and 20 operations a second: what the speed of the simulator is stated for. */
  readonly usual: { readonly simulatedMs: number; readonly wallMs: number };
}

const TWICE_EVERY = 25;
const PROGRESS_MS = 10_000;

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { firstSeed, draw, now, print } = options;
  const beganMs = now();
  const coverage = new Coverage();
  let simulatedMs = 0;
  let events = 0;
  let seeds = 0;
  const usual = { simulatedMs: 0, wallMs: 0 };
  let failed: RunReport | undefined;
  let toldMs = beganMs;
  while (seeds < options.seeds && now() < beganMs + options.minutes * 60_000) {
    const seed = firstSeed + seeds++;
    const plan = draw(seed);
    const runBeganMs = now();
    let report = await runPlan(plan);
    if (isUsual(plan)) {
      usual.simulatedMs += report.simulatedMs;
      usual.wallMs += now() - runBeganMs;
    }
    if (seeds % TWICE_EVERY === 0) report = await twice(report, plan);
    coverage.add(report.coverage);
    simulatedMs += report.simulatedMs;
    events += report.events;
    if (report.violations.length > 0) {
      failed = report;
      break;
    }
    if (now() < toldMs + PROGRESS_MS) continue;
    toldMs = now();
    print(speed({ seeds, simulatedMs, events, wallMs: toldMs - beganMs }));
  }
  return { failed, coverage, seeds, simulatedMs, events, wallMs: now() - beganMs, usual };
}

const isUsual = ({ parameters }: Plan): boolean =>
  parameters.nodes.length === 3 && parameters.operationsPerSecond === 20;

async function twice(first: RunReport, plan: Plan): Promise<RunReport> {
  const second = await runPlan(plan);
  if (second.hash === first.hash) return first;
  const evidence = `the same seed ran as ${first.hash} and as ${second.hash}`;
  return { ...first, violations: [...first.violations, { guarantee: 'determinism', evidence }] };
}

export function speed({
  seeds,
  simulatedMs,
  events,
  wallMs,
}: Pick<CampaignReport, 'seeds' | 'simulatedMs' | 'events' | 'wallMs'>): string {
  const perSecond = (count: number): string => ((count * 1000) / wallMs).toFixed(1);
  return (
    `${seeds} seeds in ${(wallMs / 1000).toFixed(0)} s: ${perSecond(seeds)} seeds, ` +
    `${perSecond(simulatedMs / 1000)} simulated seconds and ${perSecond(events)} events per second`
  );
}

/** In words, of the runs with three nodes and 20 operations a second; undefined where there was none. */
export function usualSpeed({ usual }: CampaignReport): string | undefined {
  if (usual.wallMs === 0) return undefined;
  const ratio = usual.simulatedMs / usual.wallMs;
  return `three nodes, 20 operations a second: ${ratio.toFixed(1)} simulated seconds per second`;
}
