// How long writes stopped, by what was done: every gap as a point on a logarithmic scale, with median and 99th percentile.
import { distributionOf, type Gap, type GapKind } from '../verdict/fail-over.ts';
import { clock, duration, escaped, table } from './markup.ts';

const gapNames: Readonly<Record<GapKind, string>> = {
  kill: 'kill -9 of the leader',
  pause: 'SIGSTOP of the leader',
  partition: 'leader cut off',
  powerCutAll: 'power cut of all',
};
const kinds: readonly GapKind[] = ['kill', 'pause', 'partition', 'powerCutAll'];

const WIDTH = 1200;
const LEFT = 170;
const RIGHT = 20;
const ROW = 46;
const LEAST_MS = 10;
const DECADES = 4;

export function gapSection(gaps: readonly Gap[], beganAtMs: number): string {
  if (gaps.length === 0) return '<p>No fault that may stop writes was done.</p>';
  return `${plot(gaps, beganAtMs)}${gapTable(gaps)}<p class="note">To the first acknowledgement of a write begun after the strike. Hollow points: another fault lasted at the same time or had just ended. Silence: the longest time between two acknowledgements around the strike.</p>`;
}

function xOf(ms: number): number {
  const decades = Math.log10(Math.max(ms, LEAST_MS) / LEAST_MS);
  return LEFT + (Math.min(decades, DECADES) / DECADES) * (WIDTH - LEFT - RIGHT);
}

function plot(gaps: readonly Gap[], beganAtMs: number): string {
  const present = kinds.filter((kind) => gaps.some((gap) => gap.kind === kind));
  const bottom = present.length * ROW;
  const grid = [10, 100, 1000, 10_000, 100_000].map((ms) => {
    const x = xOf(ms).toFixed(1);
    const text = ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
    return `<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${bottom}"/><text class="tick" x="${x}" y="${bottom + 14}" text-anchor="middle">${text}</text>`;
  });
  const rows = present.map((kind, at) => {
    const own = gaps.filter((gap) => gap.kind === kind);
    return `<g transform="translate(0 ${at * ROW})">${plotRow(kind, own, beganAtMs)}</g>`;
  });
  return `<svg class="gaps" viewBox="0 0 ${WIDTH} ${bottom + 20}" role="img" aria-label="Fail-over gaps by kind">${grid.join('')}${rows.join('')}</svg>`;
}

function plotRow(kind: GapKind, gaps: readonly Gap[], beganAtMs: number): string {
  const middle = ROW / 2;
  const points = gaps.map(({ firstAckMs, silenceMs, fault, mixed }, at) => {
    const ms = firstAckMs ?? silenceMs;
    // Spread by their order, so that equal gaps do not hide each other.
    const y = middle + (((at * 7) % 11) - 5) * 2.4;
    const shape = `point${mixed ? ' mixed' : ''}${firstAckMs === undefined ? ' never' : ''}`;
    const title = `${clock(fault.atMs - beganAtMs, true)} ${fault.what}: ${firstAckMs === undefined ? 'never answered again' : duration(ms)}`;
    return `<circle class="${shape}" cx="${xOf(ms).toFixed(1)}" cy="${y.toFixed(1)}" r="4"><title>${escaped(title)}</title></circle>`;
  });
  const found = distributionOf(alone(gaps).flatMap(({ firstAckMs }) => firstAckMs ?? []));
  const marks =
    found === undefined ? '' : mark(found.p50Ms, 'p50', 'start') + mark(found.p99Ms, 'p99', 'end');
  return `<text class="label" x="${LEFT - 12}" y="${middle + 4}" text-anchor="end">${gapNames[kind]}</text><line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${ROW}" y2="${ROW}"/>${points.join('')}${marks}`;
}

function mark(ms: number, name: string, kind: string): string {
  const x = xOf(ms).toFixed(1);
  return `<line class="mark ${kind}" x1="${x}" x2="${x}" y1="4" y2="${ROW - 4}"><title>${name} ${duration(ms)}</title></line>`;
}

/** Those that nothing else disturbed; all, where there is none. */
function alone(gaps: readonly Gap[]): readonly Gap[] {
  const own = gaps.filter(({ mixed }) => !mixed);
  return own.length > 0 ? own : gaps;
}

function gapTable(gaps: readonly Gap[]): string {
  const rows = kinds.flatMap((kind) => {
    const own = gaps.filter((gap) => gap.kind === kind);
    const single = own.filter(({ mixed }) => !mixed);
    const named = [
      { name: gapNames[kind], of: single },
      { name: `${gapNames[kind]}, with another fault`, of: own.filter(({ mixed }) => mixed) },
    ];
    return named.filter(({ of }) => of.length > 0).map(({ name, of }) => gapRow(name, of));
  });
  const head = [
    'struck',
    'count',
    'gap p50',
    'p99',
    'max',
    'silence p50',
    'p99',
    'max',
    'never again',
  ];
  return table(head, rows, [1, 2, 3, 4, 5, 6, 7, 8]);
}

function gapRow(name: string, gaps: readonly Gap[]): readonly string[] {
  const first = distributionOf(gaps.flatMap(({ firstAckMs }) => firstAckMs ?? []));
  const silence = distributionOf(gaps.map(({ silenceMs }) => silenceMs));
  const never = gaps.filter(({ firstAckMs }) => firstAckMs === undefined).length;
  const cells = [first, silence].flatMap((found) => [
    duration(found?.p50Ms),
    duration(found?.p99Ms),
    duration(found?.maxMs),
  ]);
  return [escaped(name), String(gaps.length), ...cells, String(never)];
}
