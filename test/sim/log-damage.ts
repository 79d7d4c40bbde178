// What can become of the files of a log while nobody looks: a flipped bit, a lost sector, a file that is cut off, gone, not readable, or
// another one than it was. Damage that no reader could ever tell is not made: the last write of a log that is lost whole, or
// a log put back whole as it once was, look like a crash (docs/invariants.md, G14).
import type { Random } from '../../src/lib/random.ts';
import { decodeHeader, isZeroSector, sectorBytes } from '../../src/storage/wal/frame.ts';
import type { MemoryDisk } from '../support/memory-disk.ts';

export const logDamages = [
  'bit',
  'zeroSector',
  'truncate',
  'drop',
  'old',
  'other',
  'unreadable',
] as const;
export type LogDamage = (typeof logDamages)[number];

/** Segments by path. */
export type Segments = ReadonlyMap<string, Uint8Array>;

/** Where a frame begins. */
export interface LogPlace {
  readonly path: string;
  readonly position: number;
}

export interface DamagedDisk {
  readonly files: MemoryDisk;
  /** Files of which nothing can be read back. */
  readonly unreadable: Set<string>;
  /** Its segments as they once were. */
  readonly before: Segments;
  /** Those of another node. */
  readonly other: Segments;
  /** The damage is there, if it is of a kind that has a place; otherwise anywhere. */
  readonly place?: LogPlace | undefined;
}

/** A copy of every segment that something was written to. */
export function segmentsOf(files: MemoryDisk): Segments {
  return new Map(written(files).map((path) => [path, Buffer.from(files.bytesOf(path))]));
}

/** What was done where; undefined where there is nothing to damage in this way. */
export function damageLog(how: LogDamage, disk: DamagedDisk, random: Random): string | undefined {
  const { files, unreadable, place } = disk;
  // What cannot be read is not told from what was written there: a log in which nothing is may be lost, too.
  const paths = how === 'unreadable' ? segmentPaths(files) : written(files);
  const path = place?.path ?? paths[random.integer(0, paths.length)];
  if (path === undefined || !files.paths().includes(path)) return undefined;
  const bytes = files.bytesOf(path);
  switch (how) {
    case 'bit': {
      const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
      const at = place === undefined ? random.integer(0, end) : within(place, random);
      const flipped = Uint8Array.of((bytes[at] ?? 0) ^ (1 << random.integer(0, 8)));
      files.scribble(path, at, flipped);
      return `${path} byte ${at} has a flipped bit`;
    }
    case 'zeroSector': {
      const sectors = tellingSectors(bytes, path === paths.at(-1));
      if (sectors === 0) return undefined;
      const at = random.integer(0, sectors) * sectorBytes;
      files.scribble(path, at, new Uint8Array(sectorBytes));
      return `${path} byte ${at} begins a sector of zeros`;
    }
    case 'truncate': {
      const length = random.integer(0, bytes.length);
      files.replace(path, bytes.subarray(0, length));
      return `${path} is cut to ${length} bytes`;
    }
    case 'drop': {
      // The first one is missed by nothing that comes before it.
      const gone = random.next() < 0.4 ? path : (paths[0] ?? path);
      files.drop(gone);
      return `${gone} is gone`;
    }
    case 'unreadable':
      unreadable.add(path);
      return `${path} cannot be read`;
    case 'old':
      return putBack(files, paths.slice(0, -1), disk.before, random, 'as it once was');
    case 'other':
      return putBack(files, paths, disk.other, random, 'that of another node');
  }
}

const within = ({ position }: LogPlace, random: Random): number =>
  position + random.integer(0, sectorBytes);

function putBack(
  files: MemoryDisk,
  paths: readonly string[],
  from: Segments,
  random: Random,
  what: string,
): string | undefined {
  const different = paths.filter((path) => {
    const bytes = from.get(path);
    return bytes !== undefined && !files.bytesOf(path).equals(bytes);
  });
  const path = different[random.integer(0, different.length)];
  const bytes = path === undefined ? undefined : from.get(path);
  if (path === undefined || bytes === undefined) return undefined;
  files.replace(path, bytes);
  return `${path} is ${what}`;
}

/** Ascending, as their names are. */
function written(files: MemoryDisk): readonly string[] {
  return segmentPaths(files).filter((path) => files.bytesOf(path).some((byte) => byte !== 0));
}

function segmentPaths(files: MemoryDisk): readonly string[] {
  return files.paths().filter((path) => path.endsWith('.wal'));
}

/** How many sectors from the first one on are missed when they are gone. A whole frame must come after them: the last write of a log
 * that lacks a sector is a torn one to whoever reads it, and the first frame is written together with the segment's header. */
function tellingSectors(bytes: Buffer, last: boolean): number {
  const begins: number[] = [];
  let at = 1;
  while (at * sectorBytes < bytes.length && !isZeroSector(bytes, at * sectorBytes)) {
    const header = decodeHeader(bytes.subarray(at * sectorBytes, (at + 1) * sectorBytes));
    if (header === undefined) break;
    begins.push(at);
    at += header.sectors;
  }
  if (!last) return at;
  return begins.length < 2 ? 0 : (begins.at(-1) ?? 0);
}
