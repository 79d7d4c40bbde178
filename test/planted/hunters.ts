// Lets a hunter loose in a folder with a bug in it, in a process of its own, and reads what it came back with.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hunter } from './bug.ts';
import { type Finished, start } from './process.ts';

export type Outcome =
  | { readonly kind: 'caught'; readonly by: string; readonly after: string }
  | { readonly kind: 'survived'; readonly after: string }
  /** The bug could not be planted, or the hunter itself broke. */
  | { readonly kind: 'spoilt'; readonly reason: string };

export interface HuntOptions {
  readonly root: string;
  /** Schedules, and simulated seeds, to try before a bug counts as having survived. */
  readonly schedules: number;
  readonly seeds: number;
  /** The first seed of both. */
  readonly seed: number;
  /** Told now and then how far a long hunt has come. */
  readonly progress: (text: string) => void;
}

const LIMIT_MS = 180_000;
/** 2000 seeds on a busy machine. */
const SIMULATION_LIMIT_MS = 3_600_000;

export function letLoose(
  options: HuntOptions,
  directory: string,
  hunter: Hunter,
): Promise<Outcome> {
  switch (hunter.kind) {
    case 'schedules':
      return runSchedules(options, directory);
    case 'tests':
      return runTests(options, directory, hunter.files);
    case 'simulation': {
      const { seed, seeds } = options;
      return simulate(options, directory, ['--seed', String(seed), '--seeds', String(seeds)]);
    }
  }
}

/** Runs one scenario; caught when it fails. */
export function runScenario(
  options: HuntOptions,
  directory: string,
  scenario: string,
): Promise<Outcome> {
  return simulate(options, directory, ['--scenario', scenario]);
}

/** One line of what test/sim/planted/run.ts prints. */
type SimulationLine =
  | { readonly kind: 'progress'; readonly seeds: number }
  | { readonly kind: 'survived'; readonly after: string }
  | { readonly kind: 'caught'; readonly by: string; readonly after: string }
  | { readonly kind: 'broken'; readonly reason: string };

async function simulate(
  { progress }: HuntOptions,
  directory: string,
  args: readonly string[],
): Promise<Outcome> {
  let last: SimulationLine | undefined;
  const runner = join('build', 'test', 'sim', 'planted', 'run.js');
  const finished = await start(process.execPath, [runner, ...args], {
    cwd: directory,
    limitMs: SIMULATION_LIMIT_MS,
    onLine: (line) => {
      last = (parse(line) as SimulationLine | undefined) ?? last;
      if (last?.kind === 'progress') progress(`${last.seeds} seeds`);
    },
  });
  switch (last?.kind) {
    case 'caught':
    case 'survived':
      return last;
    case 'broken':
      return { kind: 'spoilt', reason: last.reason };
    case 'progress':
    case undefined:
      return spoiltBy(finished);
  }
}

interface ScheduleReport {
  readonly schedules: number;
  readonly check?: string;
  readonly message?: string;
}

async function runSchedules({ schedules, seed }: HuntOptions, directory: string): Promise<Outcome> {
  const runner = join('build', 'test', 'raft', 'schedules', 'run.js');
  const args = [runner, '--json', '--count', String(schedules), '--seed', String(seed)];
  const options = { cwd: directory, limitMs: LIMIT_MS };
  const finished = await start(process.execPath, args, options);
  const report = parse(finished.stdout) as ScheduleReport | undefined;
  if (report === undefined) return spoiltBy(finished);
  const after = `${report.schedules} schedules, seed ${seed}`;
  if (report.check === undefined) return { kind: 'survived', after };
  if (report.check === 'error') return { kind: 'spoilt', reason: report.message ?? 'an error' };
  return { kind: 'caught', by: report.check, after };
}

interface TestReport {
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

async function runTests(
  { root }: HuntOptions,
  directory: string,
  files: readonly string[],
): Promise<Outcome> {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reportFile = join(directory, 'report.json');
  const reporter = ['--reporter', 'json', '--outputFile', reportFile];
  const paths = files.map((file) => join('test', file));
  const args = [vitest, 'run', '--root', directory, ...reporter, ...paths];
  const finished = await start(process.execPath, args, { cwd: directory, limitMs: LIMIT_MS });
  let report: TestReport;
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8')) as TestReport;
  } catch {
    return spoiltBy(finished);
  }
  const after = `${report.numTotalTests} tests of ${files.join(', ')}`;
  const failed = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'failed');
  const first = failed[0];
  if (first) {
    const more = failed.length > 1 ? ` and ${failed.length - 1} more` : '';
    return { kind: 'caught', by: `the test "${first.fullName}"${more}`, after };
  }
  // A file that does not even load has no failed tests, and shows nothing.
  const broken = report.testResults.find(({ message }) => message !== '');
  if (broken || report.numTotalTests === 0 || finished.code !== 0) {
    return {
      kind: 'spoilt',
      reason: broken?.message ?? `no test ran (exit ${finished.code})`,
    };
  }
  return { kind: 'survived', after };
}

function spoiltBy({ code, stdout, stderr }: Finished): Outcome {
  return { kind: 'spoilt', reason: `exit ${code}: ${(stderr || stdout).trim()}` };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
