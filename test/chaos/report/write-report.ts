// A run as one HTML page that needs nothing else: what was done, what was seen, what it means.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reportFile } from '../verdict/evidence.ts';
import type { Verdict } from '../verdict/judge.ts';
import type { LoadedRun } from '../verdict/load-history.ts';
import { gapSection } from './gap-plot.ts';
import { duration, embedded, escaped, numbered } from './markup.ts';
import { momentScript } from './moment-script.ts';
import {
  faultSummary,
  faultTable,
  legend,
  skippedSection,
  tiles,
  verdictSection,
} from './sections.ts';
import { secondsOf } from './series.ts';
import { style } from './style.ts';
import { timeline } from './timeline.ts';

/** Resolves to the file's path. */
export async function writeReport(
  directory: string,
  loaded: LoadedRun,
  verdict: Verdict,
): Promise<string> {
  const file = join(directory, reportFile);
  await writeFile(file, page(loaded, verdict));
  return file;
}

const section = (id: string, title: string, html: string): string =>
  `<section id="${id}"><h2>${title}</h2>${html}</section>`;

function page(loaded: LoadedRun, verdict: Verdict): string {
  const { run } = loaded;
  const lasted = duration(run.endedAtMs - run.beganAtMs);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Chaos run, seed ${run.seed}: ${verdict.outcome}</title><style>${style}</style></head>
<body><main>
<h1>Chaos run, seed ${run.seed}</h1>
<p class="sub">${run.nodes} nodes, ${lasted}, ${numbered(run.faults.length, 'fault')}, ${numbered(loaded.events, 'event')} recorded</p>
${verdictSection(loaded, verdict)}
${tiles(loaded, verdict)}
${section('timeline', 'Timeline', legend() + timeline(loaded))}
${section('gaps', 'How long writes stopped', gapSection(verdict.gaps, run.beganAtMs))}
${section('kinds', 'Faults by kind', faultSummary(run.faults))}
${section('faults', 'Every fault and what was seen of it', faultTable(loaded, verdict.gaps))}
${section('skipped', 'Faults that this host does not allow', skippedSection(loaded))}
${section('replay', 'The same again', `<code>${escaped(run.replay)}</code>`)}
</main><div id="moment" hidden></div>
<script type="application/json" id="run">${embedded(momentData(loaded))}</script>
<script>${momentScript}</script>
</body></html>
`;
}

/** What the pointer's script shows. */
function momentData(loaded: LoadedRun): unknown {
  const { run } = loaded;
  return {
    seconds: secondsOf(loaded).map(({ acknowledged, failed, p50Ms, p99Ms }) => [
      acknowledged,
      failed,
      rounded(p50Ms),
      rounded(p99Ms),
    ]),
    faults: run.faults.map(({ atMs, healedAtMs, what }) => [
      Math.round(atMs - run.beganAtMs),
      Math.round(healedAtMs - run.beganAtMs),
      what,
    ]),
  };
}

const rounded = (ms: number | undefined): number | null =>
  ms === undefined ? null : Math.round(ms * 10) / 10;
