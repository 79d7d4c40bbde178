// The disk of one machine under the real write-ahead log: a MemoryDisk whose calls take simulated time, fail, stall, and
// are caught half done when the process or the power dies.
import type { Random } from '../../src/lib/random.ts';
import { type DiskCall, MemoryDisk } from '../support/memory-disk.ts';
import type { Process, Timeline } from './timeline.ts';

export interface DiskOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  /** A write or sync takes from this to four times this. */
  readonly writeMs: number;
  readonly torn: () => void;
}

const SECTOR = 512;
const READ_MS = 0.1;

export class SimDisk {
  #files = new MemoryDisk();
  readonly #options: DiskOptions;
  readonly #inFlight = new Set<DiskCall>();
  /** What is to happen in the middle of the next write. */
  #aimed: (() => void) | undefined;
  /** Nothing completes before this moment. */
  stalledUntilMs = 0;
  /** How many of the next calls of each kind fail. */
  failWrites = 0;
  failReads = 0;
  /** Calls that were failed; a process that ends with a disk error is innocent after one. */
  failed = 0;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  get files(): MemoryDisk {
    return this.#files;
  }

  /** An empty disk takes the place of this one. */
  replace(): void {
    this.#files = new MemoryDisk();
    this.#inFlight.clear();
    this.#aimed = undefined;
  }

  /** From now on the calls are those of this process. */
  attach(process: Process): void {
    this.files.fault = async (call) => {
      // The list is for tests that count.
      this.files.calls.length = 0;
      this.#inFlight.add(call);
      await this.#take(call, process);
      this.#inFlight.delete(call);
      this.#failIfDue(call);
    };
  }

  /** Runs `strike` while the next write is on its way to the medium. */
  aim(strike: () => void): void {
    this.#aimed = strike;
  }

  /** The process dies. What it was writing reaches the medium whole, in part or not at all, sector by sector and in any
   * order; with the power, everything that was not synced is gone as well. */
  crash(power: boolean): void {
    const { random, torn } = this.#options;
    const writes = [...this.#inFlight].filter(({ action }) => action === 'write');
    this.#inFlight.clear();
    if (power) this.files.cutPower();
    for (const { path, bytes, position } of writes) {
      if (bytes === undefined || position === undefined || !this.files.paths().includes(path)) {
        continue;
      }
      if (position + bytes.length > this.files.bytesOf(path).length) continue;
      const share = random.next();
      for (let at = 0; at < bytes.length; at += SECTOR) {
        // A quarter of the writes does not begin, a quarter ends, half of them are torn.
        const written = share < 1 / 4 ? false : share < 1 / 2 || random.next() < 0.5;
        if (written) this.files.scribble(path, position + at, bytes.subarray(at, at + SECTOR));
      }
      if (share >= 1 / 2) torn();
    }
  }

  async #take(call: DiskCall, process: Process): Promise<void> {
    const { timeline, random, writeMs } = this.#options;
    const reads = call.action === 'read' || call.action === 'open';
    const durationMs = reads ? READ_MS : writeMs * (1 + 3 * random.next() ** 3);
    const endMs = Math.max(timeline.nowMs + durationMs, this.stalledUntilMs);
    if (call.action === 'write' && this.#aimed !== undefined) {
      timeline.after((endMs - timeline.nowMs) * random.next(), undefined, 'strike', this.#aimed);
      this.#aimed = undefined;
    }
    await timeline.sleep(endMs - timeline.nowMs, process, `disk ${process.name} ${call.action}`);
    // A stall that began meanwhile holds up this call as well.
    if (this.stalledUntilMs > timeline.nowMs) {
      const restMs = this.stalledUntilMs - timeline.nowMs;
      await timeline.sleep(restMs, process, `disk ${process.name} stall`);
    }
  }

  #failIfDue({ action }: DiskCall): void {
    const writes = action === 'write' || action === 'sync';
    if (writes && this.failWrites > 0) {
      this.failWrites--;
      this.failed++;
      throw Object.assign(new Error('EIO: simulated write error'), { code: 'EIO' });
    }
    if (action === 'read' && this.failReads > 0) {
      this.failReads--;
      this.failed++;
      throw Object.assign(new Error('EIO: simulated read error'), { code: 'EIO' });
    }
  }
}
