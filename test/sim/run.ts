// npm run sim -- --seed N [--trace] [--shrink] replays one seed; npm run sim -- --minutes N runs seeds until then.
import { Command } from 'commander';
import { present } from '../../src/lib/assert.ts';
import { runCampaign, speed, usualSpeed } from './campaign.ts';
import { drawPlan, type Plan } from './plan.ts';
import { readRegressions, writeRegression } from './regression.ts';
import { type RunReport, runPlan } from './run-plan.ts';
import { shrinkPlan } from './shrink.ts';
import type { WorldOptions } from './world.ts';

interface Options {
  readonly seed: string;
  readonly count: string;
  readonly minutes?: string;
  readonly chaosMs: string;
  readonly regression?: string;
  readonly trace?: boolean;
  readonly shrink?: boolean;
}

const DEFAULT_CHAOS_MS = '7000';
const MAX_SHRINK_RUNS = 400;
const MAX_FINDINGS = 5;

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const tell = (atMs: number, who: string, what: string): void =>
  print(`${atMs.toFixed(3).padStart(10)} ${who.padEnd(6)} ${what}`);

async function runOne(plan: Plan, options: Options): Promise<void> {
  const began = performance.now();
  const traced: WorldOptions = options.trace === true ? { tell } : {};
  const report = await runPlan(plan, traced);
  const wallMs = performance.now() - began;
  print(report.coverage.toString());
  print(
    `seed ${report.seed}: hash ${report.hash}, ${report.events} events, ${report.revisions} revisions, ` +
      `${report.undecided} instances not searched, ${(report.simulatedMs / 1000).toFixed(1)} simulated s in ${wallMs.toFixed(0)} ms`,
  );
  if (report.violations.length > 0) await fail(report, plan, options);
}

async function runMany(options: Options): Promise<void> {
  const { seed, count, minutes, chaosMs } = options;
  const report = await runCampaign({
    firstSeed: Number(seed),
    seeds: minutes === undefined ? Number(count) : Number.POSITIVE_INFINITY,
    minutes: minutes === undefined ? Number.POSITIVE_INFINITY : Number(minutes),
    draw: (number) => drawPlan(number, Number(chaosMs)),
    now: () => performance.now(),
    print,
  });
  print(report.coverage.toString());
  print(speed(report));
  const usual = usualSpeed(report);
  if (usual !== undefined) print(usual);
  const { failed, coverage } = report;
  if (failed !== undefined) {
    await fail(failed, drawPlan(failed.seed, Number(chaosMs)), options);
  } else if (coverage.missing.length > 0) {
    print(`void: nothing of ${coverage.missing.join(', ')} was met`);
    process.exitCode = 1;
  }
}

async function fail(report: RunReport, plan: Plan, options: Options): Promise<void> {
  process.exitCode = 1;
  for (const { guarantee, evidence } of report.violations.slice(0, MAX_FINDINGS)) {
    print(`VIOLATION ${guarantee}: ${evidence}`);
  }
  const chaos = options.chaosMs === DEFAULT_CHAOS_MS ? '' : ` --chaos-ms ${options.chaosMs}`;
  const which =
    options.regression === undefined
      ? `--seed ${report.seed}`
      : `--regression ${options.regression}`;
  print(`replay: npm run sim -- ${which}${chaos}`);
  if (options.shrink === true) await shrink(report, plan);
}

async function shrink(report: RunReport, plan: Plan): Promise<void> {
  const first = present(report.violations[0], 'a failed run has a violation');
  const small = await shrinkPlan(plan, {
    maxRuns: MAX_SHRINK_RUNS,
    fails: async (candidate) => {
      const { violations } = await runPlan(candidate);
      return violations.some(({ guarantee }) => guarantee === first.guarantee);
    },
    progress: (left, runs) => print(`${left} of ${plan.actions.length} actions left, ${runs} runs`),
  });
  print(`shrunk: ${writeRegression(small, first)}`);
}

await new Command('sim')
  .description('runs the whole system on simulated time and checks every guarantee')
  .option('--seed <n>', 'which run, or the first of many', '1')
  .option('--count <n>', 'how many seeds from there on', '1')
  .option('--minutes <n>', 'run seeds until so many minutes have passed')
  .option('--chaos-ms <n>', 'simulated milliseconds of faults', DEFAULT_CHAOS_MS)
  .option('--regression <name>', 'replay a file of test/sim/regressions instead')
  .option('--trace', 'print what happened, line by line')
  .option('--shrink', 'cut a failing plan down to a file under test/sim/regressions')
  .action(async (options: Options) => {
    const { seed, count, minutes, chaosMs, regression } = options;
    if (regression !== undefined) {
      const kept = readRegressions().find(({ name }) => name === regression);
      await runOne(present(kept, `there is a regression named ${regression}`).plan, options);
    } else if (minutes === undefined && count === '1') {
      await runOne(drawPlan(Number(seed), Number(chaosMs)), options);
    } else await runMany(options);
  })
  .parseAsync();
