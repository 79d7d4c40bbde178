// npm run fuzz: every reader of bytes, for as many cases as asked. A failure prints the line that repeats it.
import { Worker } from 'node:worker_threads';
import { Command, Option } from 'commander';
import * as fc from 'fast-check';
import type { Target } from './target.ts';
import { targets } from './targets.ts';
import type { Watched } from './watchdog.ts';

const batchCases = 1000;
/** A case that takes longer is a defect, on a machine that has much else to do, too. */
const slowMs = 5_000;
const hangMs = 30_000;

interface Options {
  readonly seed: string;
  readonly cases: string;
  readonly target?: string;
  readonly path?: string;
}

interface Tally {
  cases: number;
  slowestMs: number;
}

const watched: Watched = {
  counter: new Int32Array(new SharedArrayBuffer(4)).fill(-1),
  line: new Uint8Array(new SharedArrayBuffer(512)),
  limitMs: hangMs,
};

const replayLine = (target: Target, seed: number): string =>
  `npm run fuzz -- --target ${target.name} --seed ${seed}`;

/** Runs one batch; the error in words where it fails. */
async function runBatch(
  target: Target,
  batch: { readonly seed: number; readonly numRuns: number; readonly path?: string },
  tally: Tally,
): Promise<string | undefined> {
  const { counter, line } = watched;
  const replay = replayLine(target, batch.seed);
  line.fill(0).set(Buffer.from(replay));
  Atomics.store(counter, 0, 0);
  let beganMs = performance.now();
  const settle = (): void => {
    tally.slowestMs = Math.max(tally.slowestMs, performance.now() - beganMs);
  };
  const details = await fc.check(
    target.property(() => {
      if (Atomics.add(counter, 0, 1) > 0) settle();
      beganMs = performance.now();
      tally.cases++;
    }),
    batch,
  );
  settle();
  Atomics.store(counter, 0, -1);
  if (details.failed) {
    const path = details.counterexamplePath ?? '';
    const error = details.errorInstance instanceof Error ? details.errorInstance.stack : '';
    return `${error}\nreplay: ${replay} --path ${path}`;
  }
  if (tally.slowestMs > slowMs) {
    return `a case took ${Math.round(tally.slowestMs)} ms\nreplay: ${replay} --cases ${batch.numRuns}`;
  }
  return undefined;
}

async function runTarget(target: Target, cases: number, seed: number): Promise<boolean> {
  const tally: Tally = { cases: 0, slowestMs: 0 };
  const beganMs = performance.now();
  for (let done = 0; done < cases; done += batchCases) {
    const numRuns = Math.min(batchCases, cases - done);
    const failure = await runBatch(target, { seed: seed + done / batchCases, numRuns }, tally);
    if (failure !== undefined) {
      process.stdout.write(`${target.name}: FAILED after ${tally.cases} cases\n${failure}\n`);
      return false;
    }
    if (process.stdout.isTTY) process.stdout.write(`\r${target.name}: ${tally.cases}/${cases}`);
  }
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  const slowest = tally.slowestMs.toFixed(0);
  process.stdout.write(
    `${process.stdout.isTTY ? '\r' : ''}${target.name}: ${tally.cases} cases in ${seconds} s, the slowest ${slowest} ms\n`,
  );
  return true;
}

async function fuzz({ seed, cases, target: only, path }: Options): Promise<void> {
  const chosen = targets.filter(({ name }) => only === undefined || name === only);
  const [first] = chosen;
  const start = Number(seed);
  if (path !== undefined && first !== undefined) {
    const failure = await runBatch(
      first,
      { seed: start, numRuns: 1, path },
      { cases: 0, slowestMs: 0 },
    );
    process.stdout.write(`${failure ?? 'no failure'}\n`);
    process.exitCode = failure === undefined ? 0 : 1;
    return;
  }
  const each = Math.ceil(Number(cases) / chosen.length);
  process.stdout.write(`${chosen.length} targets, ${each} cases each, seed ${start}\n`);
  let failed = 0;
  for (const target of chosen) if (!(await runTarget(target, each, start))) failed++;
  process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

const help = targets.map(({ name, what }) => `  ${name.padEnd(15)}${what}`).join('\n');
const names = targets.map(({ name }) => name);
const watchdog = new Worker(new URL('./watchdog.js', import.meta.url), { workerData: watched });
try {
  await new Command('fuzz')
    .description('feeds every reader of bytes with what it should refuse')
    .option('--seed <n>', 'of the first batch; each batch of 1000 cases has the next one', '1')
    .option('--cases <n>', 'of all targets together', '110000')
    .addOption(new Option('--target <name>', 'only this one').choices(names))
    .option('--path <path>', 'of the case to replay, with its --target and --seed')
    .addHelpText('after', `\nTargets:\n${help}`)
    .action(fuzz)
    .parseAsync();
} finally {
  await watchdog.terminate();
}
