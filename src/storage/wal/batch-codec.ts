// What a frame's body holds: the batches of one group, with entry payloads as the bytes they are. Format 1, append-only,
// pinned by golden vectors.
import { assert } from '../../lib/assert.ts';
import { UnknownFormatError } from '../../lib/unknown-format.ts';
import { logIndex, nodeId, term, type LogIndex, type Term } from '../../lib/ids.ts';
import type { EntryKind, HardState, LogEntry, LogFloor, PersistBatch } from '../../raft/index.ts';
import { readUint64, writeUint64 } from './frame.ts';

/** The part of a batch that one frame holds; most batches are one piece. */
export interface BatchPiece
  extends Pick<PersistBatch, 'hardState' | 'truncateAfter' | 'floor' | 'entries'> {
  /** True: the floor is not a point of the log, and takes the place of every entry. Written down, because a log that was
   * cut at its beginning could not tell. */
  readonly restarts?: boolean;
}

const batchHeaderBytes = 38;
const entryHeaderBytes = 13;
const floorHeaderBytes = 28;
const kinds: readonly EntryKind[] = ['bootstrap', 'noop', 'command', 'membership'];
const truncates = 1;
const voted = 2;
const hasFloor = 4;
const restarted = 8;
const knownFlags = truncates | voted | hasFloor | restarted;

const entrySize = (entry: LogEntry): number => entryHeaderBytes + entry.payload.length;

export function pieceSize(piece: BatchPiece): number {
  const { hardState, floor } = piece;
  let size = batchHeaderBytes;
  if (hardState.votedFor !== undefined) size += Buffer.byteLength(hardState.votedFor);
  if (floor !== undefined) size += floorHeaderBytes + floor.configuration.payload.length;
  for (const entry of piece.entries) size += entrySize(entry);
  return size;
}

/** Cuts a batch into pieces of at most `maxBytes`, at least one entry each. Each piece alone leaves a log that raft could
 * have asked for: the hard state, the truncation and the floor come first, and the commit hint never runs ahead of the
 * entries. */
export function splitBatch(batch: BatchPiece, maxBytes: number): readonly BatchPiece[] {
  if (batch.entries.length < 2 || pieceSize(batch) <= maxBytes) return [batch];
  const pieces: BatchPiece[] = [];
  let from = 0;
  while (from < batch.entries.length) {
    const head = from === 0 ? batch : { ...batch, truncateAfter: undefined, floor: undefined };
    let size = pieceSize({ ...head, entries: [] });
    let to = from;
    for (; to < batch.entries.length; to++) {
      const entry = batch.entries[to];
      if (entry === undefined || (to > from && size + entrySize(entry) > maxBytes)) break;
      size += entrySize(entry);
    }
    const entries = batch.entries.slice(from, to);
    const last = entries.at(-1)?.index ?? batch.hardState.commitIndex;
    const commitIndex = logIndex(Math.min(batch.hardState.commitIndex, last));
    pieces.push({ ...head, hardState: { ...batch.hardState, commitIndex }, entries });
    from = to;
  }
  return pieces;
}

/** Writes a piece at `at` and returns where it ends. */
export function encodePiece(target: Buffer, at: number, piece: BatchPiece): number {
  const { hardState, truncateAfter, floor, entries } = piece;
  const flags =
    (truncateAfter === undefined ? 0 : truncates) | (hardState.votedFor === undefined ? 0 : voted);
  target[at] = flags;
  writeUint64(target, hardState.term, at + 2);
  writeUint64(target, hardState.commitIndex, at + 10);
  writeUint64(target, truncateAfter ?? 0, at + 18);
  writeUint64(target, entries[0]?.index ?? 0, at + 26);
  target.writeUInt32LE(entries.length, at + 34);
  let end = at + batchHeaderBytes;
  const nameBytes = target.write(hardState.votedFor ?? '', end);
  assert(nameBytes < 256, 'a node id is at most 255 bytes');
  target[at + 1] = nameBytes;
  end += nameBytes;
  if (floor !== undefined) {
    target[at] = flags | hasFloor | (piece.restarts === true ? restarted : 0);
    end = encodeFloor(target, end, floor);
  }
  for (const entry of entries) {
    writeUint64(target, entry.term, end);
    target[end + 8] = kinds.indexOf(entry.kind);
    target.writeUInt32LE(entry.payload.length, end + 9);
    target.set(entry.payload, end + entryHeaderBytes);
    end += entryHeaderBytes + entry.payload.length;
  }
  return end;
}

