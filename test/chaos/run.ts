// npm run chaos -- --minutes N --faults a,b --seed S --nodes 3|5, and npm run test:chaos, which is short. A long command is
// several runs with seeds of their own, each judged by itself, so that its history fits into memory.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openContainerArena, whyNoContainers } from './arena/container-arena.ts';
import { runCampaign } from './campaign.ts';
import type { FaultKind } from './faults/fault.ts';
import { type ChaosOptions, parseOptions } from './options.ts';
import { type Judged, linesOf, outcomeOf, strikesOf, summaryOf, tableOf } from './outcome.ts';
import { ProgressLine } from './progress-line.ts';
import { writeReport } from './report/write-report.ts';
import { judge } from './verdict/judge.ts';
import { loadHistory } from './verdict/load-history.ts';

const maxRunMinutes = 4;
const exitCodes = { clean: 0, violation: 1, void: 3, failed: 4, interrupted: 130 } as const;
/** To heal what was struck when a run is interrupted. */
const graceMs = 20_000;

interface Plan {
  readonly seed: number;
  readonly minutes: number;
  readonly kinds: readonly FaultKind[];
}

/** A run for each few minutes, or for each fault by itself. */
function plansOf({ each, kinds, minutes, seed }: ChaosOptions): readonly Plan[] {
  if (each) return kinds.map((kind) => ({ seed, minutes, kinds: [kind] }));
  const count = Math.ceil(minutes / maxRunMinutes);
  return Array.from({ length: count }, (_, at) => {
    const left = Math.round((minutes - at * maxRunMinutes) * 1000) / 1000;
    return { seed: seed + at, minutes: Math.min(maxRunMinutes, left), kinds };
  });
}

const replayLine = ({ nodes, compose }: ChaosOptions, { seed, minutes, kinds }: Plan): string =>
  `npm run chaos -- ${compose ? '--compose ' : ''}--seed ${seed} --nodes ${nodes} --faults ${kinds.join(',')} --minutes ${minutes}`;

async function runOne(
  options: ChaosOptions,
  plan: Plan,
  kills: number | undefined,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<Judged | undefined> {
  const { seed, minutes, kinds } = plan;
  const directory = directoryOf(options, plan);
  const { nodes, main } = options;
  line.say(
    `seed ${seed}: ${nodes} nodes, ${minutes} minutes${options.each ? ` of ${kinds.join()}` : ''}`,
  );
  const run = await runCampaign({
    seed,
    nodes,
    kinds,
    kills,
    durationMs: minutes * 60_000,
    directory,
    ...(main === undefined ? {} : { main }),
    ...(options.compose ? { open: openContainerArena } : {}),
    replay: replayLine(options, plan),
    signal,
    tell: (text) => line.say(`  ${text}`),
    progress: (now) => line.show(now),
  });
  line.end();
  if (signal.aborted) {
    line.say(`seed ${seed}: interrupted after ${run.faults.length} faults, not judged`);
    if (options.keep === undefined) rmSync(directory, { recursive: true });
    return undefined;
  }
  const loaded = await loadHistory(directory);
  const verdict = judge(loaded);
  const report = await writeReport(directory, loaded, verdict);
  if (options.report !== undefined) {
    mkdirSync(dirname(options.report), { recursive: true });
    copyFileSync(report, options.report);
  }
  const keeps = options.keep !== undefined || verdict.outcome !== 'clean';
  if (!keeps) rmSync(directory, { recursive: true });
  return { run, verdict, kept: keeps ? directory : undefined };
}

function directoryOf({ keep, each }: ChaosOptions, { seed, kinds }: Plan): string {
  if (keep === undefined) return mkdtempSync(join(tmpdir(), `rollcall-chaos-${seed}-`));
  const directory = join(keep, each ? kinds.join() : `seed-${seed}`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Runs until the time is over, the kills are done, a guarantee did not hold, or it is interrupted. Each fault by itself is run
 * whatever the others brought. */
async function runAll(
  options: ChaosOptions,
  line: ProgressLine,
  signal: AbortSignal,
  judged: Judged[],
): Promise<void> {
  for (const plan of plansOf(options)) {
    const killed = strikesOf(judged).get('killLeader') ?? 0;
    const kills = options.kills === undefined ? undefined : options.kills - killed;
    if (signal.aborted || (kills !== undefined && kills <= 0)) break;
    const one = await runOne(options, plan, kills, line, signal);
    if (one === undefined) break;
    judged.push(one);
    for (const text of linesOf(one)) line.say(text);
    if (one.verdict.outcome === 'violation' && !options.each) break;
  }
}

/** Of all runs of this command. Nothing was judged where the harness itself failed, unless something was before. */
async function runCommand(
  options: ChaosOptions,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<keyof typeof exitCodes> {
  const judged: Judged[] = [];
  let failure: keyof typeof exitCodes | undefined;
  try {
    await runAll(options, line, signal, judged);
  } catch (error) {
    line.end();
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    line.say(`FAILED: ${reason}`);
    failure = 'failed';
  }
  if (options.each) for (const row of tableOf(judged)) line.say(row);
  for (const text of summaryOf(judged)) line.say(text);
  const found = outcomeOf(judged);
  const outcome = signal.aborted
    ? 'interrupted'
    : found === 'violation'
      ? found
      : (failure ?? found);
  if (options.json) {
    const runs = judged.map(({ run: { seed, nodes, replay, skipped, faults }, verdict }) => ({
      seed,
      nodes,
      replay,
      skipped,
      faults,
      verdict,
    }));
    process.stdout.write(`${JSON.stringify({ outcome, runs })}\n`);
  }
  return outcome;
}

const options = await parseOptions(process.argv);
const noContainers = options.compose ? whyNoContainers() : undefined;
if (noContainers !== undefined) {
  process.stderr.write(`chaos: ${noContainers}\n`);
  process.exit(2);
}
const line = new ProgressLine(options.json ? process.stderr : process.stdout);
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // The handler stays: without one the arena would end this process at the second signal, and at the first.
  process.on(signal, () => {
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
    line.say(`${signal}: healing and clearing up; once more to stop at once`);
    interrupt.abort();
    // What does not come back by itself is cleared away by the arena when this process ends.
    setTimeout(() => process.exit(exitCodes.interrupted), graceMs).unref();
  });
}
process.on('uncaughtException', (error) => {
  line.end();
  line.say(`FAILED: ${error.stack ?? error.message}`);
  process.exit(interrupt.signal.aborted ? exitCodes.interrupted : exitCodes.failed);
});
process.exitCode = exitCodes[await runCommand(options, line, interrupt.signal)];
