// A reader of the model: told at once, later in one message, or by a reset; never anything that is not so.
import type { Random } from '../../src/lib/random.ts';
import type { ChangeRecord, WatchMessageRecord } from './history.ts';

export class ModelReader {
  readonly messages: WatchMessageRecord[] = [];
  readonly watcher: string;
  readonly service: string | undefined;
  /** Nothing reaches it. */
  deaf = false;
  readonly #random: Random;
  readonly #lags: boolean;
  /** Merged and not told yet. */
  readonly #waiting = new Map<string, ChangeRecord>();
  /** What it holds, as it was told. */
  readonly #held = new Set<string>();
  #missed = false;

  constructor(watcher: string, service: string | undefined, random: Random, lags: boolean) {
    this.watcher = watcher;
    this.service = service;
    this.#random = random;
    this.#lags = lags;
  }

  begin(atMs: number): void {
    this.#push({ atMs, revision: 0, reset: true, more: false, changes: [] });
  }

  tell(
    atMs: number,
    revision: number,
    change: ChangeRecord,
    texts: () => ReadonlyMap<string, ChangeRecord>,
  ): void {
    if (this.deaf) return;
    this.#waiting.set(change.instanceId, this.#asTold(change));
    if (this.#lags && this.#random.next() < 0.2) {
      this.#missed ||= this.#random.next() < 0.1;
      return;
    }
    if (this.#missed) this.restate(atMs + 1, revision, texts());
    else this.#flush(atMs + this.#random.next(), revision);
  }

  restate(atMs: number, revision: number, texts: ReadonlyMap<string, ChangeRecord>): void {
    this.#missed = false;
    this.#waiting.clear();
    this.#held.clear();
    const all = [...texts.values()].filter((one) => this.#selects(one));
    for (const one of all) this.#held.add(one.instanceId);
    const half = all.length >> 1;
    const first = { atMs, revision, reset: true, more: true, changes: all.slice(0, half) };
    this.#push(first);
    this.#push({ ...first, reset: false, more: false, changes: all.slice(half) });
  }

  end(atMs: number, revision: number, texts: ReadonlyMap<string, ChangeRecord>): void {
    const told = this.messages.at(-1)?.revision ?? 0;
    if (told < revision) this.restate(atMs, revision, texts);
  }

  /** Who left the service is removed for a reader of it. */
  #asTold(change: ChangeRecord): ChangeRecord {
    if (change.kind === 'remove' || this.#selects(change)) return change;
    return { kind: 'remove', instanceId: change.instanceId, mark: change.mark, content: '' };
  }

  #flush(atMs: number, revision: number): void {
    const changes = [...this.#waiting.values()].filter(
      ({ kind, instanceId }) =>
        this.service === undefined || kind === 'put' || this.#held.has(instanceId),
    );
    this.#waiting.clear();
    for (const { kind, instanceId } of changes) {
      if (kind === 'put') this.#held.add(instanceId);
      else this.#held.delete(instanceId);
    }
    // Without anything for this reader it is a progress mark.
    this.#push({ atMs, revision, reset: false, more: false, changes });
  }

  #push(message: WatchMessageRecord): void {
    const beforeMs = this.messages.at(-1)?.atMs ?? 0;
    this.messages.push({ ...message, atMs: Math.max(beforeMs, message.atMs) });
  }

  #selects({ content }: ChangeRecord): boolean {
    return this.service === undefined || content.startsWith(`${this.service} `);
  }
}