function encodeFloor(target: Buffer, at: number, floor: LogFloor): number {
  const { configuration } = floor;
  writeUint64(target, floor.index, at);
  writeUint64(target, floor.term, at + 8);
  writeUint64(target, configuration.index, at + 16);
  target.writeUInt32LE(configuration.payload.length, at + 24);
  target.set(configuration.payload, at + floorHeaderBytes);
  return at + floorHeaderBytes + configuration.payload.length;
}

/** Called in the order of the log. `payload` is where the entry's bytes lie in the body. */
export interface BodyVisitor {
  batch(hardState: HardState, truncateAfter: LogIndex | undefined): void;
  /** Follows `batch` where the batch has a floor; `restarts`: it takes the place of every entry before it. */
  floor(floor: LogFloor, restarts: boolean): void;
  entry(
    index: LogIndex,
    entryTerm: Term,
    kind: EntryKind,
    payload: { readonly from: number; readonly to: number },
  ): void;
}

/** Walks a body whose checksum was right. Throws when it does not follow the format all the same.
 * @throws UnknownFormatError for what a later version may have written */
export function walkBody(body: Buffer, batchCount: number, visitor: BodyVisitor): void {
  let at = 0;
  for (let count = 0; count < batchCount; count++) at = walkBatch(body, at, visitor);
  assert(at === body.length, 'the batches fill the body of a frame');
}

function walkBatch(body: Buffer, at: number, visitor: BodyVisitor): number {
  const flags = body.readUInt8(at);
  // What a flag of a later version stands for may lie anywhere behind it.
  if ((flags & ~knownFlags) !== 0) {
    throw new UnknownFormatError('the log', `a batch with flags ${flags}`, `flags ${knownFlags}`);
  }
  const nameBytes = body.readUInt8(at + 1);
  const entryCount = body.readUInt32LE(at + 34);
  const firstIndex = readUint64(body, at + 26);
  let end = at + batchHeaderBytes;
  const hardState: HardState = {
    term: term(readUint64(body, at + 2)),
    votedFor: flags & voted ? nodeId(body.toString('utf8', end, end + nameBytes)) : undefined,
    commitIndex: logIndex(readUint64(body, at + 10)),
  };
  visitor.batch(hardState, flags & truncates ? logIndex(readUint64(body, at + 18)) : undefined);
  end += nameBytes;
  if (flags & hasFloor) {
    const to = end + floorHeaderBytes + body.readUInt32LE(end + 24);
    assert(to <= body.length, 'a floor lies inside its frame');
    visitor.floor(decodeFloor(body.subarray(end, to)), (flags & restarted) !== 0);
    end = to;
  }
  for (let count = 0; count < entryCount; count++) {
    const kindCode = body.readUInt8(end + 8);
    const kind = kinds[kindCode];
    if (kind === undefined) {
      const known = `kinds 0 to ${kinds.length - 1}`;
      throw new UnknownFormatError('the log', `an entry of kind ${kindCode}`, known);
    }
    const from = end + entryHeaderBytes;
    const to = from + body.readUInt32LE(end + 9);
    assert(to <= body.length, 'an entry lies inside its frame');
    visitor.entry(logIndex(firstIndex + count), term(readUint64(body, end)), kind, { from, to });
    end = to;
  }
  return end;
}

function decodeFloor(bytes: Buffer): LogFloor {
  return {
    index: logIndex(readUint64(bytes, 0)),
    term: term(readUint64(bytes, 8)),
    configuration: {
      index: logIndex(readUint64(bytes, 16)),
      payload: Uint8Array.prototype.slice.call(bytes, floorHeaderBytes),
    },
  };
}
