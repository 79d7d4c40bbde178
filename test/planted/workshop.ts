// Makes a patched copy of the sources and lets a hunter loose on it, in a process of its own.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hunter, Patch, PlantedBug } from './bug.ts';

/** What a hunter came back with. */
export type Outcome =
  | { readonly kind: 'caught'; readonly by: string }
  | { readonly kind: 'survived'; readonly after: string }
  /** The bug could not be planted, or the hunter itself broke. */
  | { readonly kind: 'spoilt'; readonly reason: string };

const LIMIT_MS = 180_000;

export interface Workshop {
  readonly root: string;
  /** Schedules to try before a bug counts as having survived, and where they begin. */
  readonly schedules: number;
  readonly seed: number;
}

export async function hunt(workshop: Workshop, bug: PlantedBug): Promise<Outcome> {
  const directory = join(workshop.root, '.tmp', 'planted', bug.name.replaceAll(/\W+/g, '-'));
  rmSync(directory, { recursive: true, force: true });
  copySources(workshop.root, directory);
  for (const patch of bug.patches) {
    const problem = plant(directory, patch);
    if (problem !== undefined) return { kind: 'spoilt', reason: problem };
  }
  const outcome = await letLoose(workshop, directory, bug.hunter);
  // What could not be judged stays, to be looked at.
  if (outcome.kind !== 'spoilt') rmSync(directory, { recursive: true, force: true });
  return outcome;
}

function letLoose(workshop: Workshop, directory: string, hunter: Hunter): Promise<Outcome> {
  switch (hunter.kind) {
    case 'schedules':
      return runSchedules(workshop, directory);
    case 'tests':
      return runTests(workshop, directory, hunter.files);
  }
}

const COPIED = [
  'src',
  'test',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'vitest.config.ts',
];

function copySources(root: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const name of COPIED) cpSync(join(root, name), join(directory, name), { recursive: true });
  symlinkSync(join(root, 'proto'), join(directory, 'proto'));
}

function plant(directory: string, { file, find, replace }: Patch): string | undefined {
  const path = join(directory, 'src', file);
  const source = readFileSync(path, 'utf8');
  const places = source.split(find).length - 1;
  if (places !== 1) return `"${find}" stands ${places} times in ${file}; the patch needs one place`;
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  return undefined;
}

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(command: string, args: readonly string[], cwd: string): Promise<Finished> {
  return new Promise((resolve) => {
    const options = { cwd, timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 1 << 26 } as const;
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Types are not checked: a patch may leave something unused, or go through a door that the types keep shut. */
const COMPILE = ['--noCheck', '--noEmit', 'false', '--outDir', 'build', '--rootDir', '.'];

async function runSchedules(workshop: Workshop, directory: string): Promise<Outcome> {
  const tsconfig = join(directory, 'tsconfig.schedules.json');
  const files = ['test/raft/schedules/run.ts'];
  writeFileSync(tsconfig, JSON.stringify({ extends: './tsconfig.json', include: [], files }));
  const compiler = join(workshop.root, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiled = await start(process.execPath, [compiler, '-p', tsconfig, ...COMPILE], directory);
  if (compiled.code !== 0) return { kind: 'spoilt', reason: compiled.stdout.trim() };
  const { schedules, seed } = workshop;
  const runner = join('build', 'test', 'raft', 'schedules', 'run.js');
  const args = [runner, '--json', '--count', String(schedules), '--seed', String(seed)];
  const { code, stdout, stderr } = await start(process.execPath, args, directory);
  const report = parseReport(stdout);
  if (report === undefined) {
    return { kind: 'spoilt', reason: `exit ${code}: ${(stderr || stdout).trim()}` };
  }
  if (report.check === undefined) {
    return { kind: 'survived', after: `${report.schedules} schedules, seed ${seed}` };
  }
  if (report.check === 'error') return { kind: 'spoilt', reason: report.message ?? 'an error' };
  return {
    kind: 'caught',
    by: `${report.check}, after ${report.schedules} schedules, seed ${seed}`,
  };
}

interface ScheduleReport {
  readonly schedules: number;
  readonly check?: string;
  readonly message?: string;
}

function parseReport(stdout: string): ScheduleReport | undefined {
  try {
    return JSON.parse(stdout) as ScheduleReport;
  } catch {
    return undefined;
  }
}

interface TestReport {
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

async function runTests(
  workshop: Workshop,
  directory: string,
  files: readonly string[],
): Promise<Outcome> {
  const vitest = join(workshop.root, 'node_modules', 'vitest', 'vitest.mjs');
  const reportFile = join(directory, 'report.json');
  const args = [
    vitest,
    'run',
    '--root',
    directory,
    '--reporter',
    'json',
    '--outputFile',
    reportFile,
  ];
  const paths = files.map((file) => join('test', file));
  const { code, stdout, stderr } = await start(process.execPath, [...args, ...paths], directory);
  let report: TestReport;
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8')) as TestReport;
  } catch {
    return { kind: 'spoilt', reason: `exit ${code}: ${(stderr || stdout).trim()}` };
  }
  const failed = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'failed');
  const first = failed[0];
  if (first) {
    const more = failed.length > 1 ? ` and ${failed.length - 1} more` : '';
    return { kind: 'caught', by: `the test "${first.fullName}"${more}` };
  }
  // A file that does not even load has no failed tests, and shows nothing.
  const broken = report.testResults.find(({ message }) => message !== '');
  if (broken || report.numTotalTests === 0 || code !== 0) {
    return { kind: 'spoilt', reason: broken?.message ?? `no test ran (exit ${code})` };
  }
  return { kind: 'survived', after: `${report.numTotalTests} tests of ${files.join(', ')}` };
}
