// A StateStore in memory, for tests of the node and for the simulator. It passes the port's conformance suite.
import { assert } from '../../src/lib/assert.ts';
import { logIndex, revision } from '../../src/lib/ids.ts';
import type { StateBatch, StateStore } from '../../src/node/ports.ts';
import type { RegistryImage, RegistryMeta } from '../../src/registry/index.ts';

/** What outlives the process. */
export interface MemoryState {
  readonly records: Map<string, Uint8Array>;
  /** undefined until the first batch. */
  last: Pick<StateBatch, 'appliedIndex' | 'appliedTerm' | 'meta'> | undefined;
}

export function emptyMemoryState(): MemoryState {
  return { records: new Map(), last: undefined };
}

export interface MemoryStateOptions {
  /** Called for each batch; it becomes durable when this resolves, or never if it rejects. Default: in a microtask. */
  readonly beforeDurable?: (batch: StateBatch) => Promise<void>;
  /** Meta of the empty state. Its hash is '' by default. */
  readonly emptyMeta?: RegistryMeta;
}

export class MemoryStateStore implements StateStore {
  readonly image: RegistryImage;
  readonly discarded: string | undefined;
  readonly #state: MemoryState;
  readonly #beforeDurable: (batch: StateBatch) => Promise<void>;
  #writing = false;
  #ended: Error | undefined;

  constructor(
    state: MemoryState = emptyMemoryState(),
    options: MemoryStateOptions = {},
    discarded?: string,
  ) {
    const empty = options.emptyMeta ?? { revision: revision(0), registryTimeMs: 0, hash: '' };
    this.#state = state;
    this.#beforeDurable = options.beforeDurable ?? (() => Promise.resolve());
    this.discarded = discarded;
    const records = [...state.records].map(([key, value]) => ({ key, value: value.slice() }));
    this.image = {
      appliedIndex: state.last?.appliedIndex ?? logIndex(0),
      meta: state.last?.meta ?? empty,
      records,
    };
  }

  async write(batch: StateBatch): Promise<void> {
    this.#assertAlive();
    assert(!this.#writing, 'one state batch is written at a time');
    this.#writing = true;
    try {
      await this.#beforeDurable(batch);
      this.#assertAlive();
      for (const { key, value } of batch.records) {
        if (value === undefined) this.#state.records.delete(key);
        else this.#state.records.set(key, value.slice());
      }
      const { appliedIndex, appliedTerm, meta } = batch;
      this.#state.last = { appliedIndex, appliedTerm, meta };
    } catch (error) {
      this.#ended ??= error instanceof Error ? error : new Error(String(error));
      throw this.#ended;
    } finally {
      this.#writing = false;
    }
  }

  #assertAlive(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  async close(): Promise<void> {
    this.#ended ??= new Error('the state store is closed');
  }
}
