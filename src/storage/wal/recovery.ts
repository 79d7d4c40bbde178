// Opening a log: replays every segment, tells a torn last write from rot, and changes nothing on disk before it has seen
// everything. See docs of `scanSegment` for the argument.
import { assert } from '../../lib/assert.ts';
import { UnknownFormatError } from '../../lib/unknown-format.ts';
import { DamagedLogError, isUnreadable } from '../errors.ts';
import {
  bodyIsWhole,
  decodeHeader,
  hasMark,
  isZeroSector,
  sectorBytes,
  type FrameHeader,
} from './frame.ts';
import { applyFrame, beginAt, type Extent, type Replay } from './replay.ts';
import { decodeSegmentHeader, type Segment } from './segment.ts';
import type { WalFile } from './wal-files.ts';

/** `sealed`: the log goes on in the next segment. `open`: it ends here, and the next write goes to `nextSector`; `torn` are
 * the sectors of an unfinished write, to be zeroed first. nextSector 0: not even the header is there yet. */
export type ScanResult =
  | { readonly kind: 'sealed' }
  | { readonly kind: 'open'; readonly nextSector: number; readonly torn: Extent | undefined };

const windowSectors = 2048;
const zeroWindow = Buffer.alloc(windowSectors * sectorBytes);

/** Reads a file sector by sector through a window of 1 MiB. */
class SectorWindow {
  readonly #file: WalFile;
  readonly #path: string;
  readonly #sectors: number;
  #memory = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  constructor(file: WalFile, path: string) {
    this.#file = file;
    this.#path = path;
    this.#sectors = file.size / sectorBytes;
  }

  /** A view that is good until the next call. The sectors must lie inside the file. */
  async view(sector: number, count: number): Promise<Buffer> {
    if (sector < this.#start || sector + count > this.#end) {
      const want = Math.max(count, Math.min(windowSectors, this.#sectors - sector));
      const bytes = want * sectorBytes;
      if (this.#memory.length < bytes) this.#memory = Buffer.allocUnsafeSlow(bytes);
      const got = await this.#read(this.#memory.subarray(0, bytes), sector * sectorBytes);
      assert(got === bytes, 'a file does not shrink while it is read');
      this.#start = sector;
      this.#end = sector + want;
    }
    const at = (sector - this.#start) * sectorBytes;
    return this.#memory.subarray(at, at + count * sectorBytes);
  }

  /** What the medium no longer gives back is lost like what it gives back wrong. */
  async #read(target: Buffer, position: number): Promise<number> {
    try {
      return await this.#file.read(target, position);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      throw new DamagedLogError(this.#path, position, 'the disk cannot read it back', error);
    }
  }

  /** Calls `visit` with each sector from `from` to the end of the file that is not zero. */
  async eachWritten(from: number, visit: (sector: Buffer, at: number) => void): Promise<void> {
    for (let at = from; at < this.#sectors; at += windowSectors) {
      const count = Math.min(windowSectors, this.#sectors - at);
      const bytes = await this.view(at, count);
      if (bytes.equals(zeroWindow.subarray(0, bytes.length))) continue;
      for (let offset = 0; offset < bytes.length; offset += sectorBytes) {
        if (isZeroSector(bytes, offset)) continue;
        visit(bytes.subarray(offset, offset + sectorBytes), at + offset / sectorBytes);
      }
    }
  }
}

/**
 * Replays one segment into `replay`.
 *
 * Writes follow each other with one in flight, and none begins before the one before is on stable storage. So only the
 * last write of the log can be torn, and it was never acknowledged. Devices write whole sectors, the space was zero, and
 * every written sector carries a mark: a torn write shows as a sector that is still all zero. Hence
 * - a first sector that is not zero is whole, or it has rotted: its header has a checksum of its own, and a damaged length
 *   cannot make an extent reach into the free space behind it;
 * - a body with a wrong checksum is torn iff a sector of the frame is all zero and nothing lies behind the frame;
 * - a first sector that is zero ends the log; written sectors behind it must all bear the mark of the one write that could
 *   have been under way. Any other mark means that a later write followed: the zero sector was acknowledged and is lost.
 * What cannot be told from a torn write: a disk that zeroes a whole sector of the very last acknowledged write.
 *
 * `isFirst`: no segment before it is there. Where it is not segment 1 its header says where the log goes on; the caller
 * finds out at the end whether a floor covers what is missing.
 */
export async function scanSegment(
  file: WalFile,
  segment: Segment,
  replay: Replay,
  isFirst: boolean,
): Promise<ScanResult> {
  const damaged = (sector: number, reason: string, cause?: unknown): DamagedLogError =>
    new DamagedLogError(segment.path, sector * sectorBytes, reason, cause);
  const window = new SectorWindow(file, segment.path);
  const first = await window.view(0, 1);
  if (isZeroSector(first, 0)) return endOfLog(window, segment, 0, replay.sequence);
  const crcBefore = replay.previousCrc;
  const problem = acceptSegmentHeader(first, segment, replay, isFirst);
  if (problem !== undefined) throw damaged(0, problem);

  let at = 1;
  while (at < segment.sectors) {
    const sector = await window.view(at, 1);
    if (isZeroSector(sector, 0)) break;
    const header = headerIn(sector, segment);
    if (header === undefined) throw damaged(at, 'a frame header does not match its checksum');
    const misfit = misfitOf(header, segment, at, replay);
    if (misfit !== undefined) throw damaged(at, misfit);
    const frame = await window.view(at, header.sectors);
    if (!bodyIsWhole(frame, header)) {
      const end = at + header.sectors;
      const torn = hasZeroSector(frame) && (await firstWritten(window, end)) === undefined;
      if (!torn) throw damaged(at, 'a frame does not match its checksum');
      const from = at === 1 ? 0 : at;
      if (from === 0) replay.previousCrc = crcBefore;
      return { kind: 'open', nextSector: from, torn: { segment, from, to: end } };
    }
    try {
      applyFrame(frame, header, { segment, from: at, to: at + header.sectors }, replay);
    } catch (cause) {
      if (cause instanceof UnknownFormatError) throw cause.in(segment.path);
      throw damaged(at, 'a frame with a right checksum does not follow the format', cause);
    }
    at += header.sectors;
    if (header.type === 'seal') {
      const behind = await firstWritten(window, at);
      if (behind !== undefined) throw damaged(behind, 'there is data behind the end of a segment');
      return { kind: 'sealed' };
    }
  }
  if (at > 1) return endOfLog(window, segment, at, replay.sequence);
  // A header without a frame is the beginning of a torn write: the two are written together.
  replay.previousCrc = crcBefore;
  const { torn } = await endOfLog(window, segment, 1, replay.sequence);
  return { kind: 'open', nextSector: 0, torn: { segment, from: 0, to: torn?.to ?? 1 } };
}

function acceptSegmentHeader(
  sector: Buffer,
  segment: Segment,
  replay: Replay,
  isFirst: boolean,
): string | undefined {
  const decoded = decodeSegmentHeader(sector, segment.path);
  if (typeof decoded === 'string') return decoded;
  const { header, crc } = decoded;
  if (header.segmentId !== segment.id) return `this is segment ${header.segmentId}, misplaced`;
  if (header.segmentBytes !== segment.sectors * sectorBytes) {
    return `the file has ${segment.sectors * sectorBytes} bytes instead of ${header.segmentBytes}`;
  }
  if (header.owner !== replay.owner) return 'this log was written by another node';
  if (isFirst && segment.id > 1) beginAt(replay, header);
  const follows =
    header.previousCrc === replay.previousCrc &&
    header.sequence === replay.sequence &&
    header.firstIndex === replay.entries.lastIndex + 1;
  if (!follows) return 'this segment does not follow the one before it';
  replay.previousCrc = crc;
  return undefined;
}

function misfitOf(
  header: FrameHeader,
  segment: Segment,
  at: number,
  replay: Replay,
): string | undefined {
  const follows =
    header.segmentId === segment.id &&
    header.sequence === replay.sequence &&
    header.previousCrc === replay.previousCrc;
  if (!follows) return 'a frame does not follow the one before it';
  return at + header.sectors > segment.sectors ? 'a frame reaches beyond its segment' : undefined;
}

function headerIn(sector: Buffer, segment: Segment): FrameHeader | undefined {
  try {
    return decodeHeader(sector);
  } catch (error) {
    throw error instanceof UnknownFormatError ? error.in(segment.path) : error;
  }
}

function hasZeroSector(frame: Buffer): boolean {
  for (let at = 0; at < frame.length; at += sectorBytes) if (isZeroSector(frame, at)) return true;
  return false;
}

/** The first sector from `from` on that is not zero. */
async function firstWritten(window: SectorWindow, from: number): Promise<number | undefined> {
  let first: number | undefined;
  await window.eachWritten(from, (_, at) => {
    first ??= at;
  });
  return first;
}

async function endOfLog(
  window: SectorWindow,
  segment: Segment,
  nextSector: number,
  sequence: number,
): Promise<Extract<ScanResult, { kind: 'open' }>> {
  let end: number | undefined;
  await window.eachWritten(nextSector, (sector, at) => {
    if (!hasMark(sector, sequence)) {
      const reason = 'there is data behind the end of the log, where nothing can have been written';
      throw new DamagedLogError(segment.path, at * sectorBytes, reason);
    }
    end = at + 1;
  });
  const torn = end === undefined ? undefined : { segment, from: nextSector, to: end };
  return { kind: 'open', nextSector, torn };
}
