// Reads a log as opening it does (docs/adr/0010), and changes nothing: what a torn last write left stays, nothing is written
// once more, nothing is prepared. For tools that look at the data-dir of a node that does not run.
import { InvariantError } from '../../lib/assert.ts';
import type { LogIndex } from '../../lib/ids.ts';
import type { LogImage } from '../../node/ports.ts';
import type { LogEntry } from '../../raft/index.ts';
import { UnknownFormatError } from '../../lib/unknown-format.ts';
import { DamagedLogError, DiskError } from '../errors.ts';
import { sectorBytes } from './frame.ts';
import { replayAll, segmentIds } from './open-wal.ts';
import { readEntries } from './reader.ts';
import { emptyReplay, type Extent } from './replay.ts';
import { decodeSegmentHeader, segmentPath } from './segment.ts';
import { diskFiles, type WalFiles } from './wal-files.ts';

/** A log that was found to be whole. */
export interface InspectedLog {
  readonly image: LogImage;
  readonly segments: number;
  /** What an unfinished write left behind the last whole one: the next start cuts it. */
  readonly torn:
    | { readonly file: string; readonly offset: number; readonly bytes: number }
    | undefined;
  /** As LogStore.read. */
  read(from: LogIndex, to: LogIndex, maxBytes: number): Promise<readonly LogEntry[]>;
}

/** The incarnation that the first segment names as its owner; undefined where there is no segment, or none that says. */
export async function ownerOfLog(
  directory: string,
  files: WalFiles = diskFiles,
): Promise<string | undefined> {
  const [first] = await segmentIds(directory, files).catch((): number[] => []);
  if (first === undefined) return undefined;
  const file = await files.open(segmentPath(directory, first), 'read');
  try {
    const sector = Buffer.alloc(sectorBytes);
    await file.read(sector, 0);
    const decoded = decodeSegmentHeader(sector, segmentPath(directory, first));
    return typeof decoded === 'string' ? undefined : decoded.header.owner;
  } finally {
    await file.close();
  }
}

/** The directory exists. @throws DamagedLogError where a start would refuse the log; DiskError when the disk does. */
export async function inspectLog(
  directory: string,
  owner: string,
  files: WalFiles = diskFiles,
): Promise<InspectedLog> {
  try {
    const replay = emptyReplay(owner);
    const { segments, end } = await replayAll({ directory, files }, replay);
    const { entries, hardState, floor, configurations } = replay;
    const { runs, lastIndex } = entries;
    return {
      image: { hardState, floor, configurations, runs: runs.all, lastIndex },
      segments: segments.length,
      torn: end.torn === undefined ? undefined : placeOf(end.torn),
      read: (from, to, maxBytes) => readEntries({ files, entries, segments }, from, to, maxBytes),
    };
  } catch (error) {
    if (error instanceof DamagedLogError || error instanceof UnknownFormatError) throw error;
    // A start would end with a broken invariant: the bytes have right checksums and say what no version writes.
    if (error instanceof InvariantError) {
      throw new DamagedLogError(directory, 0, error.message, error);
    }
    throw new DiskError('Reading the log', error);
  }
}

function placeOf({ segment, from, to }: Extent): NonNullable<InspectedLog['torn']> {
  const offset = from * sectorBytes;
  return { file: segment.path, offset, bytes: to * sectorBytes - offset };
}
