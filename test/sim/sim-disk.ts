// The disk of one machine under the real write-ahead log: a MemoryDisk whose calls take simulated time, fail, stall, find it
// full, and are caught half done when the process or the power dies. What a killed process was writing is in the page cache
// and not on the medium for sure: only a second write makes it so.
import type { Random } from '../../src/lib/random.ts';
import { type DiskCall, MemoryDisk } from '../support/memory-disk.ts';
import { type DamagedDisk, damageLog, type LogDamage, type LogPlace } from './log-damage.ts';
import type { Process, Timeline } from './timeline.ts';

export interface DiskOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  /** A write or sync takes from this to four times this. */
  readonly writeMs: number;
  readonly torn: () => void;
}

/** Told where the log is read. */
type ReadStrike = (place: LogPlace) => void;

const SECTOR = 512;
const READ_MS = 0.1;
const CAPACITY_BYTES = 1 << 30;

/** The interval of node/disk-reserve.ts, and time to write what waited. */
const ROOM_SEEN_MS = 1250;

export class SimDisk {
  #files = new MemoryDisk();
  readonly #options: DiskOptions;
  readonly #inFlight = new Set<DiskCall>();
  /** What is to happen in the middle of the next write. */
  #aimed: (() => void) | undefined;
  /** What is to happen when entries are read back, and, once they are, to the first bytes that are. */
  #aimedAtEntries: ReadStrike | undefined;
  #aimedAtRead: ReadStrike | undefined;
  /** Nothing completes before this moment. */
  stalledUntilMs = 0;
  /** Until then a call is held by a stall, or by a full disk that nobody has looked at since, though both may be healed. */
  heldUntilMs = 0;
  /** How many of the next calls of each kind fail. */
  failWrites = 0;
  failReads = 0;
  /** Files of which nothing can be read back. */
  readonly unreadable = new Set<string>();
  /** No file grows any more, so no segment can be prepared. */
  full = false;
  /** Calls that were failed; a process that ends with a disk error is innocent after one. */
  failed = 0;
  /** Calls that found no space. A process may not start for that, but it does not end. */
  foundFull = 0;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  get files(): MemoryDisk {
    return this.#files;
  }

  /** What a file system would say that is as large as any run needs. */
  async freeSpace(process: Process): Promise<number> {
    await this.#options.timeline.sleep(READ_MS, process, `disk ${process.name} statfs`);
    if (this.full) return 0;
    const used = this.files.paths().reduce((sum, path) => sum + this.files.bytesOf(path).length, 0);
    return Math.max(0, CAPACITY_BYTES - used);
  }

  /** The next call of some kind will. */
  get fails(): boolean {
    return this.failWrites > 0 || this.failReads > 0;
  }

  /** What fails or stands still does so no more; what is damaged stays. */
  heal(): void {
    this.stalledUntilMs = 0;
    this.failWrites = 0;
    this.failReads = 0;
    this.makeRoom();
  }

  /** A node looks for room once a second: until it has, its log waits, which may yet cost it the leadership. */
  makeRoom(): void {
    if (this.full) {
      this.heldUntilMs = Math.max(this.heldUntilMs, this.#options.timeline.nowMs + ROOM_SEEN_MS);
    }
    this.full = false;
  }

  /** A process has ended for what was done to it; the next one has to have a reason of its own. */
  forgive(): void {
    this.failed = 0;
    this.foundFull = 0;
  }

  /** Runs `strike` when the next entries are read back, before their first bytes are. */
  aimAtRead(strike: ReadStrike | undefined): void {
    this.#aimedAtEntries = strike;
  }

  /** Entries are about to be read back. */
  entriesRead(): void {
    this.#aimedAtRead ??= this.#aimedAtEntries;
    this.#aimedAtEntries = undefined;
  }

  /** An empty disk takes the place of this one. */
  replace(): void {
    this.#files = new MemoryDisk();
    this.unreadable.clear();
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
      if (call.action === 'read') this.#strikeAtRead(call);
      this.#failIfDue(call);
    };
  }

  /** Runs `strike` while the next write is on its way to the medium. */
  aim(strike: () => void): void {
    this.#aimed = strike;
  }

