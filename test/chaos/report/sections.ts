// The parts of the report that are text: verdict, counts, faults, what was skipped.
import type { FaultRecord } from '../verdict/evidence.ts';
import { distributionOf, type Gap } from '../verdict/fail-over.ts';
import type { Counts, Verdict } from '../verdict/judge.ts';
import type { LoadedRun } from '../verdict/load-history.ts';
import { families, familyNames, familyOf } from './fault-family.ts';
import { clock, counted, duration, escaped, numbered, table } from './markup.ts';

const MOST_VIOLATIONS = 100;

const outcomeWords: Readonly<Record<Verdict['outcome'], string>> = {
  clean: 'Clean: every guarantee held',
  void: 'Void: too little happened to say anything',
  violation: 'Violation: a guarantee did not hold',
};

export function verdictSection({ run }: LoadedRun, verdict: Verdict): string {
  const { outcome, violations, voids } = verdict;
  const rows = violations
    .slice(0, MOST_VIOLATIONS)
    .map(({ guarantee, evidence, checker }) => [
      `<b>${escaped(guarantee)}</b>`,
      escaped(evidence),
      escaped(checker ?? ''),
    ]);
  const more = violations.length - rows.length;
  const began = `Evidence counts milliseconds on the host's monotonic clock; the run began at ${run.beganAtMs.toFixed(0)}.`;
  const found =
    rows.length > 0
      ? `${table(['guarantee', 'evidence', 'checker'], rows)}<p class="note">${began}</p>`
      : '';
  const rest = more > 0 ? `<p>and ${counted(more)} more</p>` : '';
  const reasons = voids.map((reason) => `<li>${escaped(reason)}</li>`).join('');
  const list = voids.length > 0 ? `<ul class="voids">${reasons}</ul>` : '';
  return `<p class="outcome ${outcome}"><span class="sign" aria-hidden="true"></span>${outcomeWords[outcome]}</p>${found}${rest}${list}`;
}

const tile = (name: string, value: string, detail: string): string =>
  `<div class="tile"><dt>${name}</dt><dd>${value}</dd><small>${detail}</small></div>`;

export function tiles({ run }: LoadedRun, { counts, gaps, violations }: Verdict): string {
  const kills = distributionOf(
    gaps.flatMap(({ kind, mixed, firstAckMs }) =>
      kind === 'kill' && !mixed ? (firstAckMs ?? []) : [],
    ),
  );
  const unanswered = `${counted(counts.rejected)} rejected, ${counted(counts.unknown)} unknown`;
  const killed =
    kills === undefined
      ? 'no such kill'
      : `p99 ${duration(kills.p99Ms)}, ${numbered(kills.count, 'kill')}`;
  return `<dl class="tiles">${[
    tile('violations', counted(violations.length), 'of G1 to G16'),
    tile(
      'faults',
      counted(run.faults.length),
      numbered(new Set(run.faults.map(({ kind }) => kind)).size, 'kind'),
    ),
    tile('writes acknowledged', counted(counts.acknowledged), unanswered),
    tile('writes a second', counts.writesPerSecond.toFixed(0), 'on average, faults included'),
    tile('gap after a leader kill', duration(kills?.p50Ms), killed),
    tile('watch messages', counted(counts.messages), numbered(counts.resumes, 'resume')),
    tile('reads', counted(counts.reads), `${counted(counts.failedReads)} without answer`),
    tile('revisions witnessed', counted(counts.witnessed), witnessed(counts)),
  ].join('')}</dl>`;
}

const witnessed = ({ hidden, undecided }: Counts): string =>
  `${counted(hidden)} inferred, ${counted(undecided)} instances undecided`;

const key = (kind: string, name: string): string =>
  `<li><i class="${kind}"></i>${escaped(name)}</li>`;

export function legend(): string {
  const faults = families.map((family) => key(`bar ${family}`, familyNames[family]));
  return `<ul class="legend">${[
    ...faults,
    key('band leader', 'leads, with its term'),
    key('band follower', 'follows'),
    key('band silent', 'does not answer'),
    key('acknowledged', 'acknowledged'),
    key('failed', 'rejected or unknown'),
    key('busy', 'host too busy to judge G15, G16'),
    key('p50', 'p50'),
    key('p99', 'p99'),
  ].join('')}</ul>`;
}

/** One row for each kind that struck. */
export function faultSummary(faults: readonly FaultRecord[]): string {
  const byKind = new Map<FaultRecord['kind'], FaultRecord[]>();
  for (const fault of faults) byKind.set(fault.kind, [...(byKind.get(fault.kind) ?? []), fault]);
  const rows = [...byKind].map(([kind, own]) => {
    const lasted = distributionOf(own.map(({ atMs, healedAtMs }) => healedAtMs - atMs));
    const without = own.filter(({ effect }) => effect === undefined).length;
    return [
      `<i class="bar ${familyOf[kind]}"></i>${escaped(kind)}`,
      String(own.length),
      duration(lasted?.p50Ms),
      duration(lasted?.maxMs),
      String(without),
    ];
  });
  return table(['fault', 'struck', 'lasted p50', 'max', 'without effect'], rows, [1, 2, 3, 4]);
}

export function faultTable({ run }: LoadedRun, gaps: readonly Gap[]): string {
  const byFault = new Map(gaps.map((gap) => [gap.fault, gap]));
  const rows = run.faults.map((fault) => {
    const { kind, what, atMs, healedAtMs, effect } = fault;
    const gap = byFault.get(fault);
    return [
      clock(atMs - run.beganAtMs, true),
      `<i class="bar ${familyOf[kind]}"></i>${escaped(what)}`,
      duration(healedAtMs - atMs),
      gap === undefined ? '' : duration(gap.firstAckMs),
      gap === undefined ? '' : duration(gap.silenceMs),
      effect === undefined ? '<b>nothing</b>' : escaped(effect),
    ];
  });
  return table(['at', 'what', 'lasted', 'gap', 'silence', 'seen'], rows, [0, 2, 3, 4]);
}

export function skippedSection({ run }: LoadedRun): string {
  if (run.skipped.length === 0) return '<p>Nothing was skipped.</p>';
  const rows = run.skipped.map(({ kind, reason }) => [escaped(kind), escaped(reason)]);
  return table(['fault', 'reason'], rows);
}
