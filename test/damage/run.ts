// npm run test:damage [-- --quick]: every file of a node is damaged in every way, one at a time, on server processes that go on
// serving. What becomes of it is compared with what is promised.
import { Command, Option } from 'commander';
import { type Outcome, runCell } from './cell.ts';
import { type Cell, cellsOf, type Choice, quickCells, roles } from './cells.ts';
import { damageKinds } from './damages.ts';
import { Field, type LogKind, logKinds } from './field.ts';
import { fileClasses } from './file-classes.ts';
import { lineOf, markdown, record } from './report.ts';

interface Options extends Choice {
  readonly log?: readonly LogKind[];
  readonly seed: string;
  readonly patience: string;
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly record?: boolean;
}

interface Run {
  readonly seed: number;
  readonly patienceMs: number;
  readonly report: (outcome: Outcome) => void;
  /** No further cell is begun. */
  readonly signal: AbortSignal;
}

/** The cells of one kind of log, one after the other. A cluster that did not become well again is given up for a new one. */
async function runCells(logs: LogKind, cells: readonly Cell[], run: Run): Promise<void> {
  let field: Field | undefined;
  try {
    for (const cell of cells) {
      if (run.signal.aborted) return;
      field ??= await Field.start(logs, run.patienceMs);
      const began = performance.now();
      try {
        run.report(await runCell(field, cell, run.seed));
      } catch (error) {
        if (run.signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        const wrong = [reason, ...field.truth.verdict()];
        const ms = performance.now() - began;
        run.report({ cell, ending: undefined, story: 'it did not come to an end', wrong, ms });
        await field.close();
        field = undefined;
      }
    }
  } finally {
    await field?.close();
  }
}

/** All clusters are gone when this ends, however it ends. */
async function runAll(cells: readonly Cell[], run: Omit<Run, 'signal'>): Promise<void> {
  const stop = new AbortController();
  const interrupted = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
  const ended = await Promise.allSettled(
    logKinds.map(async (logs) => {
      const own = cells.filter((cell) => cell.logs === logs);
      await runCells(logs, own, { ...run, signal: stop.signal });
    }),
  );
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}

const minutes = (ms: number): string => `${(ms / 60_000).toFixed(1)} min`;

async function main(options: Options): Promise<number> {
  const seed = Number(options.seed);
  const patienceMs = Number(options.patience) * 1000;
  const cells = options.quick === true ? quickCells : cellsOf({ ...options, logs: options.log });
  const print = (text: string): void => {
    if (options.json !== true) process.stdout.write(`${text}\n`);
  };
  const began = performance.now();
  const outcomes: Outcome[] = [];
  const report = (outcome: Outcome): void => {
    outcomes.push(outcome);
    const left = ((performance.now() - began) / outcomes.length) * (cells.length - outcomes.length);
    print(`[${outcomes.length}/${cells.length}, ${minutes(left)} left] ${lineOf(outcome, seed)}`);
  };
  print(`${cells.length} cells, seed ${seed}`);
  await runAll(cells, { seed, patienceMs, report });
  const wrong = outcomes.filter((outcome) => outcome.wrong.length > 0);
  const empty = outcomes.filter(
    ({ ending, wrong: own }) => ending === undefined && own.length === 0,
  );
  const summary =
    `${outcomes.length} cells, seed ${seed}: ${outcomes.length - wrong.length - empty.length} as promised, ` +
    `${empty.length} with nothing to damage, ${wrong.length} wrong.`;
  print(`\n${markdown(outcomes)}\n`);
  for (const outcome of wrong) print(lineOf(outcome, seed));
  print(`${summary} In ${minutes(performance.now() - began)}`);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ seed, outcomes })}\n`);
  if (options.record === true) record(outcomes, summary);
  return wrong.length > 0 || outcomes.length < cells.length ? 1 : 0;
}

const several = (flags: string, what: string, choices: readonly string[]): Option =>
  new Option(`${flags} <names...>`, what).choices(choices);

await new Command('test:damage')
  .description(
    'damages every file of a node in every way, and compares what becomes of it with what is promised',
  )
  .option('--quick', 'a dozen cells')
  .addOption(several('--only', 'files of these kinds', fileClasses))
  .addOption(several('--damage', 'these damages', damageKinds))
  .addOption(
    several('--role', 'what the node was: follower, leader, or follower with another away', roles),
  )
  .addOption(several('--log', 'clusters with whole or trimmed logs', logKinds))
  .option('--seed <n>', 'who is struck, and where in the file', '1')
  .option('--patience <seconds>', 'for each thing that is waited for', '90')
  .option('--json', 'the outcomes as JSON, and nothing else')
  .option('--record', 'puts the table into docs/testing.md')
  .action(async (options: Options) => {
    process.exitCode = await main(options);
  })
  .parseAsync();
