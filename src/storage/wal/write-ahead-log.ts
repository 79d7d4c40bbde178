// The log on disk (docs/adr/0010): one writer loop with one write in flight; what arrives meanwhile forms the
// next group, which is one frame, one device write and one sync. What a floor covers is let go of in the background.
import { assert, InvariantError, present } from '../../lib/assert.ts';
import { deferred, type Deferred } from '../../lib/deferred.ts';
import type { LogIndex } from '../../lib/ids.ts';
import type { LogImage, LogStore } from '../../node/ports.ts';
import type { HardState, LogEntry, LogFloor, PersistBatch } from '../../raft/index.ts';
import { DiskError } from '../errors.ts';
import { encodePiece, pieceSize, splitBatch, type BatchPiece } from './batch-codec.ts';
import type { EntryMap } from './entry-map.ts';
import { bodyRoom, encodeFrame, sectorBytes, sectorsOf, type FrameType } from './frame.ts';
import { readEntries } from './reader.ts';
import { encodeSegmentHeader, segmentPath, type Segment } from './segment.ts';
import { SpareSegments, type SpareSettings } from './spare-segments.ts';
import { TermRuns } from './term-runs.ts';
import type { WalFile } from './wal-files.ts';

/** Counters since open. */
export interface WalStats {
  /** Device writes of frames; each is one sync. */
  readonly writes: number;
  /** Batches made durable. */
  readonly batches: number;
  readonly bytes: number;
  /** Now part of the log. */
  readonly segments: number;
  /** Segments begun. */
  readonly rolls: number;
  /** Segments that a floor let go of. */
  readonly freed: number;
  /** Segments that were made of one of those. */
  readonly reused: number;
  /** Rolls that had to wait until the next segment was zeroed. */
  readonly stalls: number;
}

export interface WalSettings extends SpareSettings {
  readonly owner: string;
  readonly maxFrameBytes: number;
}

/** Where the writer goes on, as recovery found it. */
export interface WriterStart {
  readonly image: LogImage;
  readonly entries: EntryMap;
  /** The last one is written to. */
  readonly segments: readonly Segment[];
  readonly file: WalFile;
  /** Sector of the last segment; 0: its header is still to be written. */
  readonly nextSector: number;
  readonly sequence: number;
  readonly previousCrc: number;
  /** The segment that holds the newest floor; undefined where there is none. */
  readonly floorSegment: Segment | undefined;
  /** True when the segment after the last one is already there, zeroed. */
  readonly spareReady: boolean;
}

interface Queued {
  readonly piece: BatchPiece;
  readonly bytes: number;
  /** On the last piece of a batch. */
  readonly done: Deferred<void> | undefined;
}

const maxBatchesPerFrame = 0xffff;

/** The most one frame can hold: a segment's first sector is its header, and its last one is kept for the seal. */
export function largestBody(segmentBytes: number): number {
  return bodyRoom(segmentBytes / sectorBytes - 2);
}

/** A LogStore on segments. Queues what raft hands it; raft's own limits on uncommitted bytes bound the queue. */
export class WriteAheadLog implements LogStore {
  readonly image: LogImage;
  readonly #settings: WalSettings;
  readonly #entries: EntryMap;
  readonly #segments: Segment[];
  readonly #spares: SpareSegments;
  #file: WalFile;
  #nextSector: number;
  #sequence: number;
  #previousCrc: number;
  #queue: Queued[] = [];
  /** The log once everything queued is written: what the next batch is checked against. */
  readonly #planned: TermRuns;
  #plannedState: HardState;
  #writing: Promise<void> | undefined;
  #body = Buffer.allocUnsafeSlow(64 * 1024);
  #frames = Buffer.allocUnsafeSlow(64 * 1024);
  #floorSegment: Segment | undefined;
  #freeing: Promise<void> | undefined;
  /** Under way. What they read is not let go of before they are through. */
  readonly #reads = new Set<Promise<unknown>>();
  #closed = false;
  #failure: Error | undefined;
  #stats = { writes: 0, batches: 0, bytes: 0, rolls: 0, freed: 0, stalls: 0 };

  /** Use openWal. */
  constructor(settings: WalSettings, start: WriterStart) {
    this.image = start.image;
    this.#settings = settings;
    this.#entries = start.entries;
    this.#segments = [...start.segments];
    this.#file = start.file;
    this.#nextSector = start.nextSector;
    this.#sequence = start.sequence;
    this.#previousCrc = start.previousCrc;
    const { floor, runs, lastIndex, hardState } = start.image;
    this.#planned = new TermRuns(floor, runs, lastIndex);
    this.#plannedState = hardState;
    this.#spares = new SpareSegments(settings, start.spareReady ? this.#active.id + 1 : undefined);
    this.#floorSegment = start.floorSegment;
    // What a crash kept from being let go of.
    this.#freeUnneeded();
  }

