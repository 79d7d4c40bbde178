// The run over time, as SVG: faults as bars, leaders and terms as a band for each node, throughput and latency by the second.
// Long runs are broken into rows, so that a second is never thinner than two pixels.
import { present } from '../../../src/lib/assert.ts';
import type { FaultRecord } from '../verdict/evidence.ts';
import { hostStalls } from '../verdict/host-stalls.ts';
import type { LoadedRun } from '../verdict/load-history.ts';
import type { Stretch as Time } from '../verdict/times.ts';
import { type Band, bandsOf } from './bands.ts';
import { familyOf } from './fault-family.ts';
import { clock, duration, escaped } from './markup.ts';
import { type Second, secondsOf } from './series.ts';

const ROW_MS = 600_000;
const WIDTH = 1200;
const LEFT = 74;
const RIGHT = 8;
const BAR = 12;
const BAND = 15;
const CHART = 84;
const SPACE = 14;

/** One row: a stretch of the run and where its moments are. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly x: (atMs: number) => number;
}

interface Lane {
  readonly height: number;
  /** Drawn from y = 0 downwards. */
  readonly svg: string;
}

export function timeline(loaded: LoadedRun): string {
  const { run } = loaded;
  const seconds = secondsOf(loaded);
  const bands = bandsOf(run.sights, run.endedAtMs);
  const busy = hostStalls(loaded);
  const peak = seconds.reduce((highest, { acknowledged }) => Math.max(highest, acknowledged), 1);
  const rows: string[] = [];
  const lastsMs = Math.max(1000, run.endedAtMs - run.beganAtMs);
  const count = Math.ceil(lastsMs / ROW_MS);
  for (let row = 0; row < count; row++) {
    const fromMs = run.beganAtMs + (row * lastsMs) / count;
    const toMs = run.beganAtMs + ((row + 1) * lastsMs) / count;
    const scale = (WIDTH - LEFT - RIGHT) / (toMs - fromMs);
    const x = (atMs: number): number =>
      LEFT + (Math.min(Math.max(atMs, fromMs), toMs) - fromMs) * scale;
    const stretch = { fromMs, toMs, x };
    rows.push(
      figure(stretch, run.beganAtMs, [
        faultLane(run.faults, stretch, run.beganAtMs),
        bandLane(bands, busy, stretch),
        throughputLane(seconds, stretch, run.beganAtMs, peak),
        latencyLane(seconds, stretch, run.beganAtMs),
      ]),
    );
  }
  return rows.join('\n');
}

function figure(stretch: Stretch, beganAtMs: number, lanes: readonly Lane[]): string {
  let y = 4;
  const drawn = lanes.map(({ height, svg }) => {
    const group = `<g transform="translate(0 ${y})">${svg}</g>`;
    y += height + SPACE;
    return group;
  });
  const bottom = y - SPACE;
  const ticks = ticksOf(stretch, beganAtMs).map((atMs) => {
    const x = stretch.x(atMs).toFixed(1);
    return `<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${bottom}"/><text class="tick" x="${x}" y="${bottom + 14}" text-anchor="middle">${clock(atMs - beganAtMs)}</text>`;
  });
  const from = (stretch.fromMs - beganAtMs).toFixed(0);
  const to = (stretch.toMs - beganAtMs).toFixed(0);
  const height = bottom + 20;
  return `<svg class="timeline" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Timeline from ${clock(Number(from))} to ${clock(Number(to))}" data-from="${from}" data-to="${to}" data-left="${LEFT}" data-right="${WIDTH - RIGHT}">${ticks.join('')}${drawn.join('\n')}<line class="cursor" y1="0" y2="${bottom}" x1="-9" x2="-9"/></svg>`;
}

/** Round moments, about ten to a row. */
function ticksOf({ fromMs, toMs }: Stretch, beganAtMs: number): readonly number[] {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300].map((seconds) => seconds * 1000);
  const step = steps.find((one) => (toMs - fromMs) / one <= 14) ?? 600_000;
  const ticks: number[] = [];
  const first = Math.ceil((fromMs - beganAtMs) / step) * step;
  for (let atMs = first; atMs + beganAtMs <= toMs; atMs += step) ticks.push(beganAtMs + atMs);
  return ticks;
}

const label = (text: string, y: number, kind = 'label'): string =>
  `<text class="${kind}" x="${LEFT - 8}" y="${y.toFixed(1)}" text-anchor="end">${escaped(text)}</text>`;

/** Bars that would touch stand below each other. */
function faultLane(faults: readonly FaultRecord[], stretch: Stretch, beganAtMs: number): Lane {
  const ends: number[] = [];
  const bars = faults
    .filter(({ atMs, healedAtMs }) => atMs < stretch.toMs && healedAtMs >= stretch.fromMs)
    .map((fault) => {
      const from = stretch.x(fault.atMs);
      const width = Math.max(3, stretch.x(fault.healedAtMs) - from);
      const free = ends.findIndex((end) => end + 1 <= from);
      const row = free < 0 ? ends.length : free;
      ends[row] = from + width;
      const title = `${clock(fault.atMs - beganAtMs, true)} ${fault.what}, for ${duration(fault.healedAtMs - fault.atMs)}\n${fault.effect ?? 'no effect was seen'}`;
      const kind = fault.effect === undefined ? 'bar void' : 'bar';
      const name = width > 7 * fault.kind.length ? barName(fault.kind, from, row) : '';
      return `<rect class="${kind} ${familyOf[fault.kind]}" x="${from.toFixed(1)}" y="${row * (BAR + 3)}" width="${width.toFixed(1)}" height="${BAR}" rx="2"><title>${escaped(title)}</title></rect>${name}`;
    });
  const height = Math.max(1, ends.length) * (BAR + 3) - 3;
  return { height, svg: label('faults', 10) + bars.join('') };
}

