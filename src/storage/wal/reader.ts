// Reading entries back from the log: which frames is decided at once, in memory, so that a truncation that comes during
// the read does not change its answer; every byte and every entry's identity is verified.
import { present } from '../../lib/assert.ts';
import { logIndex, type LogIndex } from '../../lib/ids.ts';
import type { LogEntry, TermRun } from '../../raft/index.ts';
import { UnknownFormatError } from '../../lib/unknown-format.ts';
import { DamagedLogError, DiskError } from '../errors.ts';
import { walkBody } from './batch-codec.ts';
import type { EntryMap, LocatedFrame } from './entry-map.ts';
import { bodyIsWhole, bodyOf, decodeHeader, sectorBytes, type FrameHeader } from './frame.ts';
import type { Segment } from './segment.ts';
import type { WalFiles } from './wal-files.ts';

export interface ReadSource {
  readonly files: WalFiles;
  readonly entries: EntryMap;
  readonly segments: readonly Segment[];
}

/** Frames of one segment that are read from disk together. */
interface Stretch {
  readonly segment: Segment;
  readonly refs: LocatedFrame[];
}

/** One read from disk covers at most this much, or one frame. */
const maxStretchSectors = 2048;

/** Entries [from, to], cut to about `maxBytes` of payload but at least one. */
export async function readEntries(
  source: ReadSource,
  from: LogIndex,
  to: LogIndex,
  maxBytes: number,
): Promise<readonly LogEntry[]> {
  const wanted = { from, to, runs: source.entries.runs.within(from, to) };
  const stretches = stretchesOf(source.entries.locate(from, to, maxBytes), source.segments);
  const found: LogEntry[] = [];
  let bytes = 0;
  for (const stretch of stretches) {
    for (const entry of await readStretch(source.files, stretch, wanted, found.length)) {
      if (found.length > 0 && bytes + entry.payload.length > maxBytes) return found;
      found.push(entry);
      bytes += entry.payload.length;
    }
  }
  return found;
}

function stretchesOf(refs: readonly LocatedFrame[], segments: readonly Segment[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const ref of refs) {
    const last = stretches.at(-1);
    const start = last?.refs[0];
    const fits =
      last !== undefined &&
      start !== undefined &&
      ref.sector < last.segment.baseSector + last.segment.sectors &&
      ref.sector + ref.sectors - start.sector <= maxStretchSectors;
    if (fits) last.refs.push(ref);
    else stretches.push({ segment: segmentOf(ref.sector, segments), refs: [ref] });
  }
  return stretches;
}

function segmentOf(sector: number, segments: readonly Segment[]): Segment {
  const found = segments.findLast((segment) => segment.baseSector <= sector);
  return present(found, 'a sector of the log lies in a segment');
}

interface Wanted {
  readonly from: LogIndex;
  readonly to: LogIndex;
  readonly runs: readonly TermRun[];
}

async function readStretch(
  files: WalFiles,
  stretch: Stretch,
  wanted: Wanted,
  alreadyFound: number,
): Promise<readonly LogEntry[]> {
  const { segment, refs } = stretch;
  const first = present(refs[0], 'a stretch has a frame');
  const last = present(refs.at(-1), 'a stretch has a frame');
  const bytes = Buffer.allocUnsafeSlow((last.sector + last.sectors - first.sector) * sectorBytes);
  const got = await readExtent(files, segment, first.sector, bytes);
  const entries: LogEntry[] = [];
  for (const ref of refs) {
    const offset = (ref.sector - segment.baseSector) * sectorBytes;
    const damaged = (reason: string, cause?: unknown): DamagedLogError =>
      new DamagedLogError(segment.path, offset, reason, cause);
    const start = (ref.sector - first.sector) * sectorBytes;
    const frame = bytes.subarray(start, start + ref.sectors * sectorBytes);
    if (start + frame.length > got) throw damaged('the file ends before its frame does');
    const header = decodeHeader(frame);
    const whole =
      header !== undefined &&
      header.segmentId === segment.id &&
      header.sectors === ref.sectors &&
      bodyIsWhole(frame, header);
    if (!whole) throw damaged('a frame does not match its checksum');
    const next = logIndex(wanted.from + alreadyFound + entries.length);
    const end = logIndex(Math.min(wanted.to, ref.lastIndex));
    let held: readonly LogEntry[];
    try {
      held = entriesOf(frame, header, next, end);
    } catch (cause) {
      if (cause instanceof UnknownFormatError) throw cause.in(segment.path);
      throw damaged('a frame with a right checksum does not follow the format', cause);
    }
    const expected = held.every((entry, at) => isExpected(entry, next + at, wanted.runs));
    if (held.length !== end - next + 1 || !expected) {
      throw damaged('the frame holds other entries than it did');
    }
    for (const entry of held) entries.push(entry);
  }
  return entries;
}

async function readExtent(
  files: WalFiles,
  segment: Segment,
  sector: number,
  target: Buffer,
): Promise<number> {
  try {
    const file = await files.open(segment.path, 'read');
    try {
      return await file.read(target, (sector - segment.baseSector) * sectorBytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new DiskError('Reading the log', error);
  }
}

/** The entries of a frame from `from` up to `to`, or as far as the frame goes. Where batches of one frame overwrote each
 * other's entries, the last one holds. */
function entriesOf(
  frame: Buffer,
  header: FrameHeader,
  from: LogIndex,
  to: LogIndex,
): readonly LogEntry[] {
  const body = bodyOf(frame, header);
  const entries: LogEntry[] = [];
  walkBody(body, header.batchCount, {
    batch: (_, truncateAfter) => {
      if (truncateAfter !== undefined)
        entries.length = Math.max(0, Math.min(entries.length, truncateAfter - from + 1));
    },
    floor: (_, restarts) => {
      if (restarts) entries.length = 0;
    },
    entry: (index, term, kind, payload) => {
      if (index < from || index > to) return;
      // A copy, because a view would keep the whole frame in memory for as long as somebody holds the entry.
      entries.push({
        index,
        term,
        kind,
        payload: Uint8Array.prototype.slice.call(body, payload.from, payload.to),
      });
    },
  });
  return entries;
}

function isExpected(entry: LogEntry, index: number, runs: readonly TermRun[]): boolean {
  const run = runs.findLast((candidate) => candidate.firstIndex <= index);
  return entry.index === index && entry.term === run?.term;
}
