// The frame: one device write of the log. It fills whole 512-byte sectors, each of which begins with a mark that is never
// zero, so that a sector that is all zero was not written, whatever the payload holds.
import { crc32 } from 'node:zlib';
import { assert } from '../../lib/assert.ts';
import { UnknownFormatError } from '../../lib/unknown-format.ts';

/** Devices write at least this much at once; a torn write leaves each sector either old (zero) or new. */
export const sectorBytes = 512;
const markBytes = 4;
const headerBytes = 40;
const firstRoom = sectorBytes - headerBytes;
const room = sectorBytes - markBytes;

/** `batches`: what raft asked to persist. `seal`: the last frame of a full segment; the log goes on in the next one. */
export type FrameType = 'batches' | 'seal';
const typeCodes: Record<FrameType, number> = { batches: 1, seal: 2 };

export interface FrameHeader {
  readonly type: FrameType;
  readonly segmentId: number;
  /** Rises by one with each frame of the log, from 1. Its low 16 bits are in the mark of each sector. */
  readonly sequence: number;
  /** Checksum of the frame before, or of the segment header: a left-over frame never fits behind a new one. */
  readonly previousCrc: number;
  readonly batchCount: number;
  readonly bodyBytes: number;
  readonly sectors: number;
  /** Checksum of this header, body checksum included: what the next frame is chained to. */
  readonly crc: number;
}

export function sectorsOf(bodyBytes: number): number {
  return bodyBytes <= firstRoom ? 1 : 1 + Math.ceil((bodyBytes - firstRoom) / room);
}

/** The largest body that fits into this many sectors. */
export function bodyRoom(sectors: number): number {
  return firstRoom + (sectors - 1) * room;
}

// Ten bits are set in the constant half, so no single damaged bit, nor a few, can turn a written sector into a zero one.
function writeMark(target: Buffer, at: number, sequence: number): void {
  target[at] = 0xd6;
  target[at + 1] = 0x5b;
  target.writeUInt16LE(sequence % 0x10000, at + 2);
}

export function hasMark(sector: Buffer, sequence: number): boolean {
  return sector[0] === 0xd6 && sector[1] === 0x5b && sector.readUInt16LE(2) === sequence % 0x10000;
}

export function writeUint64(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % 0x100000000, at);
  target.writeUInt32LE(Math.floor(value / 0x100000000), at + 4);
}

export function readUint64(source: Buffer, at: number): number {
  return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * 0x100000000;
}

function headerCrcOf(frame: Buffer, previousCrc: number): number {
  return crc32(frame.subarray(8, headerBytes), crc32(frame.subarray(0, markBytes), previousCrc));
}

/** Writes a frame at the start of `target` and returns its checksum, to chain the next one to. */
export function encodeFrame(
  target: Buffer,
  header: Omit<FrameHeader, 'bodyBytes' | 'sectors' | 'crc'>,
  body: Buffer,
): number {
  const sectors = sectorsOf(body.length);
  const end = sectors * sectorBytes;
  assert(target.length >= end, 'the buffer holds the whole frame');
  let taken = 0;
  for (let at = 0; at < end; at += sectorBytes) {
    writeMark(target, at, header.sequence);
    const from = at + (at === 0 ? headerBytes : markBytes);
    const count = Math.min(at + sectorBytes - from, body.length - taken);
    body.copy(target, from, taken, taken + count);
    taken += count;
    if (from + count < at + sectorBytes) target.fill(0, from + count, at + sectorBytes);
  }
  target.writeUInt32LE(crc32(target.subarray(headerBytes, end), header.previousCrc), 8);
  target.writeUInt32LE(header.previousCrc, 12);
  target.writeUInt32LE(body.length, 16);
  writeUint64(target, header.sequence, 20);
  target.writeUInt32LE(header.segmentId, 28);
  target[32] = typeCodes[header.type];
  target[33] = 0;
  target.writeUInt16LE(header.batchCount, 34);
  target.writeUInt32LE(0, 36);
  const crc = headerCrcOf(target, header.previousCrc);
  target.writeUInt32LE(crc, 4);
  return crc;
}

function frameType(sector: Buffer): FrameType {
  const code = sector[32];
  if (sector[33] !== 0 || sector.readUInt32LE(36) !== 0) {
    throw new UnknownFormatError('the log', 'a frame that uses reserved bytes', 'none that does');
  }
  if (code === typeCodes.batches) return 'batches';
  if (code === typeCodes.seal) return 'seal';
  throw new UnknownFormatError('the log', `a frame of type ${code}`, 'types 1 and 2');
}

/** Reads the header from a frame's first sector; undefined when a bit of it is wrong. A length that passes can be
 * trusted, which is what makes the extent of a torn frame known. @throws UnknownFormatError */
export function decodeHeader(sector: Buffer): FrameHeader | undefined {
  const previousCrc = sector.readUInt32LE(12);
  const crc = headerCrcOf(sector, previousCrc);
  const sequence = readUint64(sector, 20);
  if (crc !== sector.readUInt32LE(4)) return undefined;
  const type = frameType(sector);
  if (!Number.isSafeInteger(sequence) || !hasMark(sector, sequence)) return undefined;
  const bodyBytes = sector.readUInt32LE(16);
  return {
    type,
    segmentId: sector.readUInt32LE(28),
    sequence,
    previousCrc,
    batchCount: sector.readUInt16LE(34),
    bodyBytes,
    sectors: sectorsOf(bodyBytes),
    crc,
  };
}

/** True when every bit after the header, marks and padding included, is as written. */
export function bodyIsWhole(frame: Buffer, header: FrameHeader): boolean {
  const end = header.sectors * sectorBytes;
  return crc32(frame.subarray(headerBytes, end), header.previousCrc) === frame.readUInt32LE(8);
}

/** The body without the marks, in memory of its own. */
export function bodyOf(frame: Buffer, header: FrameHeader): Buffer {
  const body = Buffer.allocUnsafeSlow(header.bodyBytes);
  let done = 0;
  for (let at = 0; done < body.length; at += sectorBytes) {
    const from = at + (at === 0 ? headerBytes : markBytes);
    done += frame.copy(body, done, from, Math.min(at + sectorBytes, from + body.length - done));
  }
  return body;
}

const zeroSector = Buffer.alloc(sectorBytes);

export function isZeroSector(bytes: Buffer, at: number): boolean {
  return bytes.compare(zeroSector, 0, sectorBytes, at, at + sectorBytes) === 0;
}
