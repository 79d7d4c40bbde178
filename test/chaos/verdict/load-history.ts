// Reads what a chaos run left in its directory: run.json and one history for each client process. Most of a long history is
// many readers being told the same, so equal changes are kept once.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  BeatRecord,
  ChangeRecord,
  FinalList,
  KeepRecord,
  ReadRecord,
  WatchMessageRecord,
  WriteRecord,
} from '../../checkers/history.ts';
import type { ClientEvent, ReadLine } from '../clients/event.ts';
import { readEvents } from '../clients/read-events.ts';
import { historySuffix, runFile, type RunRecord } from './evidence.ts';

/** Everything one reader was told, whoever of the client processes it lived in. */
interface LoadedWatch {
  readonly watcher: string;
  readonly service: string | undefined;
  readonly openedAtMs: number;
  readonly messages: WatchMessageRecord[];
}

export interface LoadedRun {
  readonly directory: string;
  readonly run: RunRecord;
  readonly finals: readonly FinalList[];
  readonly writes: readonly WriteRecord[];
  readonly reads: readonly ReadRecord[];
  readonly failedReads: readonly { readonly atMs: number; readonly code: string }[];
  readonly beats: readonly BeatRecord[];
  readonly keeps: readonly KeepRecord[];
  readonly watches: readonly LoadedWatch[];
  readonly resumes: readonly { readonly atMs: number; readonly watcher: string }[];
  readonly stalls: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** Histories whose last line was cut short: their process was killed. */
  readonly cutShort: readonly string[];
  readonly events: number;
}

/** Rejects where run.json or every history is missing, and where a line other than the last of a file is no event. */
export async function loadHistory(directory: string): Promise<LoadedRun> {
  const run = JSON.parse(await readFile(join(directory, runFile), 'utf8')) as RunRecord;
  const names = (await readdir(directory)).filter((name) => name.endsWith(historySuffix));
  if (names.length === 0) throw new Error(`no file in ${directory} ends with ${historySuffix}`);
  const collector = new Collector();
  const cutShort: string[] = [];
  let events = 0;
  for (const name of names.toSorted()) {
    const end = await readEvents(join(directory, name), (event) => collector.take(event));
    if (end.cutShort) cutShort.push(name);
    events += end.lines;
  }
  const { writes, reads, failedReads, beats, keeps, resumes, stalls } = collector;
  const watches = [...collector.watches.values()];
  const finals = run.finals.map((one) => ({ ...one, instances: new Map(one.instances) }));
  return {
    directory,
    run,
    finals,
    writes,
    reads,
    failedReads,
    beats,
    keeps,
    watches,
    resumes,
    stalls,
    cutShort,
    events,
  };
}

class Collector {
  readonly writes: WriteRecord[] = [];
  readonly reads: ReadRecord[] = [];
  readonly failedReads: { readonly atMs: number; readonly code: string }[] = [];
  readonly beats: BeatRecord[] = [];
  readonly keeps: KeepRecord[] = [];
  readonly watches = new Map<string, LoadedWatch>();
  readonly resumes: { readonly atMs: number; readonly watcher: string }[] = [];
  readonly stalls: { readonly fromMs: number; readonly toMs: number }[] = [];
  readonly #shared = new SharedChanges();

  take(event: ClientEvent): void {
    switch (event.kind) {
      case 'write':
        this.writes.push(event.write);
        return;
      case 'read':
        this.reads.push(this.#read(event.read));
        return;
      case 'readFailed':
        this.failedReads.push({ atMs: event.atMs, code: event.code });
        return;
      case 'beat':
        this.beats.push(event.beat);
        return;
      case 'keep':
        this.keeps.push(event.keep);
        return;
      case 'watch':
        this.#open(event.watcher, event.service, event.atMs);
        return;
      case 'message':
        this.#message(event.watcher, event.message);
        return;
      case 'resumed':
        this.resumes.push({ atMs: event.atMs, watcher: event.watcher });
        return;
      case 'stalled':
        this.stalls.push({ fromMs: event.fromMs, toMs: event.toMs });
    }
  }

  #open(watcher: string, service: string | undefined, openedAtMs: number): void {
    if (this.watches.has(watcher)) throw new Error(`two readers are called ${watcher}`);
    this.watches.set(watcher, { watcher, service, openedAtMs, messages: [] });
  }

  #message(watcher: string, message: WatchMessageRecord): void {
    const watch = this.watches.get(watcher);
    if (watch === undefined) throw new Error(`${watcher} was told something before it opened`);
    const { atMs, revision, reset, more } = message;
    const alone = watch.service === undefined && !reset;
    const changes = this.#shared.of(message.changes, alone ? revision : undefined);
    watch.messages.push({ atMs, revision, reset, more, changes });
  }

  #read(line: ReadLine): ReadRecord {
    const instances = new Map<string, string>();
    for (const [id, content] of line.instances) {
      instances.set(id, this.#shared.content(id, content));
    }
    const values = new Map<string, string>();
    for (const [id, value] of line.values) values.set(id, this.#shared.value(id, value));
    return { ...line, instances, values };
  }
}

/** Lets equal changes and texts be one object: readers are told the same, at about the same time. */
class SharedChanges {
  /** Revision -> what a reader of everything was told of it first. */
  readonly #groups = new Map<number, readonly ChangeRecord[]>();
  /** Instance -> what was said of it last. */
  readonly #latest = new Map<string, ChangeRecord>();
  readonly #values = new Map<string, string>();

  of(changes: readonly ChangeRecord[], revision: number | undefined): readonly ChangeRecord[] {
    if (changes.length === 0) return NOTHING;
    const known = revision === undefined ? undefined : this.#groups.get(revision);
    if (known !== undefined && sameGroup(known, changes)) return known;
    const shared = changes.map((change) => {
      const latest = this.#latest.get(change.instanceId);
      if (latest !== undefined && same(latest, change)) return latest;
      this.#latest.set(change.instanceId, change);
      return change;
    });
    if (revision !== undefined && known === undefined) this.#groups.set(revision, shared);
    return shared;
  }

  content(instanceId: string, content: string): string {
    const latest = this.#latest.get(instanceId);
    return latest?.content === content ? latest.content : content;
  }

  value(instanceId: string, value: string): string {
    const latest = this.#values.get(instanceId);
    if (latest === value) return latest;
    this.#values.set(instanceId, value);
    return value;
  }
}

const NOTHING: readonly ChangeRecord[] = [];

const sameGroup = (some: readonly ChangeRecord[], others: readonly ChangeRecord[]): boolean =>
  some.length === others.length &&
  some.every((one, at) => {
    const other = others[at];
    return other !== undefined && same(one, other);
  });

const same = (one: ChangeRecord, other: ChangeRecord): boolean =>
  one.kind === other.kind &&
  one.instanceId === other.instanceId &&
  one.mark === other.mark &&
  one.content === other.content &&
  one.generation === other.generation &&
  one.ttlMs === other.ttlMs &&
  one.expired === other.expired;
