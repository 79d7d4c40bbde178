// Revisions that no reader was told alone: when every node dies at once, a restarted node may hold a change on disk that
// no stream had carried yet, and readers get it inside a reset. Its acknowledged write says which change it was, so the
// reset is still judged by it. Of a write whose outcome is unknown, what is told of the whole registry says what it did.
import type { ChangeRecord, History, WriteRecord } from './history.ts';
import { placeOf, ttlOf } from './instance-text.ts';
import type { RevisionOrder } from './revision-order.ts';
import { firstAbove, toldAcross, type Holes, type ToldState } from './told-states.ts';

export interface FilledOrder {
  readonly order: RevisionOrder;
  /** Revisions that no reader was told alone, ascending. */
  readonly holes: readonly number[];
  /** Those of them of which no acknowledged write tells either: what they changed is inferred. */
  readonly hidden: readonly number[];
}

/** The order with its holes below the last revision filled. */
export function fillHoles(order: RevisionOrder, history: History): FilledOrder {
  const last = lastRevision(order, history);
  if (order.size >= last) return { order, holes: [], hidden: [] };
  const holes: number[] = [];
  for (let revision = 1; revision <= last; revision++) {
    if (!order.has(revision)) holes.push(revision);
  }
  const states = toldAcross(holes, history);
  const filled = new Map<number, ChangeRecord[]>();
  const hidden = fillWrites(filled, holes, states, history);
  if (hidden.length > 0) inferRemovals({ order, filled, hidden, history, last }, states);
  return { order: new Map([...order, ...filled]), holes, hidden };
}

/** The last one that was told alone, or told at all and is there at the end. */
function lastRevision(order: RevisionOrder, { watches, finals }: History): number {
  let alone = 0;
  for (const revision of order.keys()) alone = Math.max(alone, revision);
  let told = 0;
  for (const { service, messages } of watches) {
    if (service === undefined) told = Math.max(told, messages.at(-1)?.revision ?? 0);
  }
  const end = finals.reduce((highest, { revision }) => Math.max(highest, revision), 0);
  return Math.max(alone, Math.min(told, end));
}

/** Fills what is told of each hole by a write, or by what was there afterwards. Returns the holes of which no write tells. */
function fillWrites(
  filled: Map<number, ChangeRecord[]>,
  holes: Holes,
  states: readonly ToldState[],
  history: History,
): Holes {
  const writes = acknowledgedAt(holes, history.writes);
  const contents = contentByMark(history);
  const puts = putsByRevision(new Set(holes), states);
  addToldOfOneService(puts, new Set(holes), history);
  const hidden: number[] = [];
  for (const revision of holes) {
    const own = writes.get(revision);
    const there = puts.get(revision) ?? [];
    // Where nothing of it is left, it was undone before anybody could be told.
    filled.set(revision, own?.map((write) => changeOf(write, there, contents)) ?? [...there]);
    if (own === undefined) hidden.push(revision);
  }
  return hidden;
}

function acknowledgedAt(
  holes: Holes,
  writes: readonly WriteRecord[],
): ReadonlyMap<number, readonly WriteRecord[]> {
  const wanted = new Set(holes);
  const found = new Map<number, WriteRecord[]>();
  for (const write of writes) {
    const { outcome, changed, revision } = write;
    if (outcome !== 'acknowledged' || !changed || !wanted.has(revision)) continue;
    found.set(revision, [...(found.get(revision) ?? []), write]);
  }
  return found;
}

function changeOf(
  { kind, instanceId, mark }: WriteRecord,
  there: readonly ChangeRecord[],
  contents: ReadonlyMap<string, string>,
): ChangeRecord {
  if (kind === 'deregister') return { kind: 'remove', instanceId, mark, content: '' };
  const put = there.find((one) => one.instanceId === instanceId);
  if (put !== undefined) return { ...put, mark };
  // Gone again before anybody could be told what it was: then nothing is compared with its content either.
  return { kind: 'put', instanceId, mark, content: contents.get(mark) ?? '' };
}

/** What is there tells which revision made it. */
function putsByRevision(
  wanted: ReadonlySet<number>,
  states: readonly ToldState[],
): Map<number, ChangeRecord[]> {
  const found = new Map<number, ChangeRecord[]>();
  for (const { present, ofStreamOfService } of states) {
    if (ofStreamOfService) continue;
    for (const [instanceId, content] of present) {
      const place = placeOf(content);
      if (place === undefined || !wanted.has(place.revision)) continue;
      const known = found.get(place.revision) ?? [];
      found.set(place.revision, known);
      if (known.some((one) => one.instanceId === instanceId)) continue;
      const { generation } = place;
      known.push({ kind: 'put', instanceId, mark: '', content, generation });
    }
  }
  return found;
}

/** Who reads one service may have been told of a hole what nobody else was, and it may be gone again before the others are told
 * anything: a put that somebody asked for says which revision made it. */
