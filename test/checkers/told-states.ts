// What was told of the registry at one revision as a whole: by a reset, by a message over several revisions, by a read. Where no
// reader was told a revision alone, these say what it must have been.
import type { History, ReadRecord, WatchRecord } from './history.ts';

export interface ToldState {
  readonly revision: number;
  readonly atMs: number;
  /** Instance -> content, of those that were told to be there. */
  readonly present: ReadonlyMap<string, string>;
  /** Of an instance that is not in `present`, with the content it would have: was it told to be gone? */
  readonly tellsGone: (instanceId: string, content: string) => boolean;
}

/** Sorted revisions that no reader was told alone. */
export type Holes = readonly number[];

/** All that was told across at least one of the holes, by ascending revision. */
export function toldAcross(holes: Holes, { watches, reads = [] }: History): readonly ToldState[] {
  const spans: Span[] = [];
  const states = watches
    .filter(({ service }) => service === undefined)
    .flatMap((watch) => statesOf(watch, holes, spans));
  const inSpan = merged(spans);
  for (const read of reads) if (inSpan(read.revision)) states.push(stateOfRead(read));
  return states.toSorted((a, b) => a.revision - b.revision);
}

/** After the first revision, up to the second. */
interface Span {
  readonly after: number;
  readonly upTo: number;
}

function statesOf({ messages }: WatchRecord, holes: Holes, spans: Span[]): ToldState[] {
  const found: ToldState[] = [];
  let after = 0;
  let present = new Map<string, string>();
  let gone = new Set<string>();
  let resets = false;
  for (const { reset, more, revision, atMs, changes } of messages) {
    resets ||= reset;
    if (!resets && revision <= after + 1) {
      after = revision;
      continue;
    }
    for (const { kind, instanceId, content } of changes) {
      if (kind === 'put') present.set(instanceId, content);
      else gone.add(instanceId);
    }
    if (more) continue;
    if (hasBetween(holes, after, revision)) {
      const [told, whole] = [gone, resets];
      const tellsGone = (instanceId: string): boolean => whole || told.has(instanceId);
      found.push({ revision, atMs, present, tellsGone });
      spans.push({ after, upTo: revision });
    }
    present = new Map();
    gone = new Set();
    resets = false;
    after = revision;
  }
  return found;
}

function stateOfRead({ revision, returnedAtMs, instances, ...asked }: ReadRecord): ToldState {
  const tellsGone = (id: string, content: string): boolean => {
    if (asked.instanceId !== undefined) return asked.instanceId === id;
    return asked.service === undefined || content.startsWith(`${asked.service} `);
  };
  return { revision, atMs: returnedAtMs, present: instances, tellsGone };
}

function hasBetween(holes: Holes, after: number, upTo: number): boolean {
  const next = holes[firstAbove(holes, after)];
  return next !== undefined && next <= upTo;
}

/** The position of the first value above the limit. */
export function firstAbove(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a revision is in any of the spans. */
function merged(spans: readonly Span[]): (revision: number) => boolean {
  const apart: { after: number; upTo: number }[] = [];
  for (const { after, upTo } of spans.toSorted((a, b) => a.after - b.after)) {
    const last = apart.at(-1);
    if (last !== undefined && after <= last.upTo) last.upTo = Math.max(last.upTo, upTo);
    else apart.push({ after, upTo });
  }
  const afters = apart.map(({ after }) => after);
  return (revision) => {
    const span = apart[firstAbove(afters, revision - 1) - 1];
    return span !== undefined && revision <= span.upTo;
  };
}
