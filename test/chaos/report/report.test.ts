// The report of a run made by the model: complete by itself, and without a script error in a real browser.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sight } from '../verdict/evidence.ts';
import { judge } from '../verdict/judge.ts';
import { loadHistory, type LoadedRun } from '../verdict/load-history.ts';
import { writeSyntheticRun } from '../verdict/synthetic-run.ts';
import { bandsOf } from './bands.ts';
import { documentOf, findBrowser } from './browser.ts';
import { clock, counted, duration, embedded, escaped } from './markup.ts';
import { secondsOf } from './series.ts';
import { writeReport } from './write-report.ts';

let directory = '';
let loaded: LoadedRun;
let html = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-report-'));
  const size = { seconds: 50, operationsPerSecond: 30, watchers: 2, instances: 12 };
  await writeSyntheticRun({ directory, seed: 11, faultEveryMs: 6000, ...size });
  loaded = await loadHistory(directory);
  html = await readFile(await writeReport(directory, loaded, judge(loaded)), 'utf8');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const count = (pattern: RegExp, text = html): number => [...text.matchAll(pattern)].length;

describe('the report', () => {
  test('needs nothing from outside', () => {
    expect(html).not.toMatch(/https?:|\bsrc=|\bhref=|url\(|@import/);
  });

  test('shows every fault as a bar and as a row, and the replay line', () => {
    const { faults, replay } = loaded.run;
    expect(count(/<rect class="bar /g)).toBe(faults.length);
    for (const { what } of faults) expect(html).toContain(escaped(what));
    expect(html).toContain(escaped(replay));
  });

  test('shows a point for every gap and names what was skipped with its reason', () => {
    expect(count(/<circle class="point/g)).toBe(
      loaded.run.faults.filter(({ gap }) => gap !== undefined).length,
    );
    expect(html).toContain('wallClock</td><td>gcc is not installed');
  });

  test('names each violation and each reason to be void, as text', async () => {
    const broken = [{ guarantee: 'G14', evidence: 'n2 said <script>alert(1)</script>' }];
    const hurt = { ...loaded, resumes: [], run: { ...loaded.run, broken } };
    const page = await readFile(await writeReport(directory, hurt, judge(hurt)), 'utf8');
    expect(page).toContain('n2 said &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toContain('no reader resumed');
    expect(page).toContain('class="outcome violation"');
  });

  test('breaks a long run into rows of at most ten minutes', async () => {
    const run = { ...loaded.run, endedAtMs: loaded.run.beganAtMs + 3_600_000 };
    const long = { ...loaded, run };
    const page = await readFile(await writeReport(directory, long, judge(long)), 'utf8');
    expect(count(/<svg class="timeline"/g)).toBe(1);
    expect(count(/<svg class="timeline"/g, page)).toBe(6);
  });

  test('runs in a browser without an error, and follows the pointer', async (context) => {
    const browser = findBrowser();
    if (browser === undefined) {
      const reason = 'no chromium here: test/chaos/install-browser.sh installs it';
      process.stderr.write(`${reason}\n`);
      return context.skip(reason);
    }
    const file = join(directory, 'looked-at.html');
    await writeFile(file, html.replace('<head>', `<head>${listener}`).concat(pointer));
    const page = await documentOf(browser, file);
    expect(page).toContain('data-ready="yes"');
    expect(page).not.toContain('data-failed');
    for (const id of ['timeline', 'gaps', 'kinds', 'faults', 'skipped', 'replay']) {
      expect(page).toContain(`<section id="${id}"`);
    }
    expect(page).toMatch(/<div id="moment" style="[^"]+">\d\d:\d\d\n\d+ acknowledged/);
  }, 90_000);
});

const listener = `<script>addEventListener('error', (event) => {
  document.documentElement.dataset.failed = event.message;
});</script>`;

const pointer = `<script>{
  const svg = document.querySelector('svg.timeline');
  const { left, top, width } = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent('pointermove', { clientX: left + width / 2, clientY: top + 9 }));
}</script>`;

const sight = (atMs: number, more: object): Sight => ({ atMs, node: 'n1', ...more });

describe('bands', () => {
  test('join looks that say the same and end where a node is no longer seen', () => {
    const leads = { term: 3, role: 'LEADER' };
    const sights = [sight(0, leads), sight(100, leads), sight(200, {}), sight(5000, leads)];
    expect(bandsOf(sights, 5100).get('n1')).toEqual([
      { fromMs: 0, toMs: 200, role: 'leader', term: 3 },
      { fromMs: 200, toMs: 1700, role: 'silent', term: 0 },
      { fromMs: 5000, toMs: 5100, role: 'leader', term: 3 },
    ]);
  });
});

describe('seconds', () => {
  test('count a write where it was answered, with the percentiles of its second', () => {
    const { beganAtMs } = loaded.run;
    const [write] = loaded.writes;
    const writes = Array.from({ length: 100 }, (_, at) => ({
      ...write,
      outcome: at === 0 ? 'unknown' : 'acknowledged',
      invokedAtMs: beganAtMs + 1500 - at,
      returnedAtMs: beganAtMs + 1500,
    })) as LoadedRun['writes'];
    const seconds = secondsOf({ ...loaded, writes });
    expect(seconds[0]).toEqual({ acknowledged: 0, failed: 0, p50Ms: undefined, p99Ms: undefined });
    expect(seconds[1]).toEqual({ acknowledged: 99, failed: 1, p50Ms: 50, p99Ms: 99 });
  });
});

describe('markup', () => {
  test('writes numbers to be read and text to be safe', () => {
    expect([7.26, 412.4, 1423, 250_000].map(duration)).toEqual([
      '7.3 ms',
      '412 ms',
      '1.42 s',
      '250 s',
    ]);
    expect(duration(undefined)).toBe('–');
    expect([clock(127_390), clock(127_390, true)]).toEqual(['02:07', '02:07.3']);
    expect(counted(1_234_567)).toBe('1\u202f234\u202f567');
    expect(escaped(`<a href="x">'&`)).toBe('&lt;a href=&quot;x&quot;&gt;&#39;&amp;');
    expect(embedded({ end: '</script>' })).toBe('{"end":"\\u003c/script>"}');
  });
});
