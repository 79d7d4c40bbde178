// npm run chaos -- --minutes N --faults a,b --seed S --nodes 3|5, and npm run test:chaos, which is short. A long command is
// several runs with seeds of their own, each judged by itself, so that its history fits into memory.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runCampaign } from './campaign.ts';
import { type ChaosOptions, parseOptions } from './options.ts';
import { type Judged, linesOf, outcomeOf, strikesOf, summaryOf } from './outcome.ts';
import { ProgressLine } from './progress-line.ts';
import { writeReport } from './report/write-report.ts';
import { judge } from './verdict/judge.ts';
import { loadHistory } from './verdict/load-history.ts';

const maxRunMinutes = 4;
const exitCodes = { clean: 0, violation: 1, void: 3 } as const;
const interruptedCode = 130;

function replayLine(options: ChaosOptions, seed: number, minutes: number): string {
  const { nodes, kinds } = options;
  return `npm run chaos -- --seed ${seed} --nodes ${nodes} --faults ${kinds.join(',')} --minutes ${minutes}`;
}

interface Plan {
  readonly seed: number;
  readonly minutes: number;
  readonly kills: number | undefined;
}

async function runOne(
  options: ChaosOptions,
  plan: Plan,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<Judged | undefined> {
  const { seed, minutes, kills } = plan;
  const directory = directoryOf(options, seed);
  const { nodes, kinds, main } = options;
  line.say(`seed ${seed}: ${nodes} nodes, ${minutes} minutes`);
  const run = await runCampaign({
    seed,
    nodes,
    kinds,
    kills,
    durationMs: minutes * 60_000,
    directory,
    ...(main === undefined ? {} : { main }),
    replay: replayLine(options, seed, minutes),
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

function directoryOf({ keep }: ChaosOptions, seed: number): string {
  if (keep === undefined) return mkdtempSync(join(tmpdir(), `rollcall-chaos-${seed}-`));
  const directory = join(keep, `seed-${seed}`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Runs until the time is over, the kills are done, something is wrong, or it is interrupted. */
async function runAll(
  options: ChaosOptions,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<readonly Judged[]> {
  const judged: Judged[] = [];
  let minutesLeft = options.minutes;
  for (let seed = options.seed; minutesLeft > 0 && !signal.aborted; seed++) {
    const minutes = Math.min(maxRunMinutes, minutesLeft);
    minutesLeft = Math.round((minutesLeft - minutes) * 1000) / 1000;
    const killed = strikesOf(judged).get('killLeader') ?? 0;
    const kills = options.kills === undefined ? undefined : options.kills - killed;
    if (kills !== undefined && kills <= 0) break;
    const one = await runOne(options, { seed, minutes, kills }, line, signal);
    if (one === undefined) break;
    judged.push(one);
    for (const text of linesOf(one)) line.say(text);
    if (one.verdict.outcome === 'violation') break;
  }
  return judged;
}

const options = await parseOptions(process.argv);
const line = new ProgressLine(options.json ? process.stderr : process.stdout);
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    line.say(`${signal}: healing and clearing up`);
    interrupt.abort();
  });
}
const judged = await runAll(options, line, interrupt.signal);
for (const text of summaryOf(judged)) line.say(text);
if (options.json) {
  const runs = judged.map(({ run, verdict }) => {
    const { seed, nodes, replay, skipped, faults } = run;
    return { seed, nodes, replay, skipped, faults, verdict };
  });
  process.stdout.write(`${JSON.stringify({ outcome: outcomeOf(judged), runs })}\n`);
}
process.exitCode = interrupt.signal.aborted ? interruptedCode : exitCodes[outcomeOf(judged)];
