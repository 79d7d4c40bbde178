// Which chunks of a snapshot are under way: a few at a time, asked for one after the other and again when no answer
// comes, handed on in order. Whether a link broke or a message was lost makes no difference here: both are silence.
import { crc32 } from 'node:zlib';
import type { SnapshotChunk, SnapshotRequest } from './peer-protocol.ts';
import type { Clock } from './ports.ts';

export interface ChunkWindowHost {
  readonly clock: Pick<Clock, 'now'>;
  readonly nextId: () => number;
  readonly ask: (request: SnapshotRequest) => void;
}

interface Place {
  askedMs: number;
  damaged: number;
  arrived: SnapshotChunk | undefined;
}

export type Taken =
  | 'taken'
  /** An answer nobody waits for any more. */
  | 'stale'
  /** Its checksum is wrong: it was asked for again. */
  | 'damaged'
  /** That has happened too often. */
  | 'hopeless'
  /** The source no longer has the snapshot. */
  | 'gone';

/** Chunks asked for at a time. */
const WINDOW = 4;
/** Silence after which a chunk is asked for again. */
const ANSWER_MS = 500;
const MAX_DAMAGED = 5;

export class ChunkWindow {
  readonly #host: ChunkWindowHost;
  readonly #places = new Map<number, Place>();
  /** As named by chunk 0. */
  #snapshotId = '';
  /** Of the first request: answers to earlier ones are meant for another pull. */
  #firstId: number | undefined;
  /** The chunk to hand on next. */
  #next = 0;
  #last = Number.POSITIVE_INFINITY;

  constructor(host: ChunkWindowHost) {
    this.#host = host;
  }

  begin(): void {
    this.#ask(0);
  }

  take(chunk: SnapshotChunk): Taken {
    const place = this.#places.get(chunk.chunk);
    if (place === undefined || place.arrived !== undefined) return 'stale';
    // Whichever request of this pull it answers: a slow source is not made slower by being asked again.
    if (this.#firstId === undefined || chunk.id < this.#firstId) return 'stale';
    if (chunk.snapshotId === '') return 'gone';
    if (this.#snapshotId !== '' && chunk.snapshotId !== this.#snapshotId) return 'stale';
    if (crc32(chunk.data) !== chunk.crc) {
      if (++place.damaged >= MAX_DAMAGED) return 'hopeless';
      this.#repeat(chunk.chunk, place);
      return 'damaged';
    }
    this.#snapshotId = chunk.snapshotId;
    place.arrived = chunk;
    if (chunk.last) this.#endAt(chunk.chunk);
    return 'taken';
  }

  /** The next chunk in order, if it is here; handed out once. */
  next(): SnapshotChunk | undefined {
    const place = this.#places.get(this.#next);
    if (place?.arrived === undefined) return undefined;
    this.#places.delete(this.#next);
    this.#next++;
    return place.arrived;
  }

  /** Asks for as many further chunks as the window has room for. */
  advance(): void {
    for (let chunk = this.#next; chunk < this.#next + WINDOW && chunk <= this.#last; chunk++) {
      if (!this.#places.has(chunk)) this.#ask(chunk);
    }
  }

  /** True when something was asked for again. */
  tick(nowMs: number): boolean {
    let again = false;
    for (const [chunk, place] of this.#places) {
      if (place.arrived === undefined && nowMs >= place.askedMs + ANSWER_MS) {
        this.#repeat(chunk, place);
        again = true;
      }
    }
    return again;
  }

  /** What was asked for beyond the end does not exist. */
  #endAt(last: number): void {
    this.#last = last;
    for (const chunk of this.#places.keys()) if (chunk > last) this.#places.delete(chunk);
  }

  #ask(chunk: number): void {
    const place: Place = { askedMs: 0, damaged: 0, arrived: undefined };
    this.#places.set(chunk, place);
    this.#repeat(chunk, place);
  }

  #repeat(chunk: number, place: Place): void {
    const id = this.#host.nextId();
    this.#firstId ??= id;
    place.askedMs = this.#host.clock.now();
    const snapshotId = this.#snapshotId;
    this.#host.ask({ kind: 'snapshotRequest', id, snapshotId, chunk });
  }
}
