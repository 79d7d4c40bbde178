// Writes the state machine to disk behind the acknowledgement: everything that changed since the last batch in one
// synced batch together with the index it belongs to, one in flight.
//
// What is handed to the store is never ahead of this node's own log: a quorum can commit an entry that this disk does not
// have yet, and a state that holds more than the log would be taken for a lost log. The list of changed records holds each
// once, so it is bounded by the catalogue and applying never has to wait for the store.
import { assert } from '../lib/assert.ts';
import { deferred } from '../lib/deferred.ts';
import type { LogIndex } from '../lib/ids.ts';
import { OutOfSpace } from '../lib/out-of-space.ts';
import type { Registry } from '../registry/index.ts';
import type { AppliedPoint } from './applier.ts';
import type { Clock, StateBatch, StateStore } from './ports.ts';

export interface StateFlusherHost {
  readonly clock: Clock;
  readonly registry: Pick<Registry, 'takeDirty' | 'meta'>;
  readonly stateStore: StateStore;
  readonly applied: () => AppliedPoint;
  /** The highest index that this node's own log holds on disk. */
  readonly persistedIndex: () => LogIndex;
  readonly log: { info(fields: object): void; warn(fields: object): void };
  /** The directory is not to be trusted any more: the node stops. */
  readonly failed: (error: unknown) => void;
}

/** From one batch to the next: changes of the same record meanwhile are written once. */
const INTERVAL_MS = 100;
/** From one try to the next while there is no disk space. The log keeps everything meanwhile. */
const NO_SPACE_MS = 1000;

export class StateFlusher {
  readonly #host: StateFlusherHost;
  #flushedIndex: number;
  #startedMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #starved = false;
  /** Taken from the registry, waiting for the log to have it too. */
  #staged: StateBatch | undefined;
  #writing: Promise<void> | undefined;
  #replacing: Promise<void> | undefined;
  #stopped = false;

  constructor(host: StateFlusherHost) {
    this.#host = host;
    this.#flushedIndex = host.stateStore.image.appliedIndex;
  }

  /** The state on disk holds everything up to here. */
  get flushedIndex(): number {
    return this.#flushedIndex;
  }

  /** The last batch found no space on the disk; it is tried again. */
  get starved(): boolean {
    return this.#starved;
  }

  tick(): void {
    if (this.#writing !== undefined || this.#replacing !== undefined || this.#stopped) return;
    if (this.#host.clock.now() < this.#notBeforeMs) return;
    const due = this.#host.clock.now() >= this.#startedMs + INTERVAL_MS;
    if (this.#staged === undefined && due) this.#stage();
    if (this.#staged !== undefined) void this.#write();
  }

  /** Writes all that is applied and in the log, and resolves when the disk has it. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#replacing;
    for (let round = 0; round < 2 && !this.#stopped; round++) {
      if (this.#replacing !== undefined) return this.#replacing;
      if (this.#staged === undefined) this.#stage();
      await this.#write();
    }
  }

  /** A snapshot up to `index` takes the place of the store's content: nothing is written while `install` runs, and what waited
   * to be written is of the past. The registry follows before anything is applied again. */
  async replace(index: LogIndex, install: () => Promise<void>): Promise<void> {
    assert(index > this.#flushedIndex, 'a snapshot is newer than the state on disk');
    assert(this.#replacing === undefined, 'one snapshot is installed at a time');
    const replaced = deferred<void>();
    this.#replacing = replaced.promise;
    this.#staged = undefined;
    try {
      await this.#writing;
      // Put back there by a full disk.
      this.#staged = undefined;
      if (this.#stopped) return;
      await install();
      this.#flushedIndex = index;
      // What found no space is of the past: until there is a batch again nothing is short of it.
      this.#starved = false;
    } finally {
      this.#replacing = undefined;
      replaced.resolve();
    }
  }

  /** Nothing more is written: the node has failed. */
  stop(): void {
    this.#stopped = true;
  }

  #stage(): void {
    const { index, term, configuration } = this.#host.applied();
    if (index <= this.#flushedIndex) return;
    const { registry } = this.#host;
    const records = registry.takeDirty();
    this.#staged = {
      records,
      appliedIndex: index,
      appliedTerm: term,
      configuration,
      meta: registry.meta(),
    };
  }

  async #write(): Promise<void> {
    const batch = this.#staged;
    if (batch === undefined || batch.appliedIndex > this.#host.persistedIndex()) return;
    assert(batch.appliedIndex > this.#flushedIndex, 'the state on disk only moves forward');
    this.#staged = undefined;
    this.#startedMs = this.#host.clock.now();
    this.#writing = this.#host.stateStore.write(batch).then(
      () => {
        this.#flushedIndex = batch.appliedIndex;
        if (this.#starved) this.#host.log.info({ event: 'state_written_again' });
        this.#starved = false;
      },
      (error: unknown) => {
        if (error instanceof OutOfSpace) return this.#putOff(batch, error);
        this.#stopped = true;
        this.#host.failed(error);
      },
    );
    await this.#writing;
    this.#writing = undefined;
  }

  #putOff(batch: StateBatch, error: OutOfSpace): void {
    const { clock, log } = this.#host;
    if (!this.#starved) {
      log.warn({ event: 'state_not_written', applied_index: batch.appliedIndex, err: error });
    }
    this.#starved = true;
    this.#staged = batch;
    this.#notBeforeMs = clock.now() + NO_SPACE_MS;
  }
}