function addToldOfOneService(
  puts: Map<number, ChangeRecord[]>,
  wanted: ReadonlySet<number>,
  { watches, writes }: History,
): void {
  const asked = new Set(writes.map(({ mark }) => mark));
  for (const { service, messages } of watches) {
    if (service === undefined) continue;
    for (const change of messages.flatMap(({ changes }) => changes)) {
      const revision = change.kind === 'put' ? placeOf(change.content)?.revision : undefined;
      if (revision === undefined || !wanted.has(revision) || !asked.has(change.mark)) continue;
      const known = puts.get(revision) ?? [];
      puts.set(revision, known);
      if (!known.some(({ instanceId }) => instanceId === change.instanceId)) known.push(change);
    }
  }
}

interface Replay {
  readonly order: RevisionOrder;
  readonly filled: Map<number, ChangeRecord[]>;
  readonly hidden: Holes;
  readonly history: History;
  readonly last: number;
}

interface Held {
  readonly content: string;
  readonly mayExpire: boolean;
  /** The revision that made it. */
  readonly since: number;
  /** Before this moment its silence cannot have ended it; Infinity where that is not known. */
  readonly silentMs: number;
  /** Up to this revision it was certainly there. */
  presentAt: number;
}

/** Who was there before and was told to be gone afterwards was removed by a hidden revision, if somebody had a reason to: a
 * removal of unknown outcome, or its silence. Without a reason nothing is filled in, and the checkers find it missing. */
function inferRemovals(replay: Replay, states: readonly ToldState[]): void {
  const { order, filled, history, last } = replay;
  const removals = unknownRemovals(history.writes);
  const asked = firstAsked(history.writes);
  const held = new Map<string, Held>();
  let at = 0;
  for (const state of states) {
    while (at < Math.min(state.revision, last)) {
      at++;
      for (const change of filled.get(at) ?? order.get(at) ?? []) {
        hold(held, change, at, asked.get(change.mark));
      }
    }
    for (const [instanceId, one] of held) {
      if (state.present.has(instanceId)) {
        one.presentAt = Math.max(one.presentAt, state.revision);
        continue;
      }
      if (!state.tellsGone(instanceId, one.content)) continue;
      const wanted = (removals.get(instanceId) ?? Number.POSITIVE_INFINITY) < state.atMs;
      const revision = lastHidden(replay.hidden, one.presentAt, state.revision);
      if (revision === undefined) continue;
      const expired = !wanted;
      if (expired && !maySilence(order, one, revision, state.atMs)) continue;
      const removed = { kind: 'remove', instanceId, mark: '', content: '', expired } as const;
      filled.get(revision)?.push(removed);
      held.delete(instanceId);
    }
  }
}

function hold(
  held: Map<string, Held>,
  change: ChangeRecord,
  revision: number,
  askedMs = Number.POSITIVE_INFINITY,
): void {
  const { kind, instanceId, content, ttlMs } = change;
  if (kind === 'remove') held.delete(instanceId);
  else {
    const silentMs = askedMs + (ttlMs ?? ttlOf(content) ?? Number.POSITIVE_INFINITY);
    // Where the lease is not known there may be one.
    const mayExpire = ttlMs !== 0;
    held.set(instanceId, { content, mayExpire, since: revision, silentMs, presentAt: revision });
  }
}

/** What was made in a hole ends in the same one only where the hole is as long as its lease. */
function maySilence(order: RevisionOrder, one: Held, revision: number, toldMs: number): boolean {
  if (!one.mayExpire) return false;
  return toldMs >= one.silentMs || isToldBetween(order, one.since, revision);
}

function isToldBetween(order: RevisionOrder, from: number, to: number): boolean {
  for (let revision = from; revision < to; revision++) if (order.has(revision)) return true;
  return false;
}

function lastHidden(hidden: Holes, after: number, upTo: number): number | undefined {
  const revision = hidden[firstAbove(hidden, upTo) - 1];
  return revision !== undefined && revision > after ? revision : undefined;
}

/** Mark -> when it was first asked for. */
function firstAsked(writes: readonly WriteRecord[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { mark, invokedAtMs } of writes) {
    found.set(mark, Math.min(invokedAtMs, found.get(mark) ?? invokedAtMs));
  }
  return found;
}

/** Instance -> when the first removal of it began whose outcome is unknown. */
function unknownRemovals(writes: readonly WriteRecord[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { kind, outcome, instanceId, invokedAtMs } of writes) {
    if (kind !== 'deregister' || outcome !== 'unknown') continue;
    found.set(instanceId, Math.min(invokedAtMs, found.get(instanceId) ?? invokedAtMs));
  }
  return found;
}

function contentByMark(history: History): ReadonlyMap<string, string> {
  const contents = new Map<string, string>();
  for (const { messages } of history.watches) {
    for (const { changes } of messages) {
      for (const { kind, mark, content } of changes)
        if (kind === 'put') contents.set(mark, content);
    }
  }
  return contents;
}