  /** The process dies. What it was writing reaches the page cache whole, in part or not at all, sector by sector and in any
   * order, and as much of it the medium; with the power, what was not synced is gone as well, but for what got out by chance. */
  crash(power: boolean): void {
    const { random, torn } = this.#options;
    const writes = [...this.#inFlight].filter(({ action }) => action === 'write');
    this.#inFlight.clear();
    this.#aimedAtRead = undefined;
    for (const { path, bytes, position } of writes) {
      if (bytes === undefined || position === undefined || !this.files.paths().includes(path)) {
        continue;
      }
      const cached = this.files.bytesOf(path);
      if (position + bytes.length > cached.length) continue;
      const share = random.next();
      const hardened = random.next() < 0.5;
      for (let at = 0; at < bytes.length; at += SECTOR) {
        // A quarter of the writes does not begin, a quarter ends, half of them are torn.
        const written = share < 1 / 4 ? false : share < 1 / 2 || random.next() < 0.5;
        if (!written) continue;
        const sector = bytes.subarray(at, at + SECTOR);
        if (hardened) this.files.scribble(path, position + at, sector);
        else cached.set(sector, position + at);
      }
      if (share >= 1 / 2 && bytes.length > SECTOR && bytes[0] !== 0) torn();
    }
    if (!power) return;
    const luck = random.next() < 0.5 ? 0 : random.next();
    this.files.cutPower(() => random.next() < luck);
  }

  /** What was done to the log; undefined where nothing of that kind can be done to it. */
  damageLog(how: LogDamage, from: Omit<DamagedDisk, 'files' | 'unreadable'>): string | undefined {
    const { files, unreadable } = this;
    return damageLog(how, { ...from, files, unreadable }, this.#options.random);
  }

  #strikeAtRead({ path, position = 0 }: DiskCall): void {
    const strike = this.#aimedAtRead;
    this.#aimedAtRead = undefined;
    strike?.({ path, position });
  }

  async #take(call: DiskCall, process: Process): Promise<void> {
    const { timeline, random, writeMs } = this.#options;
    const reads = call.action === 'read' || call.action === 'open';
    const durationMs = reads ? READ_MS : writeMs * (1 + 3 * random.next() ** 3);
    const endMs = Math.max(timeline.nowMs + durationMs, this.stalledUntilMs);
    this.heldUntilMs = Math.max(this.heldUntilMs, this.stalledUntilMs);
    if (this.#aimed !== undefined && this.#worthHitting(call)) {
      timeline.after((endMs - timeline.nowMs) * random.next(), undefined, 'strike', this.#aimed);
      this.#aimed = undefined;
    }
    await timeline.sleep(endMs - timeline.nowMs, process, `disk ${process.name} ${call.action}`);
    // A stall that began meanwhile holds up this call as well.
    if (this.stalledUntilMs > timeline.nowMs) {
      this.heldUntilMs = Math.max(this.heldUntilMs, this.stalledUntilMs);
      const restMs = this.stalledUntilMs - timeline.nowMs;
      await timeline.sleep(restMs, process, `disk ${process.name} stall`);
    }
  }

  /** What prepares space is zeros, and nobody reads it; and a write of one sector cannot be torn. */
  #worthHitting({ bytes }: DiskCall): boolean {
    if (bytes === undefined || bytes.every((byte) => byte === 0)) return false;
    return bytes.length > SECTOR || this.#options.random.next() < 0.3;
  }

  #failIfDue({ action, path, bytes, position }: DiskCall): void {
    const writes = action === 'write' || action === 'sync';
    if (this.full && action === 'write') {
      const end = (position ?? 0) + (bytes?.length ?? 0);
      if (end > this.files.bytesOf(path).length) {
        this.foundFull++;
        throw Object.assign(new Error('ENOSPC: the simulated disk is full'), { code: 'ENOSPC' });
      }
    }
    if (writes && this.failWrites > 0) {
      this.failWrites--;
      this.failed++;
      throw Object.assign(new Error('EIO: simulated write error'), { code: 'EIO' });
    }
    if (action === 'read' && (this.failReads > 0 || this.unreadable.has(path))) {
      if (!this.unreadable.has(path)) this.failReads--;
      this.failed++;
      throw Object.assign(new Error('EIO: simulated read error'), { code: 'EIO' });
    }
  }
}
