// openWal: makes the directory, replays what is there, settles the last write, and starts the writer.
import type { Logger } from 'pino';
import { assert } from '../../lib/assert.ts';
import { UnknownFormatError } from '../../lib/unknown-format.ts';
import { DamagedLogError, DiskError, isUnreadable } from '../errors.ts';
import { isZeroSector, sectorBytes } from './frame.ts';
import { scanSegment, type ScanResult } from './recovery.ts';
import { beginIsKnown, emptyReplay, type Extent, type Replay } from './replay.ts';
import {
  maxOwnerBytes,
  minSegmentBytes,
  prepareSegment,
  segmentIdOf,
  segmentPath,
  unfinishedSuffix,
  type Segment,
} from './segment.ts';
import { diskFiles, type WalFiles } from './wal-files.ts';
import { largestBody, WriteAheadLog, type WalSettings } from './write-ahead-log.ts';

export interface WalOptions {
  /** Bytes of a segment, a multiple of 512. Default 64 MiB; at most 2 GiB. An existing segment keeps its size. */
  readonly segmentBytes?: number;
  /** A frame is closed once it holds this many bytes of body; a single larger entry makes a frame of its own, up to the
   * size of a segment. Default 1 MiB. */
  readonly maxFrameBytes?: number;
  /** Incarnation of the node, written into each segment: another node's log is refused. At most 64 ASCII bytes. */
  readonly owner?: string;
  /** True when this node is known to have joined a cluster: a log without entries is then refused as lost. Default false. */
  readonly formed?: boolean;
  readonly log?: Logger;
  /** The disk; for simulators and tests. */
  readonly files?: WalFiles;
}

const defaultSegmentBytes = 64 * 1024 * 1024;
const maxSegmentBytes = 2 ** 31;
const defaultFrameBytes = 1024 * 1024;

/** Opens the log in `directory`, creating it if there is none.
 * @throws DamagedLogError (exit 11) when acknowledged bytes are damaged or missing; the files are left as they are.
 * @throws UnknownFormatError (exit 14) when a later version wrote to it; likewise.
 * @throws DiskError (exit 10) when the disk refuses. */
export async function openWal(directory: string, options: WalOptions = {}): Promise<WriteAheadLog> {
  const segmentBytes = options.segmentBytes ?? defaultSegmentBytes;
  assert(
    segmentBytes % sectorBytes === 0 &&
      segmentBytes >= minSegmentBytes &&
      segmentBytes <= maxSegmentBytes,
    'segmentBytes is a multiple of 512 between 2048 and 2 GiB',
  );
  const owner = options.owner ?? '';
  assert(Buffer.byteLength(owner) <= maxOwnerBytes, 'owner is at most 64 bytes');
  const settings: WalSettings = {
    directory,
    owner,
    segmentBytes,
    maxFrameBytes: Math.min(options.maxFrameBytes ?? defaultFrameBytes, largestBody(segmentBytes)),
    files: options.files ?? diskFiles,
    log: options.log,
  };
  try {
    return await open(settings, options.formed ?? false);
  } catch (error) {
    if (error instanceof DamagedLogError || error instanceof UnknownFormatError) throw error;
    throw new DiskError('Opening the log', error);
  }
}

/** True when the directory holds no log, or one in which nothing was ever written. What the disk cannot read back is something: opening
 * the log finds out what. @throws DiskError (exit 10) when the disk refuses. */
export async function walIsEmpty(directory: string, files: WalFiles = diskFiles): Promise<boolean> {
  try {
    return await isUnwritten(directory, files);
  } catch (error) {
    if (isUnreadable(error)) return false;
    throw new DiskError('Opening the log', error);
  }
}

