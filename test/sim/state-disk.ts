// The state store's half of a machine's disk: the content of test/support/memory-state-store.ts in simulated time, with the
// process or the power dying in the middle, failing writes, and damage that is found at open.
import { assert } from '../../src/lib/assert.ts';
import type { LogIndex } from '../../src/lib/ids.ts';
import { OutOfSpace } from '../../src/lib/out-of-space.ts';
import { imageHasher } from '../../src/registry/index.ts';
import { contentBuilder, judgeState } from '../../src/storage/state-verdict.ts';
import type { Random } from '../../src/lib/random.ts';
import type { StateBatch } from '../../src/node/ports.ts';
import {
  type DiskStep,
  emptyMemoryState,
  keepBatch,
  loseUnsettled,
  type MemoryState,
  MemoryStateStore,
  placeSealed,
} from '../support/memory-state-store.ts';
import {
  copied,
  damageRecords,
  isSound,
  type OwnedState,
  type StateDamage,
} from './state-damage.ts';
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
  /** What was damaged is not in use any more. */
  readonly repaired: () => void;
  readonly blame: (evidence: string) => void;
}

export interface Opening {
  readonly process: Process;
  readonly floorIndex: LogIndex;
  /** Incarnation of the node that opens it. */
  readonly owner: string;
}

export class StateDisk {
  readonly #options: StateDiskOptions;
  #state: MemoryState = emptyMemoryState();
  #inFlight: StateBatch | undefined;
  /** Incarnation that is written in it. */
  #owner = '';
  #unreadable = false;
  #aimed: (() => void) | undefined;
  /** Since when it is not what was written; undefined where it is. */
  damagedAtMs: number | undefined;
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
    return this.#discardReason !== undefined || this.damaged;
  }

  /** Something was done to it that nobody has noticed yet. */
  get damaged(): boolean {
    return this.damagedAtMs !== undefined;
  }

  /** It is damaged, or the next batch will fail. */
  get fails(): boolean {
    return this.damaged || this.failWrites > 0;
  }

  /** As it is now, for whoever puts it back later or elsewhere. */
  copy(): OwnedState {
    return copied({ state: this.#state, owner: this.#owner });
  }

  /** Runs `strike` when a snapshot that has come whole is about to be put in its place. */
  aim(strike: (() => void) | undefined): void {
    this.#aimed = strike;
  }

  #strike(): void {
    const strike = this.#aimed;
    this.#aimed = undefined;
    strike?.();
  }

  /** What was done to it; undefined where nothing of that kind can be. `from`: what is put in its place. */
  damage(how: StateDamage, from: OwnedState | undefined): string | undefined {
    const { random, timeline } = this.#options;
    const done = this.#damage(how, from, random);
    // An older state of its own is whole, and the log, or a snapshot, has what came after it.
    if (done !== undefined && how !== 'old') this.damagedAtMs ??= timeline.nowMs;
    return done;
  }

  #damage(how: StateDamage, from: OwnedState | undefined, random: Random): string | undefined {
    switch (how) {
      case 'record':
      case 'loseRecord':
      case 'sealed':
        return damageRecords(how, this.#state, random);
      case 'unreadable':
        this.#unreadable = true;
        return 'the state cannot be read';
      case 'otherSealed':
        return this.#swapSealed();
      case 'old':
      case 'other': {
        if (from === undefined || from.state.last === undefined) return undefined;
        // What was staged is beside the store.
        this.#state = { ...copied(from).state, sealed: this.#state.sealed };
        this.#owner = from.owner;
        return `the state is that of index ${from.state.last.appliedIndex}`;
      }
    }
  }

  /** What it has is put where the snapshot was that it received. */
  #swapSealed(): string | undefined {
    const { sealed, records, last } = this.#state;
    if (sealed === undefined || last === undefined) return undefined;
    sealed.content = { records: new Map(records), last };
    return `its own state of index ${last.appliedIndex} is in the place`;
  }

  /** A scrub that began then says that all is as it was written. */
  scrubbed(beganMs: number): void {
    if (this.damagedAtMs === undefined || this.damagedAtMs >= beganMs) return;
    if (!isSound(this.#state) || this.#unreadable) {
      this.#options.blame('it has scrubbed a damaged state, and says nothing');
    } else this.#mended();
  }

  /** What was damaged has been written anew. */
  #mended(): void {
    this.damagedAtMs = undefined;
    this.#options.repaired();
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
    this.#unreadable = false;
    this.damagedAtMs = undefined;
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

  open({ process, floorIndex, owner }: Opening): MemoryStateStore {
    const reason = this.#discardReason ?? this.#judge(floorIndex, owner);
    this.#discardReason = undefined;
    if (reason !== undefined) {
      if (this.damaged) this.#options.repaired();
      this.replace();
      this.#options.discarded();
    } else if (this.damaged) this.#mended();
    this.#owner = owner;
    const options = {
      floorIndex,
      beforeDurable: (batch: StateBatch) => this.#write(batch, process),
      beforeRead: () => {
        if (this.#unreadable) throw new Error('EIO: simulated read error of the state');
      },
      beforeStep: async (step: DiskStep) => {
        if (step === 'install') this.#strike();
        await this.#take(process, step);
        const grows = step === 'stage' || step === 'add' || step === 'seal';
        if (grows && this.#options.full())
          throw new OutOfSpace('ENOSPC: the simulated disk is full');
      },
    };
    return new MemoryStateStore(this.#state, options, reason);
  }

  /** Why it is not used, by the words of the store on disk; undefined: it is believed, and had better be what was written. */
  #judge(floorIndex: LogIndex, owner: string): string | undefined {
    const { sealed } = this.#state;
    const mismatch = placeSealed(this.#state, floorIndex);
    const { last, records } = this.#state;
    if (this.#unreadable) return 'EIO: simulated read error of the state';
    const content = contentBuilder({ imageHasher });
    content.add([...records].map(([key, value]) => ({ key, value })));
    const state = last && { ...last, owner: this.#owner };
    const outcome = judgeState({ state, content }, { owner, imageHasher });
    const reason = typeof outcome === 'string' ? outcome : mismatch;
    const placed = sealed?.content.records === records ? sealed.header : undefined;
    const swapped = placed !== undefined && placed.index !== last?.appliedIndex;
    const strange = last !== undefined && this.#owner !== owner;
    const wrong = strange || swapped || !isSound(this.#state);
    if (wrong && reason === undefined) {
      const whose = strange
        ? 'of another node'
        : swapped
          ? 'that it has not received'
          : 'that is damaged';
      this.#options.blame(`it believes a state ${whose}`);
    } else if (reason !== undefined && !this.damaged) {
      this.#options.blame(`a state to which nothing was done is discarded: ${reason}`);
    }
    return reason;
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
