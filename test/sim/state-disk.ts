// The state store's half of a machine's disk: the content of test/support/memory-state-store.ts in simulated time, with the
// process or the power dying in the middle, failing writes, and damage that is found at open.
import { assert } from '../../src/lib/assert.ts';
import type { LogIndex } from '../../src/lib/ids.ts';
import { OutOfSpace } from '../../src/lib/out-of-space.ts';
import type { Random } from '../../src/lib/random.ts';
import type { StateBatch } from '../../src/node/ports.ts';
import {
  type DiskStep,
  emptyMemoryState,
  keepBatch,
  loseUnsettled,
  type MemoryState,
  MemoryStateStore,
} from '../support/memory-state-store.ts';
import type { Process, Timeline } from './timeline.ts';

export interface StateDiskOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  /** A synced batch, and a step of a snapshot, takes from half of this to one and a half; staging a part, which waits for no
   * sync, a tenth. */
  readonly writeMs: number;
  /** No call completes before this moment. */
  readonly stalledUntilMs: () => number;
  /** No file grows any more. */
  readonly full: () => boolean;
  /** A batch found no space. */
  readonly putOff: () => void;
  readonly discarded: () => void;
}

export class StateDisk {
  readonly #options: StateDiskOptions;
  #state: MemoryState = emptyMemoryState();
  #inFlight: StateBatch | undefined;
  #discardReason: string | undefined;
  /** How many of the next writes fail. */
  failWrites = 0;
  /** Writes that were failed. */
  failed = 0;

  constructor(options: StateDiskOptions) {
    this.#options = options;
  }

  /** The applied index that nothing but damage can take back. */
  get settledIndex(): number {
    const { unsettled, last } = this.#state;
    const [oldest] = unsettled;
    return (oldest === undefined ? last : oldest.last)?.appliedIndex ?? 0;
  }

  /** What it holds will be found damaged at the next open. */
  get doomed(): boolean {
    return this.#discardReason !== undefined;
  }

  /** The index of a snapshot that has come whole and is not in its place. */
  get sealedIndex(): number {
    return this.#state.sealed?.header.index ?? 0;
  }

  /** Damage found at the next open, which must cost nothing but time. */
  discardAtOpen(): void {
    this.#discardReason = 'a simulated mismatch';
  }

  replace(): void {
    this.#state = emptyMemoryState();
    this.#inFlight = undefined;
  }

  /** The process died, with the power if `power`. */
  crash(power: boolean): void {
    const { random } = this.#options;
    const batch = this.#inFlight;
    this.#inFlight = undefined;
    if (batch !== undefined && random.next() < 0.5) keepBatch(this.#state, batch);
    if (!power) return;
    const { length } = this.#state.unsettled;
    loseUnsettled(this.#state, random.next() < 0.5 ? length : random.integer(0, length + 1));
  }

  open(process: Process, floorIndex: LogIndex): MemoryStateStore {
    const reason = this.#discardReason;
    this.#discardReason = undefined;
    if (reason !== undefined) {
      this.replace();
      this.#options.discarded();
    }
    const options = {
      floorIndex,
      beforeDurable: (batch: StateBatch) => this.#write(batch, process),
      beforeStep: async (step: DiskStep) => {
        await this.#take(process, step);
        const grows = step === 'stage' || step === 'add' || step === 'seal';
        if (grows && this.#options.full())
          throw new OutOfSpace('ENOSPC: the simulated disk is full');
      },
    };
    return new MemoryStateStore(this.#state, options, reason);
  }

  async #write(batch: StateBatch, process: Process): Promise<void> {
    assert(this.#inFlight === undefined, 'one state batch is written at a time');
    this.#inFlight = batch;
    await this.#take(process, 'state');
    this.#inFlight = undefined;
    if (this.#options.full()) {
      this.#options.putOff();
      throw new OutOfSpace('ENOSPC: the simulated disk is full');
    }
    if (this.failWrites === 0) return;
    this.failWrites--;
    this.failed++;
    throw new Error('EIO: simulated state write error');
  }

  async #take(process: Process, what: string): Promise<void> {
    const { timeline, random, writeMs, stalledUntilMs } = this.#options;
    const durationMs = (what === 'add' ? writeMs / 10 : writeMs) * (0.5 + random.next());
    // A stall may hold up the log alone: the state then runs ahead of it, as far as it may.
    const stalledMs = random.next() < 0.5 ? stalledUntilMs() : 0;
    const endMs = Math.max(timeline.nowMs + durationMs, stalledMs);
    await timeline.sleep(endMs - timeline.nowMs, process, `disk ${process.name} ${what}`);
  }
}