async function isUnwritten(directory: string, files: WalFiles): Promise<boolean> {
  const ids = await segmentIds(directory, files).catch((error: unknown): number[] => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  if (ids.length === 0) return true;
  if (!ids.includes(1)) return false;
  const file = await files.open(segmentPath(directory, 1), 'read');
  try {
    const start = Buffer.alloc(2 * sectorBytes);
    await file.read(start, 0);
    return isZeroSector(start, 0) && isZeroSector(start, sectorBytes);
  } finally {
    await file.close();
  }
}

/** Of the segments in the directory, ascending. */
export async function segmentIds(directory: string, files: WalFiles): Promise<number[]> {
  const names = await files.list(directory);
  const ids = names.map(segmentIdOf).filter((id) => id !== undefined);
  return ids.toSorted((a, b) => a - b);
}

async function open(settings: WalSettings, formed: boolean): Promise<WriteAheadLog> {
  const { directory, files, segmentBytes } = settings;
  await files.makeDirectory(directory);
  for (const name of await files.list(directory)) {
    if (name.endsWith(unfinishedSuffix)) await files.remove(`${directory}/${name}`);
  }
  // A segment that was renamed into place just before a crash may have a name that is not durable yet.
  await files.syncDirectory(directory);
  const replay = emptyReplay(settings.owner);
  const { segments, end, unused } = await replayAll(settings, replay);
  if (formed && replay.entries.lastIndex === 0) {
    const path = segmentPath(directory, 1);
    throw new DamagedLogError(path, 0, 'the log is empty, but this node has joined a cluster');
  }
  if (end.torn !== undefined) await cut(settings, end.torn);
  if (replay.lastWrite !== undefined) await settle(files, replay.lastWrite);

  let active = segments.at(-1);
  if (
    active === undefined ||
    (end.nextSector === 0 && active.sectors * sectorBytes !== segmentBytes)
  ) {
    // Nothing was ever written to it: make it, or make it anew in the size now asked for.
    const id = active?.id ?? 1;
    await prepareSegment(files, directory, { id, bytes: segmentBytes }, () => false);
    const baseSector = active?.baseSector ?? 0;
    active = {
      id,
      path: segmentPath(directory, id),
      baseSector,
      sectors: segmentBytes / sectorBytes,
    };
    segments.splice(-1, 1, active);
  }
  const spareReady = unused.some(
    (spare) => spare.id === active.id + 1 && spare.sectors * sectorBytes === segmentBytes,
  );
  const { entries, sequence, previousCrc, floorSegment } = replay;
  return new WriteAheadLog(settings, {
    image: {
      hardState: replay.hardState,
      floor: replay.floor,
      configurations: replay.configurations,
      runs: entries.runs.all,
      lastIndex: entries.lastIndex,
    },
    entries,
    segments,
    file: await files.open(active.path, 'durable'),
    nextSector: end.nextSector,
    sequence,
    previousCrc,
    floorSegment,
    spareReady,
  });
}

export interface Replayed {
  /** Up to the one that the log ends in. */
  readonly segments: Segment[];
  readonly end: { readonly nextSector: number; readonly torn: Extent | undefined };
  /** Prepared ones behind it. */
  readonly unused: readonly Segment[];
}

/** Reads every segment and changes nothing. @throws DamagedLogError */
export async function replayAll(
  { directory, files }: Pick<WalSettings, 'directory' | 'files'>,
  replay: Replay,
): Promise<Replayed> {
  const segments: Segment[] = [];
  const unused: Segment[] = [];
  let end: Extract<ScanResult, { kind: 'open' }> | undefined;
  let baseSector = 0;
  const ids = await segmentIds(directory, files);
  const first = ids[0] ?? 1;
  const missing = (id: number): DamagedLogError =>
    new DamagedLogError(segmentPath(directory, id), 0, 'this segment is missing');
  for (const [at, id] of ids.entries()) {
    if (id !== first + at) throw missing(first + at);
    const place = { id, path: segmentPath(directory, id), baseSector };
    const segment = await scanOne(files, place, replay, { isFirst: at === 0, end });
    if (end !== undefined) {
      unused.push(segment.segment);
      continue;
    }
    segments.push(segment.segment);
    baseSector += segment.segment.sectors;
    if (segment.result.kind === 'open') end = segment.result;
  }
  if (end === undefined && ids.length > 0) throw missing(first + ids.length);
  // Segments before the first one may only be gone because a floor let them go.
  const letGo = replay.floorSegment !== undefined && beginIsKnown(replay);
  if (first > 1 && !letGo) throw missing(first - 1);
  return { segments, end: end ?? { nextSector: 0, torn: undefined }, unused };
}

async function scanOne(
  files: WalFiles,
  place: Omit<Segment, 'sectors'>,
  replay: Replay,
  { isFirst, end }: { readonly isFirst: boolean; readonly end: object | undefined },
): Promise<{ readonly segment: Segment; readonly result: ScanResult }> {
  const file = await files.open(place.path, 'read');
  try {
    if (file.size % sectorBytes !== 0 || file.size < minSegmentBytes) {
      throw new DamagedLogError(place.path, file.size, `a segment cannot have ${file.size} bytes`);
    }
    const segment = { ...place, sectors: file.size / sectorBytes };
    if (end === undefined) {
      return { segment, result: await scanSegment(file, segment, replay, isFirst) };
    }
    // The log ended in an earlier segment, unsealed, so nothing can have been written here.
    const nothing = await scanSegment(file, segment, { ...replay, sequence: -1 }, false);
    assert(nothing.kind === 'open' && nothing.torn === undefined, 'nothing was written here');
    return { segment, result: nothing };
  } finally {
    await file.close();
  }
}

/** Zeroes what an unfinished write left, so that the next frame is written over zeros like every other. */
async function cut(settings: WalSettings, torn: Extent): Promise<void> {
  const { segment, from, to } = torn;
  const bytes = (to - from) * sectorBytes;
  settings.log?.warn(
    { file: segment.path, offset: from * sectorBytes, bytes },
    'the last write to the log was torn and never acknowledged: cut',
  );
  const file = await settings.files.open(segment.path, 'durable');
  try {
    await file.write(Buffer.alloc(bytes), from * sectorBytes);
  } finally {
    await file.close();
  }
}

/** Writes the last whole write once more, as it is. The process may have died, or failed, between that write and its sync:
 * then the file system's memory shows it, the medium does not, and only this makes it true before anyone relies on it. */
async function settle(files: WalFiles, { segment, from, to }: Extent): Promise<void> {
  const file = await files.open(segment.path, 'durable');
  try {
    const bytes = Buffer.alloc((to - from) * sectorBytes);
    await file.read(bytes, from * sectorBytes);
    await file.write(bytes, from * sectorBytes);
  } finally {
    await file.close();
  }
}
