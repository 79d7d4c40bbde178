// What was told of the registry at one revision as a whole: by a reset, by a message over several revisions, by a read; and what
// was told of one service, alone or not. Where no reader of everything was told a revision alone, these say what it must have been.
import type { History, ReadRecord, WatchRecord } from './history.ts';
import { placeOf } from './instance-text.ts';

export interface ToldState {
  readonly revision: number;
  readonly atMs: number;
  /** By a stream of one service: it says who is gone, but not by itself that anybody was ever there. */
  readonly ofStreamOfService: boolean;
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
  const states = watches.flatMap((watch) => statesOf(watch, holes, spans));
  const inSpan = merged(spans);
  for (const read of reads) if (inSpan(read.revision)) states.push(stateOfRead(read));
  return states.toSorted((a, b) => a.revision - b.revision);
}

/** After the first revision, up to the second. */
interface Span {
  readonly after: number;
  readonly upTo: number;
}

function statesOf({ messages, service }: WatchRecord, holes: Holes, spans: Span[]): ToldState[] {
  const ofService = service === undefined ? '' : `${service} `;
  const found: ToldState[] = [];
  let after = 0;
  let present = new Map<string, string>();
  let gone = new Set<string>();
  let resets = false;
  for (const { reset, more, revision, atMs, changes } of messages) {
    resets ||= reset;
    // What a reader of everything was told alone is no hole.
    if (service === undefined && !resets && revision <= after + 1) {
      after = revision;
      continue;
    }
    for (const { kind, instanceId, content } of changes) {
      if (kind === 'put') present.set(instanceId, content);
      else gone.add(instanceId);
    }
    if (more) continue;
    if (hasBetween(holes, after, revision)) {
      const [told, whole, from] = [gone, resets, after];
      // What changed in between would be here, were it there at the end.
      const tellsGone = (instanceId: string, content: string): boolean =>
        content.startsWith(ofService) &&
        (whole || told.has(instanceId) || (placeOf(content)?.revision ?? 0) > from);
      const ofStreamOfService = service !== undefined;
      found.push({ revision, atMs, ofStreamOfService, present, tellsGone });
      if (service === undefined) spans.push({ after, upTo: revision });
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
  return {
    revision,
    atMs: returnedAtMs,
    ofStreamOfService: false,
    present: instances,
    tellsGone,
  };
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