  append(batch: PersistBatch): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.reject(new Error('the log is closed'));
    try {
      this.#enqueue(batch);
    } catch (error) {
      this.#fail(error);
      return Promise.reject(error);
    }
    const done = present(this.#queue.at(-1)?.done, 'the last piece of a batch reports');
    this.#writing ??= this.#write();
    return done.promise;
  }

  get starved(): LogStore['starved'] {
    return this.#spares.starved;
  }

  resume(): void {
    this.#spares.resume();
  }

  async read(from: LogIndex, to: LogIndex, maxBytes: number): Promise<readonly LogEntry[]> {
    assert(!this.#closed, 'a closed log is not read');
    const { files } = this.#settings;
    const source = { files, entries: this.#entries, segments: this.#segments };
    const reading = readEntries(source, from, to, maxBytes);
    this.#reads.add(reading);
    try {
      return await reading;
    } finally {
      this.#reads.delete(reading);
    }
  }

  /** Waits for what is queued, then closes the files. Later calls reject. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#spares.end();
    await this.#writing;
    await this.#freeing;
    await this.#spares.close();
    await this.#file.close();
  }

  get bytes(): number {
    const sectors = this.#segments.reduce((sum, segment) => sum + segment.sectors, 0);
    return sectors * sectorBytes + this.#spares.bytes;
  }

  stats(): WalStats {
    return { ...this.#stats, segments: this.#segments.length, reused: this.#spares.reused };
  }

  #enqueue(batch: PersistBatch): void {
    const restarts = this.#check(batch);
    const { segmentBytes, maxFrameBytes } = this.#settings;
    const pieces = splitBatch(restarts ? { ...batch, restarts } : batch, maxFrameBytes);
    pieces.forEach((piece, at) => {
      const bytes = pieceSize(piece);
      const limit = largestBody(segmentBytes);
      assert(bytes <= limit, `an entry fits into a segment: ${bytes} bytes, limit ${limit}`);
      const done = at === pieces.length - 1 ? deferred<void>() : undefined;
      this.#queue.push({ piece, bytes, done });
    });
  }

  // Before it is written, not after: a log that breaks these would be refused at the next open. True when the batch's floor
  // takes the place of the whole log.
  #check({ hardState, truncateAfter, floor, entries }: PersistBatch): boolean {
    const before = this.#plannedState;
    assert(hardState.term >= before.term, 'the term never falls');
    if (truncateAfter !== undefined) {
      assert(truncateAfter >= before.commitIndex, 'what is committed is never cut');
      this.#planned.truncate(truncateAfter);
    }
    const restarts = floor !== undefined && this.#checkFloor(floor, hardState);
    for (const entry of entries) this.#planned.append(entry.index, entry.term);
    assert(hardState.commitIndex <= this.#planned.lastIndex, 'what is committed is in the log');
    this.#plannedState = hardState;
    return restarts;
  }

  #checkFloor(floor: LogFloor, { commitIndex }: HardState): boolean {
    assert(floor.index >= Math.max(1, this.#planned.floor.index), 'the floor never falls');
    assert(floor.index <= commitIndex, 'what the floor covers is committed');
    if (this.#planned.has(floor)) {
      this.#planned.raise(floor);
      return false;
    }
    assert(floor.index > this.#plannedState.commitIndex, 'what is committed is never dropped');
    this.#planned.restart(floor);
    return true;
  }

  /** The writer loop. Starts in a later microtask, so that the appends of one turn form one group. */
  async #write(): Promise<void> {
    try {
      await Promise.resolve();
      while (this.#queue.length > 0) await this.#writeGroup();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeGroup(): Promise<void> {
    const group = this.#takeGroup();
    try {
      const bytes = group.reduce((sum, queued) => sum + queued.bytes, 0);
      if (this.#body.length < bytes) this.#body = Buffer.allocUnsafeSlow(bytes * 2);
      let end = 0;
      for (const queued of group) end = encodePiece(this.#body, end, queued.piece);
      assert(end === bytes, 'a piece is as long as it was counted');
      const sectors = sectorsOf(end);
      // One sector stays free for the seal.
      if (this.#nextSector + sectors + 1 > this.#active.sectors) await this.#roll();
      const sector = await this.#writeFrame('batches', group.length, this.#body.subarray(0, end));
      this.#record(group, sector, sectors);
      // From the middle of a segment on, there is time to zero the next one before it is needed.
      if (this.#nextSector * 2 > this.#active.sectors) this.#spares.prepare(this.#active.id + 1);
    } catch (error) {
      const failure =
        error instanceof InvariantError ? error : new DiskError('Writing the log', error);
      for (const queued of group) queued.done?.reject(failure);
      throw failure;
    }
  }

  #takeGroup(): readonly Queued[] {
    let bytes = 0;
    let count = 0;
    for (const queued of this.#queue) {
      bytes += queued.bytes;
      const full = bytes > this.#settings.maxFrameBytes || count === maxBatchesPerFrame;
      if (full && count > 0) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** Writes one frame, behind the segment's header if that is not there yet; returns its sector in the segment. */
  async #writeFrame(type: FrameType, batchCount: number, body: Buffer): Promise<number> {
    const segment = this.#active;
    const lead = this.#nextSector === 0 ? 1 : 0;
    const sectors = lead + sectorsOf(body.length);
    const length = sectors * sectorBytes;
    if (this.#frames.length < length) this.#frames = Buffer.allocUnsafeSlow(length * 2);
    if (lead === 1) {
      this.#previousCrc = encodeSegmentHeader(this.#frames, {
        segmentId: segment.id,
        segmentBytes: segment.sectors * sectorBytes,
        previousCrc: this.#previousCrc,
        sequence: this.#sequence,
        firstIndex: this.#entries.lastIndex + 1,
        owner: this.#settings.owner,
      });
    }
    const frame = this.#frames.subarray(lead * sectorBytes, length);
    const { id: segmentId } = segment;
    const header = {
      type,
      segmentId,
      sequence: this.#sequence,
      previousCrc: this.#previousCrc,
      batchCount,
    };
    const crc = encodeFrame(frame, header, body);
    await this.#file.write(this.#frames.subarray(0, length), this.#nextSector * sectorBytes);
    const at = this.#nextSector + lead;
    this.#previousCrc = crc;
    this.#sequence++;
    this.#nextSector += sectors;
    this.#stats.writes++;
    this.#stats.bytes += length;
    return at;
  }

  #record(group: readonly Queued[], sector: number, sectors: number): void {
    const place = { sector: this.#active.baseSector + sector, sectors };
    for (const { piece, done } of group) {
      if (piece.truncateAfter !== undefined) this.#entries.truncate(piece.truncateAfter);
      if (piece.floor !== undefined) this.#takeFloor(piece.floor, piece.restarts ?? false);
      for (const entry of piece.entries) this.#entries.append(entry.index, entry.term, place);
      if (done !== undefined) this.#stats.batches++;
      done?.resolve();
    }
  }

  #takeFloor(floor: LogFloor, restarts: boolean): void {
    if (restarts) this.#entries.restart(floor);
    else this.#entries.raise(floor);
    this.#floorSegment = this.#active;
    this.#freeUnneeded();
  }

  /** Begins to let go of segments that nothing needs any more, in a later turn. */
  #freeUnneeded(): void {
    this.#freeing ??= this.#free();
  }

  async #free(): Promise<void> {
    try {
      await Promise.resolve();
      // A floor may come while segments are let go of.
      while (!this.#closed && this.#oldest.baseSector < this.#neededFrom()) {
        const needed = this.#neededFrom();
        // No read that begins later touches what lies before.
        await Promise.allSettled(this.#reads);
        while (!this.#closed && this.#oldest.baseSector < needed) {
          await this.#spares.letGo(this.#oldest);
          this.#segments.shift();
          this.#stats.freed++;
        }
      }
    } catch (error) {
      this.#fail(new DiskError('Freeing the log', error));
    } finally {
      this.#freeing = undefined;
    }
  }

  /** Where the oldest segment that must stay begins: the one with the first entry after the floor, or with the floor itself. */
  #neededFrom(): number {
    const floorAt = this.#floorSegment?.baseSector ?? 0;
    const needed = Math.min(floorAt, this.#entries.firstSector ?? floorAt);
    const segment = this.#segments.findLast(({ baseSector }) => baseSector <= needed);
    return present(segment, 'a sector of the log lies in a segment').baseSector;
  }

  /** Seals the segment and goes on in the next one. The seal says that a next one exists, so its loss would be noticed. */
  async #roll(): Promise<void> {
    const before = this.#active;
    const id = before.id + 1;
    if (await this.#spares.take(id)) this.#stats.stalls++;
    await this.#writeFrame('seal', 0, Buffer.alloc(0));
    const next: Segment = {
      id,
      path: segmentPath(this.#settings.directory, id),
      baseSector: before.baseSector + before.sectors,
      sectors: this.#settings.segmentBytes / sectorBytes,
    };
    const sealed = this.#file;
    this.#file = await this.#settings.files.open(next.path, 'durable');
    this.#segments.push(next);
    this.#nextSector = 0;
    this.#stats.rolls++;
    await sealed.close();
  }

  get #oldest(): Segment {
    return present(this.#segments[0], 'the log has a segment');
  }

  get #active(): Segment {
    return present(this.#segments.at(-1), 'the log has a segment');
  }

  /** Final: after a failed write or sync nobody knows what the disk holds, so nothing is tried again. */
  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    for (const queued of this.#queue.splice(0)) queued.done?.reject(this.#failure);
  }
}
