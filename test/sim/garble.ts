// What a machine sends of its snapshots, where something has got at it: a chunk with a flipped bit, one whose record was damaged before
// its checksum was made, and one that belongs to another snapshot of the same machine.
import type { Random } from '../../src/lib/random.ts';
import type { PeerFrame, SnapshotChunk } from '../../src/node/peer-protocol.ts';
import { checksumOf, decodeChunk, encodeChunk } from '../../src/node/snapshot-stream.ts';

export const chunkDamages = ['bit', 'record', 'swap'] as const;
export type ChunkDamage = (typeof chunkDamages)[number];

export class Garble {
  readonly #random: Random;
  readonly #done: () => void;
  /** The newest chunk of each number that was sent as it is. */
  readonly #sent = new Map<number, SnapshotChunk>();
  #how: ChunkDamage = 'bit';
  #left = 0;

  /** `done`: told of each chunk that is sent otherwise. */
  constructor(random: Random, done: () => void) {
    this.#random = random;
    this.#done = done;
  }

  /** So many chunks with something to damage are damaged from now on. */
  aim(how: ChunkDamage, times: number): void {
    this.#how = how;
    this.#left = times;
  }

  pass(frames: readonly PeerFrame[]): readonly PeerFrame[] {
    if (!frames.some(({ kind }) => kind === 'snapshotChunk')) return frames;
    return frames.map((frame) => (frame.kind === 'snapshotChunk' ? this.#chunk(frame) : frame));
  }

  #chunk(chunk: SnapshotChunk): SnapshotChunk {
    const before = this.#sent.get(chunk.chunk);
    if (chunk.data.length > 0) this.#sent.set(chunk.chunk, chunk);
    const data = this.#left > 0 ? this.#damaged(chunk, before) : undefined;
    if (data === undefined) return chunk;
    this.#left--;
    this.#done();
    return { ...chunk, data, crc: this.#how === 'bit' ? chunk.crc : checksumOf(data) };
  }

  #damaged(
    { data, chunk, last, snapshotId }: SnapshotChunk,
    before: SnapshotChunk | undefined,
  ): Uint8Array | undefined {
    if (data.length === 0) return undefined;
    switch (this.#how) {
      case 'bit':
        return this.#flipped(data);
      case 'swap':
        if (before === undefined || before.snapshotId === snapshotId || before.last !== last) {
          return undefined;
        }
        return Buffer.compare(before.data, data) === 0 ? undefined : before.data;
      case 'record': {
        const content = decodeChunk(data, { first: chunk === 0, last });
        const at = this.#random.integer(0, content.records.length);
        const value = content.records[at]?.value;
        if (value === undefined || value.length === 0) return undefined;
        const records = content.records.map((record, position) =>
          position === at ? { ...record, value: this.#flipped(value) } : record,
        );
        return encodeChunk({ ...content, records });
      }
    }
  }

  #flipped(bytes: Uint8Array): Uint8Array {
    const copy = Uint8Array.from(bytes);
    const at = this.#random.integer(0, copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << this.#random.integer(0, 8));
    return copy;
  }
}
