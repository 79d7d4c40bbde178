// The verdict over a whole run's directory, made by the model: clean as it is; with one thing altered, that is what is named.
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WriteRecord } from '../../checkers/history.ts';
import { historySuffix, runFile, type FaultRecord, type Sight } from './evidence.ts';
import { distributionOf, gapsOf } from './fail-over.ts';
import { historyOf, judge } from './judge.ts';
import { loadHistory, type LoadedRun } from './load-history.ts';
import { writeSyntheticRun } from './synthetic-run.ts';

let directory = '';
let loaded: LoadedRun;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-verdict-'));
  await writeSyntheticRun({
    directory,
    seed: 3,
    seconds: 50,
    operationsPerSecond: 60,
    watchers: 3,
    instances: 20,
    faultEveryMs: 6000,
  });
  loaded = await loadHistory(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const withRun = (more: Partial<LoadedRun['run']>): LoadedRun => ({
  ...loaded,
  run: { ...loaded.run, ...more },
});
const guaranteesOf = (run: LoadedRun): readonly string[] => [
  ...new Set(judge(run).violations.map(({ guarantee }) => guarantee)),
];
/** Terms as they were seen, and so many more from a moment on. */
const risen = (fromMs: number, by: number): readonly Sight[] =>
  loaded.run.sights.map((sight) =>
    sight.term === undefined || sight.atMs < fromMs ? sight : { ...sight, term: sight.term + by },
  );
const without = <T extends { readonly returnedAtMs: number }>(
  all: readonly T[],
  fromMs: number,
  toMs: number,
): readonly T[] => all.filter(({ returnedAtMs }) => returnedAtMs < fromMs || returnedAtMs > toMs);

/** From the last fault that anybody notices to the end of the chaos. */
function calmTime(): { readonly fromMs: number; readonly toMs: number } {
  const { faults, healedAtMs } = loaded.run;
  const herd = faults.findIndex(({ kind }) => kind === 'herd');
  return { fromMs: (faults[herd - 1]?.healedAtMs ?? healedAtMs) + 3000, toMs: healedAtMs };
}

const stableIn = (run: LoadedRun): unknown => historyOf(run).leases?.stable;
const voidsOf = (run: LoadedRun): string => {
  const { outcome, voids } = judge(run);
  expect(outcome).not.toBe('clean');
  return voids.join('; ');
};

describe('the verdict', () => {
  test('of a true run is clean, with every count from the histories', () => {
    const verdict = judge(loaded);
    expect(verdict.violations).toEqual([]);
    expect(verdict.voids).toEqual([]);
    expect(verdict.outcome).toBe('clean');
    expect(verdict.counts.acknowledged).toBeGreaterThan(500);
    expect(verdict.counts.witnessed).toBeGreaterThan(400);
    expect(verdict.counts.resumes).toBeGreaterThan(0);
    expect(verdict.gaps.map(({ kind }) => kind)).toEqual([
      'kill',
      'pause',
      'partition',
      'powerCutAll',
    ]);
  });

  test('names state hashes that differ (G12)', () => {
    expect(guaranteesOf(withRun({ hashes: { n1: 'a', n2: 'a', n3: 'b' } }))).toEqual(['G12']);
  });

  test('names five seconds without a write while a majority was well (G15)', () => {
    const { fromMs } = calmTime();
    const writes = loaded.writes.map((write): WriteRecord => {
      if (write.returnedAtMs < fromMs || write.returnedAtMs > fromMs + 5500) return write;
      return { ...write, outcome: 'unknown', revision: 0, changed: false, answers: [] };
    });
    expect(guaranteesOf({ ...loaded, writes })).toEqual(['G15']);
  });

  test('names five seconds without a linearizable read (G15)', () => {
    const { fromMs } = calmTime();
    const reads = without(loaded.reads, fromMs, fromMs + 5500);
    expect(guaranteesOf({ ...loaded, reads })).toEqual(['G15']);
  });

  test('demands nothing of a time in which a client was kept from running', () => {
    const { fromMs } = calmTime();
    const reads = without(loaded.reads, fromMs, fromMs + 5500);
    const stalls = [{ fromMs: fromMs + 2000, toMs: fromMs + 3000 }];
    expect(guaranteesOf({ ...loaded, reads, stalls })).toEqual([]);
  });

  test('names a term that begins in a calm time (G16)', () => {
    const { fromMs } = calmTime();
    expect(guaranteesOf(withRun({ sights: risen(fromMs + 2000, 1) }))).toEqual(['G16']);
  });

  test('names more terms than the faults justify, though they are begun under faults (G16)', () => {
    const [fault] = loaded.run.faults;
    const duringMs = (fault?.atMs ?? 0) + 800;
    expect(guaranteesOf(withRun({ sights: risen(duringMs, 2) }))).toEqual([]);
    expect(guaranteesOf(withRun({ sights: risen(duringMs, 40) }))).toEqual(['G16']);
  });

  test('hands on what the harness itself saw broken', () => {
    const broken = [{ guarantee: 'G14', evidence: 'a wiped node voted' }];
    expect(guaranteesOf(withRun({ broken }))).toEqual(['G14']);
  });

  test('does not hold against a node what it could not do while the host let it not run (G15)', () => {
    const waited = { fromMs: loaded.run.beganAtMs, toMs: loaded.run.beganAtMs + 40_000 };
    const broken = [{ guarantee: 'G15', evidence: 'n2 was not well', waited }];
    expect(guaranteesOf(withRun({ broken }))).toContain('G15');
    const starved = loaded.run.sights.map((sight) => ({ ...sight, waitedMs: 60_000 }));
    const run = withRun({ broken, sights: starved });
    expect(guaranteesOf(run)).toEqual([]);
    expect(voidsOf(run)).toContain('the host was too busy to tell: n2 was not well');
  });

  test('does not demand that silence is noticed by a leader that the host lets not run (G8)', () => {
    const { healedAtMs, endedAtMs, sights } = loaded.run;
    const stable = { fromMs: healedAtMs, toMs: endedAtMs + 10_000 };
    expect(stableIn(withRun({ stable }))).toEqual(stable);
    const starved = { atMs: endedAtMs + 9000, node: sights.at(-1)?.node ?? '', waitedMs: 9000 };
    const lastMs = sights.findLast(({ node }) => node === starved.node)?.atMs;
    expect(stableIn(withRun({ stable, sights: [...sights, starved] }))).toEqual({
      fromMs: healedAtMs,
      toMs: lastMs,
    });
  });
});

describe('a run is void', () => {
  test('where a fault had no effect', () => {
    const faults = loaded.run.faults.map(
      (fault, at): FaultRecord => (at === 1 ? { ...fault, effect: undefined } : fault),
    );
    expect(voidsOf(withRun({ faults }))).toContain('killFollower had no effect');
  });

  test('where no reader resumed', () => {
    expect(voidsOf({ ...loaded, resumes: [] })).toContain('no reader resumed');
  });

  test('where too few writes were acknowledged', () => {
    const writes = loaded.writes.slice(0, 60);
    expect(voidsOf({ ...loaded, writes })).toContain('too few acknowledged writes');
  });

  test('where readers were told nothing while a fault lasted', () => {
    const faults = loaded.run.faults.map((fault) => ({ ...fault, atMs: 1e9, healedAtMs: 1e9 + 1 }));
    expect(voidsOf(withRun({ faults }))).toContain('told anything during a fault');
  });
});

describe('fail-over gaps', () => {
  test('last to the first acknowledgement of a write that began after the strike', () => {
    const [fault] = loaded.run.faults;
    const [begun, answered] = [
      [-30, -20, 50],
      [-10, 40, 180],
    ];
    const writes = loaded.writes.slice(0, 3).map((write, at) => ({
      ...write,
      outcome: 'acknowledged' as const,
      invokedAtMs: 1000 + (begun[at] ?? 0),
      returnedAtMs: 1000 + (answered[at] ?? 0),
    }));
    const faults = fault === undefined ? [] : [{ ...fault, atMs: 1000, healedAtMs: 2000 }];
    const [gap] = gapsOf({ ...withRun({ faults }), writes });
    expect(gap?.firstAckMs).toBe(180);
    expect(gap?.silenceMs).toBe(140);
    expect(gap?.mixed).toBe(false);
  });

  test('are marked where another fault lasted at the same time', () => {
    const [one, two] = loaded.run.faults;
    const faults = [one, two].flatMap((fault) =>
      fault === undefined ? [] : [{ ...fault, atMs: 1000, healedAtMs: 2000 }],
    );
    expect(gapsOf(withRun({ faults }))[0]?.mixed).toBe(true);
  });

  test('are summed up by nearest rank', () => {
    const values = Array.from({ length: 200 }, (_, at) => at + 1);
    expect(distributionOf(values)).toEqual({ count: 200, p50Ms: 100, p99Ms: 198, maxMs: 200 });
    expect(distributionOf([])).toBeUndefined();
  });
});

describe('the histories', () => {
  test('may end in half a line, which is left out and told', async () => {
    const file = join(directory, `readers${historySuffix}`);
    const whole = await readFile(file);
    await appendFile(file, '{"kind":"message","watcher":"w0","mess');
    const cut = await loadHistory(directory);
    await writeFile(file, whole);
    expect(cut.cutShort).toEqual([`readers${historySuffix}`]);
    expect(cut.events).toBe(loaded.events);
    expect(judge(cut).voids).toContain(
      `readers${historySuffix} was cut short: its process was killed`,
    );
  });

  test('may not be broken anywhere else', async () => {
    const file = join(directory, `writers${historySuffix}`);
    const whole = await readFile(file, 'utf8');
    await writeFile(file, whole.replace('\n', '\n{"kind":"wri\n'));
    await expect(loadHistory(directory)).rejects.toThrow('line 2 is no event');
    await writeFile(file, whole);
  });

  test('must be there, and so must the record of the run', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'rollcall-verdict-'));
    await expect(loadHistory(empty)).rejects.toThrow(runFile);
    await writeFile(join(empty, runFile), await readFile(join(directory, runFile)));
    await expect(loadHistory(empty)).rejects.toThrow(historySuffix);
    await rm(empty, { recursive: true });
  });
});
