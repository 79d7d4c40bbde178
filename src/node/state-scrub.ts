// Reads the state on disk back, a little at a time, and compares it with the hash it should have: damage is found while there are
// other copies, not when this one is needed (docs/adr/0019). What is served comes from memory, which has a scrub of its own.
import type { ImageHasher } from '../registry/index.ts';
import { readFailureCode } from './read-failure.ts';
import type { Clock, SnapshotHeader, StateSnapshot, StateStore } from './ports.ts';

export interface StateScrubHost {
  readonly clock: Clock;
  readonly stateStore: Pick<StateStore, 'snapshot'>;
  readonly imageHasher: () => ImageHasher;
  /** Between two walks. Default 600 000 ms. */
  readonly restMs?: number | undefined;
  /** What is on disk is not what was written. */
  readonly damaged: (reason: string, cause?: unknown) => void;
  readonly log: { info(fields: object): void };
}

/** 320 KiB/s at most: 100 000 records of 300 bytes take a minute and a half, and less than 1 % of a core. */
const PART_BYTES = 64 << 10;
const PART_MS = 200;
const REST_MS = 600_000;
/** After one that could not begin or was cut short, and before the first, unless the rest is shorter. */
const AGAIN_MS = 10_000;

interface Walk {
  readonly view: StateSnapshot;
  readonly hasher: ImageHasher;
  readonly beganMs: number;
  after: string;
}

export const UNREADABLE = 'the state on disk cannot be read back';

/** What is wrong with the state that `header` is of, once `hasher` has been given every one of its `records` as they were read back;
 * undefined: nothing. */
export function damageOf(
  { index, meta }: SnapshotHeader,
  hasher: ImageHasher,
  records: number,
): string | undefined {
  const hash = hasher.hash(meta.revision, meta.registryTimeMs);
  if (hash !== meta.hash) {
    return `the state on disk is damaged: its ${records} records at index ${index} have the hash ${hash} instead of ${meta.hash}`;
  }
  return undefined;
}

export class StateScrub {
  readonly #host: StateScrubHost;
  readonly #restMs: number;
  readonly #againMs: number;
  #walk: Walk | undefined;
  #busy = false;
  #stopped = false;
  #nextMs: number;
  #records = 0;
  #scrubbedAtMs = 0;

  constructor(host: StateScrubHost) {
    this.#host = host;
    this.#restMs = host.restMs ?? REST_MS;
    this.#againMs = Math.min(AGAIN_MS, this.#restMs);
    this.#nextMs = host.clock.now() + this.#againMs;
  }

  /** Records that the walk under way has read back; after its end those of all of it. */
  get records(): number {
    return this.#records;
  }

  /** Unix time of the last walk's end; 0 before the first. */
  get scrubbedAtMs(): number {
    return this.#scrubbedAtMs;
  }

  tick(nowMs: number): void {
    if (this.#busy || this.#stopped || nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + PART_MS;
    this.#busy = true;
    void this.#step().finally(() => (this.#busy = false));
  }

  stop(): void {
    this.#stopped = true;
    this.#end(this.#restMs);
  }

  async #step(): Promise<void> {
    const walk = (this.#walk ??= await this.#begin());
    if (walk === undefined) return;
    if (this.#stopped) return this.#end(this.#restMs);
    try {
      const { records, done } = await walk.view.read(walk.after, PART_BYTES);
      if (this.#isOver(walk)) return;
      for (const record of records) walk.hasher.add(record);
      this.#records += records.length;
      walk.after = records.at(-1)?.key ?? walk.after;
      if (done) this.#judge(walk);
    } catch (error) {
      if (this.#isOver(walk)) return;
      this.#end(this.#restMs);
      this.#host.damaged(UNREADABLE, error);
    }
  }

  /** Other content has taken the place of what was walked over, or nobody wants to know any more. */
  #isOver({ view }: Walk): boolean {
    if (!view.ended && !this.#stopped) return false;
    this.#end(this.#againMs);
    return true;
  }

  /** undefined: there is nothing on disk yet, or too many views are open; or what it would begin with is damaged. */
  async #begin(): Promise<Walk | undefined> {
    const { stateStore, imageHasher, clock } = this.#host;
    try {
      const view = await stateStore.snapshot();
      this.#records = 0;
      return { view, hasher: imageHasher(), beganMs: clock.now(), after: '' };
    } catch (error) {
      this.#nextMs = clock.now() + this.#againMs;
      // The store itself says that the disk is at fault.
      if (readFailureCode(error) === 10 && !this.#stopped) {
        this.#host.damaged(UNREADABLE, error);
      }
      return undefined;
    }
  }

  #judge({ view, hasher, beganMs }: Walk): void {
    const { clock, log, damaged } = this.#host;
    const { index } = view.header;
    const damage = damageOf(view.header, hasher, this.#records);
    this.#end(this.#restMs);
    if (damage !== undefined) return damaged(damage);
    this.#scrubbedAtMs = clock.unixNow();
    const tookMs = Math.round(clock.now() - beganMs);
    log.info({ event: 'state_scrubbed', index, records: this.#records, took_ms: tookMs });
  }

  #end(restMs: number): void {
    const { clock } = this.#host;
    this.#nextMs = clock.now() + restMs;
    const walk = this.#walk;
    this.#walk = undefined;
    // A view that cannot even be closed has ended with its store.
    walk?.view.close().catch(() => undefined);
  }
}
