// Hunts one bug with runs of the chaos harness: each a whole campaign on real processes, judged as any other.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Violation } from '../../checkers/history.ts';
import { runCampaign } from '../campaign.ts';
import { judge, type Verdict } from '../verdict/judge.ts';
import { loadHistory } from '../verdict/load-history.ts';
import type { ServerBug } from './server-bug.ts';

export type HuntOutcome =
  | { readonly kind: 'caught'; readonly by: string }
  /** Clean in every run, as a control must be. */
  | { readonly kind: 'survived' }
  /** No run said anything: too little happened, the harness broke, or the patch did not apply. */
  | { readonly kind: 'spoilt'; readonly reason: string };

export interface Hunted {
  readonly outcome: HuntOutcome;
  /** Runs that were begun. */
  readonly runs: number;
  /** Of the last of them. */
  readonly seed: number;
  readonly seconds: number;
}

export interface HuntSettings {
  /** The program with the bug in it. */
  readonly main: string;
  readonly nodes: number;
  /** Of the first run; the next ones count on. */
  readonly seed: number;
  readonly mostRuns: number;
  /** Runs go on until one of them finds something; a control needs one that found nothing. */
  readonly until: 'caught' | 'clean';
  /** Histories stay, and their directories are told. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

export async function hunt(
  { kinds, seconds }: Pick<ServerBug, 'kinds' | 'seconds'>,
  settings: HuntSettings,
): Promise<Hunted> {
  const { mostRuns, until, signal } = settings;
  const startedMs = performance.now();
  const outcomes: HuntOutcome[] = [];
  for (let runs = 1; ; runs++) {
    const seed = settings.seed + runs - 1;
    const outcome = await runOnce(kinds, seconds, seed, settings);
    outcomes.push(outcome);
    const found = outcome.kind === 'caught' || (until === 'clean' && outcome.kind === 'survived');
    if (!found && runs < mostRuns && !signal.aborted) continue;
    const said = outcomes.find(({ kind }) => kind !== 'spoilt') ?? outcome;
    const last = found ? outcome : said;
    return { outcome: last, runs, seed, seconds: (performance.now() - startedMs) / 1000 };
  }
}

async function runOnce(
  kinds: ServerBug['kinds'],
  seconds: number,
  seed: number,
  { main, nodes, keep, signal, tell }: HuntSettings,
): Promise<HuntOutcome> {
  const directory = mkdtempSync(join(tmpdir(), `rollcall-planted-${seed}-`));
  try {
    await runCampaign({
      seed,
      nodes,
      kinds,
      durationMs: seconds * 1000,
      kills: undefined,
      directory,
      main,
      replay: '',
      signal,
      tell: (line) => tell(`  ${line}`),
      progress: () => undefined,
    });
    // Writes that were still open have no record: what is left of the history explains nothing.
    if (signal.aborted) return { kind: 'spoilt', reason: 'interrupted' };
    return outcomeOf(judge(await loadHistory(directory)), directory);
  } catch (error) {
    return { kind: 'spoilt', reason: `seed ${seed}: ${String(error)}` };
  } finally {
    if (keep) tell(`  seed ${seed} is kept in ${directory}`);
    else rmSync(directory, { recursive: true, force: true });
  }
}

function outcomeOf({ violations, voids }: Verdict, directory: string): HuntOutcome {
  const telling = violations.filter((violation) => tells(violation, directory));
  const [first] = telling.toSorted((one, other) => rank(one) - rank(other));
  if (first !== undefined) return { kind: 'caught', by: describe(first, directory) };
  const reasons = violations.map(({ guarantee, evidence }) => `${guarantee}: ${evidence}`);
  const reason = reasons[0] ?? voids[0];
  return reason === undefined ? { kind: 'survived' } : { kind: 'spoilt', reason: short(reason) };
}

const endedByItself = /(\w+) ended (?:by itself, )?with exit code (\d+)/;
const brokenInvariant = /"a broken invariant: ([^"]+)"/;

/** What a busy host or a clumsy patch can bring about as well tells nothing: that something took long, or that a process ended
 * over an error that nobody foresaw. A node that stops itself over what it found is what an assertion is for. */
function tells({ guarantee, evidence }: Violation, directory: string): boolean {
  if (/^G1[56]$/.test(guarantee)) return false;
  const ended = endedByItself.exec(evidence);
  if (ended === null) return !/to answer after its start/.test(evidence);
  const [, node = '', code] = ended;
  return code === '11' || code === '12' || invariantOf(node, directory) !== undefined;
}

function invariantOf(node: string, directory: string): string | undefined {
  return brokenInvariant.exec(readFileSync(join(directory, `${node}.log`), 'utf8'))?.[1];
}

/** A checker's word comes before an assertion's. */
const rank = ({ evidence }: Violation): number => (endedByItself.test(evidence) ? 1 : 0);

function describe({ guarantee, evidence, checker }: Violation, directory: string): string {
  const ended = endedByItself.exec(evidence);
  if (ended === null) return `${checker ?? 'harness'}, ${guarantee}: ${short(evidence)}`;
  const [, node = '', code] = ended;
  const invariant = invariantOf(node, directory);
  return `assertion, exit ${code}: ${invariant ?? 'a node that stopped itself'}`;
}

const MAX_EVIDENCE = 140;

function short(text: string): string {
  const [line = ''] = text.split('\n');
  return line.length > MAX_EVIDENCE ? `${line.slice(0, MAX_EVIDENCE)} ...` : line;
}
