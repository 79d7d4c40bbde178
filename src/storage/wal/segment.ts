// A segment: a file of fixed size, zeroed ahead of use, that begins with a sector of its own and then holds frames. Zeroed
// ahead, because a write into blocks the file system has already allocated changes no metadata and is one device write.
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { UnknownFormatError } from '../../lib/unknown-format.ts';
import { isOutOfSpace } from '../errors.ts';
import { readUint64, sectorBytes, writeUint64 } from './frame.ts';
import type { WalFiles } from './wal-files.ts';

export interface SegmentHeader {
  readonly segmentId: number;
  readonly segmentBytes: number;
  /** Checksum of the last frame of the segment before; 0 in the first one. */
  readonly previousCrc: number;
  /** Sequence of its first frame. */
  readonly sequence: number;
  /** Index after the last entry of the segments before. */
  readonly firstIndex: number;
  /** Incarnation of the node that writes the log, or ''. A log under another node's directory is refused. */
  readonly owner: string;
}

/** Where a segment stands in the log. */
export interface Segment {
  readonly id: number;
  readonly path: string;
  /** Number of its first sector, counted through the whole log. */
  readonly baseSector: number;
  readonly sectors: number;
}

/** Smallest segment: its header, one frame of one sector, the seal, and one to spare. */
export const minSegmentBytes = 4 * sectorBytes;
/** Longest owner, in bytes. */
export const maxOwnerBytes = 64;

const magic = 'ROLLWAL\n';
const version = 1;
const ownerAt = 48;

export function encodeSegmentHeader(target: Buffer, header: SegmentHeader): number {
  target.fill(0, 0, sectorBytes);
  target.write(magic, 0, 'latin1');
  target.writeUInt32LE(version, 8);
  target.writeUInt32LE(header.segmentId, 16);
  target.writeUInt32LE(header.previousCrc, 20);
  writeUint64(target, header.segmentBytes, 24);
  writeUint64(target, header.sequence, 32);
  writeUint64(target, header.firstIndex, 40);
  target[ownerAt] = target.write(header.owner, ownerAt + 1, maxOwnerBytes, 'latin1');
  const crc = crc32(target.subarray(16, sectorBytes), crc32(target.subarray(0, 12)));
  target.writeUInt32LE(crc, 12);
  return crc;
}

/** The header and its checksum, to chain the first frame to; a sentence when the sector is not one. The name of the format, its version and the
 * checksum have their places in every version. @throws UnknownFormatError */
export function decodeSegmentHeader(
  sector: Buffer,
  path = 'the log',
): { readonly header: SegmentHeader; readonly crc: number } | string {
  const crc = crc32(sector.subarray(16, sectorBytes), crc32(sector.subarray(0, 12)));
  if (crc !== sector.readUInt32LE(12)) return 'the segment header does not match its checksum';
  if (sector.toString('latin1', 0, 8) !== magic) return 'this is not a segment of a log';
  const found = sector.readUInt32LE(8);
  if (found !== version) {
    throw new UnknownFormatError(path, `log format ${found}`, `log format ${version}`);
  }
  const ownerBytes = Math.min(sector[ownerAt] ?? 0, maxOwnerBytes);
  const header: SegmentHeader = {
    segmentId: sector.readUInt32LE(16),
    previousCrc: sector.readUInt32LE(20),
    segmentBytes: readUint64(sector, 24),
    sequence: readUint64(sector, 32),
    firstIndex: readUint64(sector, 40),
    owner: sector.toString('latin1', ownerAt + 1, ownerAt + 1 + ownerBytes),
  };
  return { header, crc };
}

/** Names sort like the ids they carry. */
export function segmentPath(directory: string, id: number): string {
  return join(directory, `${String(id).padStart(10, '0')}.wal`);
}

export function segmentIdOf(name: string): number | undefined {
  const digits = /^(\d{10})\.wal$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A segment under preparation, or one that waits to be used again; left behind by a crash it is removed at the next open. */
export const unfinishedSuffix = '.preparing';

// Synced piece by piece, so that zeroing never leaves the disk with a backlog in front of the log's own writes.
const zeroChunk = Buffer.alloc(1024 * 1024);
const chunksPerSync = 4;

/** What to make a segment of. */
export interface Preparation {
  readonly id: number;
  readonly bytes: number;
  /** A file of that size whose name ends in `unfinishedSuffix`: zeroed anew instead of a new one. */
  readonly recycled?: string | undefined;
}

/** Makes a zeroed segment under a temporary name and renames it into place; content, size and name are durable when it
 * resolves. Nothing under the name of a segment ever holds what a former one held. Replaces a file of that name. Resolves
 * false, having left nothing, when `cancelled` says so. */
export async function prepareSegment(
  files: WalFiles,
  directory: string,
  { id, bytes, recycled }: Preparation,
  cancelled: () => boolean,
): Promise<boolean> {
  const path = segmentPath(directory, id);
  const unfinished = recycled ?? path + unfinishedSuffix;
  if (recycled === undefined) await files.remove(unfinished);
  const file = await files.open(unfinished, recycled === undefined ? 'create' : 'overwrite');
  try {
    let chunks = 0;
    for (let at = 0; at < bytes && !cancelled(); at += zeroChunk.length) {
      await file.write(zeroChunk.subarray(0, Math.min(zeroChunk.length, bytes - at)), at);
      if (++chunks % chunksPerSync === 0) await file.sync();
    }
    await file.sync();
  } catch (error) {
    // What there is of a new one would keep from everybody else the little space that is left.
    if (recycled === undefined && isOutOfSpace(error)) await files.remove(unfinished);
    throw error;
  } finally {
    await file.close();
  }
  if (cancelled()) {
    await files.remove(unfinished);
    return false;
  }
  await files.rename(unfinished, path);
  await files.syncDirectory(directory);
  return true;
}