const barName = (kind: string, from: number, row: number): string =>
  `<text class="name" x="${(from + 4).toFixed(1)}" y="${row * (BAR + 3) + 9}">${escaped(kind)}</text>`;

function bandLane(
  bands: ReadonlyMap<string, readonly Band[]>,
  busy: readonly Time[],
  stretch: Stretch,
): Lane {
  const rows = [...bands].map(([node, own], at) => {
    const y = at * (BAND + 3);
    const drawn = own
      .filter(({ fromMs, toMs }) => fromMs < stretch.toMs && toMs > stretch.fromMs)
      .map((band) => drawBand(band, stretch, node, y));
    return label(node, y + 11) + drawn.join('');
  });
  const top = Math.max(1, bands.size) * (BAND + 3) - 3;
  const strip = busy.filter(({ fromMs, toMs }) => fromMs < stretch.toMs && toMs > stretch.fromMs);
  const drawn = strip.map(({ fromMs, toMs }) => {
    const from = stretch.x(fromMs);
    const width = Math.max(1, stretch.x(toMs) - from);
    return `<rect class="busy" x="${from.toFixed(1)}" y="${top + 3}" width="${width.toFixed(1)}" height="5"><title>the host was too busy: G15 and G16 are not judged</title></rect>`;
  });
  return { height: top + 8, svg: rows.join('') + drawn.join('') };
}

function drawBand({ fromMs, toMs, role, term }: Band, stretch: Stretch, node: string, y: number) {
  const from = stretch.x(fromMs);
  const width = Math.max(0.6, stretch.x(toMs) - from);
  const title = role === 'silent' ? `${node} does not answer` : `${node}: ${role} in term ${term}`;
  const rect = `<rect class="band ${role}" x="${from.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAND}"><title>${escaped(title)}</title></rect>`;
  if (role !== 'leader' || width < 10 + 7 * String(term).length) return rect;
  return `${rect}<text class="term" x="${(from + 4).toFixed(1)}" y="${y + 11}">${term}</text>`;
}

/** The seconds of a row with the middle of each. */
function secondsIn(
  seconds: readonly Second[],
  { fromMs, toMs, x }: Stretch,
  beganAtMs: number,
): readonly { readonly second: Second; readonly from: number; readonly to: number }[] {
  const first = Math.floor((fromMs - beganAtMs) / 1000);
  const last = Math.min(seconds.length, Math.ceil((toMs - beganAtMs) / 1000));
  return seconds.slice(first, last).map((second, at) => {
    const startMs = beganAtMs + (first + at) * 1000;
    return { second, from: x(startMs), to: x(startMs + 1000) };
  });
}

function throughputLane(
  seconds: readonly Second[],
  stretch: Stretch,
  beganAtMs: number,
  peak: number,
): Lane {
  const top = niceAbove(peak);
  const y = (count: number): number => CHART - (Math.min(count, top) / top) * CHART;
  const own = secondsIn(seconds, stretch, beganAtMs);
  const columns = (className: string, count: (second: Second) => number): string => {
    const path = own
      .filter(({ second }) => count(second) > 0)
      .map(({ second, from, to }) => {
        const width = Math.max(0.5, to - from - (to - from > 4 ? 1 : 0));
        return `M${from.toFixed(1)} ${CHART}V${y(count(second)).toFixed(1)}h${width.toFixed(1)}V${CHART}z`;
      });
    return `<path class="${className}" d="${path.join('')}"/>`;
  };
  const svg = [
    level(y(top), String(top)),
    level(y(top / 2), String(top / 2)),
    level(CHART, '0'),
    columns('acknowledged', ({ acknowledged }) => acknowledged),
    columns('failed', ({ failed }) => failed),
    `<text class="caption" x="${LEFT + 6}" y="10">writes a second</text>`,
  ];
  return { height: CHART, svg: svg.join('') };
}

const LEAST_MS = 1;
const DECADES = 4;

function latencyLane(seconds: readonly Second[], stretch: Stretch, beganAtMs: number): Lane {
  const y = (ms: number): number => {
    const decades = Math.log10(Math.max(ms, LEAST_MS) / LEAST_MS);
    return CHART - (Math.min(decades, DECADES) / DECADES) * CHART;
  };
  const own = secondsIn(seconds, stretch, beganAtMs);
  const line = (className: string, of: (second: Second) => number | undefined): string => {
    let pen = 'M';
    const path = own.map(({ second, from, to }) => {
      const ms = of(second);
      if (ms === undefined) {
        pen = 'M';
        return '';
      }
      const point = `${pen}${((from + to) / 2).toFixed(1)} ${y(ms).toFixed(1)}`;
      pen = 'L';
      return point;
    });
    return `<path class="${className}" d="${path.join('')}"/>`;
  };
  const levels = ['1 ms', '10 ms', '100 ms', '1 s', '10 s'].map((text, at) =>
    level(y(LEAST_MS * 10 ** at), text),
  );
  const svg = [
    ...levels,
    line('p99', ({ p99Ms }) => p99Ms),
    line('p50', ({ p50Ms }) => p50Ms),
    `<text class="caption" x="${LEFT + 6}" y="10">answers took</text>`,
  ];
  return { height: CHART, svg: svg.join('') };
}

const level = (y: number, text: string): string =>
  `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"/>${label(text, y + 4, 'tick')}`;

/** The next of 1, 2, 5 times a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = present(
    [1, 2, 5, 10].find((one) => one * power >= value),
    'ten is above any digit',
  );
  return Math.max(2, factor * power);
}
