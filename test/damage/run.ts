// npm run test:damage [-- --quick]: every file of a node is damaged in every way, one at a time, on server processes that go on
// serving. What becomes of it is compared with what is promised.
import { interruption } from '../support/trials.ts';
import { usageOrExit } from '../support/usage.ts';
import { type Outcome, runCell } from './cell.ts';
import type { Cell } from './cells.ts';
import { Field, type LogKind, logKinds } from './field.ts';
import { type DamageOptions, parseOptions } from './options.ts';
import { lineOf, markdown, record, verdictOf } from './report.ts';

const exitCodes = { promised: 0, wrong: 1, nothing: 3, failed: 4, interrupted: 130 } as const;

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
async function runAll(cells: readonly Cell[], run: Run): Promise<void> {
  const ended = await Promise.allSettled(
    logKinds.map((logs) => {
      const own = cells.filter((cell) => cell.logs === logs);
      return runCells(logs, own, run);
    }),
  );
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}

const minutes = (ms: number): string => `${(ms / 60_000).toFixed(1)} min`;

async function main(
  { cells, seed, patienceMs, json, record: records }: DamageOptions,
  signal: AbortSignal,
): Promise<keyof typeof exitCodes> {
  const print = (text: string): void => {
    if (!json) process.stdout.write(`${text}\n`);
  };
  const began = performance.now();
  const outcomes: Outcome[] = [];
  const report = (outcome: Outcome): void => {
    outcomes.push(outcome);
    const left = ((performance.now() - began) / outcomes.length) * (cells.length - outcomes.length);
    print(`[${outcomes.length}/${cells.length}, ${minutes(left)} left] ${lineOf(outcome, seed)}`);
  };
  print(`${cells.length} cells, seed ${seed}`);
  await runAll(cells, { seed, patienceMs, report, signal });
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
  if (json) process.stdout.write(`${JSON.stringify({ seed, outcomes })}\n`);
  const complete = outcomes.length === cells.length;
  if (records && complete) record(outcomes, summary);
  return verdictOf(outcomes, cells.length);
}

const options = usageOrExit(parseOptions);
try {
  process.exitCode = exitCodes[await main(options, interruption())];
} catch (error) {
  console.error(error);
  process.exitCode = exitCodes.failed;
}
