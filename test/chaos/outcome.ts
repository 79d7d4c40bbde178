// What is printed of a run once it is judged, and of all runs of a command together.
import type { FaultKind } from './faults/fault.ts';
import type { RunRecord } from './verdict/evidence.ts';
import { distributionOf, type GapKind } from './verdict/fail-over.ts';
import type { Verdict } from './verdict/judge.ts';

export interface Judged {
  readonly run: RunRecord;
  readonly verdict: Verdict;
  /** Where its histories are, if they were kept. */
  readonly kept: string | undefined;
}

const maxFindings = 20;
const evidenceLimit = 400;

const short = (text: string): string =>
  text.length <= evidenceLimit ? text : `${text.slice(0, evidenceLimit)} ...`;

/** One run. */
export function linesOf({ run, verdict, kept }: Judged): readonly string[] {
  const { counts, violations, voids, outcome } = verdict;
  const { acknowledged, rejected, unknown, reads, messages, resumes, beats, witnessed } = counts;
  const lines = [
    `seed ${run.seed}: ${outcome}; ${acknowledged} writes acknowledged, ${rejected} rejected, ${unknown} unknown; ` +
      `${reads} reads, ${beats} heartbeats, ${witnessed} revisions witnessed, ${messages} watch messages, ${resumes} resumes, ` +
      `${run.faults.length} faults`,
    ...violations
      .slice(0, maxFindings)
      .map(({ guarantee, evidence }) => `VIOLATION ${guarantee}: ${short(evidence)}`),
    ...voids.map((reason) => `VOID: ${short(reason)}`),
  ];
  if (violations.length > maxFindings) lines.push(`and ${violations.length - maxFindings} more`);
  if (kept !== undefined) lines.push(`kept in ${kept}`);
  if (outcome !== 'clean') lines.push(`replay: ${run.replay}`);
  return lines;
}

const gapKinds: readonly GapKind[] = ['kill', 'pause', 'partition', 'powerCutAll'];

/** How long writes stopped, over all runs. Of faults that struck alone. */
function gapLines(judged: readonly Judged[]): readonly string[] {
  const gaps = judged.flatMap(({ verdict }) => verdict.gaps).filter(({ mixed }) => !mixed);
  return gapKinds.flatMap((kind) => {
    const own = gaps.filter((gap) => gap.kind === kind);
    const found = distributionOf(own.flatMap(({ firstAckMs }) => firstAckMs ?? []));
    if (found === undefined) return [];
    const { count, p50Ms, p99Ms, maxMs } = found;
    const [p50, p99, most] = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(0));
    return `fail-over gap after ${kind}: p50 ${p50} ms, p99 ${p99} ms, max ${most} ms (${count})`;
  });
}

/** Kind -> how often it struck, over all runs. */
export function strikesOf(judged: readonly Judged[]): ReadonlyMap<FaultKind, number> {
  const strikes = new Map<FaultKind, number>();
  for (const { run } of judged) {
    for (const { kind } of run.faults) strikes.set(kind, (strikes.get(kind) ?? 0) + 1);
  }
  return strikes;
}

/** The worst of them. */
export function outcomeOf(judged: readonly Judged[]): Verdict['outcome'] {
  const outcomes = judged.map(({ verdict }) => verdict.outcome);
  if (outcomes.includes('violation')) return 'violation';
  return outcomes.includes('void') ? 'void' : 'clean';
}

/** For docs/testing.md: a row for each run, which is of one fault. */
export function tableOf(judged: readonly Judged[]): readonly string[] {
  const rows = judged.map(({ run, verdict }) => {
    const { counts, violations, voids, gaps } = verdict;
    const operations = counts.acknowledged + counts.reads + counts.beats;
    const found = distributionOf(gaps.flatMap(({ firstAckMs }) => firstAckMs ?? []));
    const gap =
      found === undefined ? '' : `${found.p50Ms.toFixed(0)} / ${found.maxMs.toFixed(0)} ms`;
    const rounds = `${run.faults.length}${voids.length > 0 ? ' (void)' : ''}`;
    const name = run.kinds.join() || run.skipped.map(({ kind }) => `${kind} (skipped)`).join();
    return `| ${name} | ${rounds} | ${operations} | ${violations.length} | ${gap} |`;
  });
  return [
    '| fault | rounds | operations | violations | gap p50 / max |',
    '|---|---|---|---|---|',
    ...rows,
  ];
}

/** All runs together. The last line is what a CI looks for. */
export function summaryOf(judged: readonly Judged[]): readonly string[] {
  const strikes = [...strikesOf(judged)].map(([kind, count]) => `${kind} ${count}`);
  const clean = judged.filter(({ verdict }) => verdict.outcome === 'clean').length;
  return [
    `faults: ${strikes.join(', ') || 'none'}`,
    ...gapLines(judged),
    `${clean} passed, ${judged.length - clean} failed`,
  ];
}
