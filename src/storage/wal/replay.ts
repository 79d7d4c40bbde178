// The log as replayed so far, frame by frame, at open. The first segments of a log may be gone, because a floor let them go:
// then nothing is known of the entries before those of the first one present until a truncation, or a floor, lies there.
import { assert } from '../../lib/assert.ts';
import { logIndex, term, type LogIndex } from '../../lib/ids.ts';
import type { Configuration, HardState, LogFloor } from '../../raft/index.ts';
import { walkBody } from './batch-codec.ts';
import { EntryMap } from './entry-map.ts';
import { bodyOf, type FrameHeader } from './frame.ts';
import type { Segment } from './segment.ts';

/** A run of sectors inside one segment. */
export interface Extent {
  readonly segment: Segment;
  readonly from: number;
  readonly to: number;
}

export interface Replay {
  readonly owner: string;
  /** Of the entries that hold; its floor is the highest point below which some are not known. */
  entries: EntryMap;
  hardState: HardState;
  floor: LogFloor;
  /** The segment that holds the floor. */
  floorSegment: Segment | undefined;
  /** Brought by entries that hold and are after the floor, ascending. */
  readonly configurations: Configuration[];
  /** What the next frame must carry. */
  sequence: number;
  previousCrc: number;
  /** The last whole write: the only one whose sync may not have been seen to succeed. */
  lastWrite: Extent | undefined;
}

/** The floor of a log from which nothing was ever let go. */
const wholeLog: LogFloor = {
  index: logIndex(0),
  term: term(0),
  configuration: { index: logIndex(0), payload: new Uint8Array() },
};

export function emptyReplay(owner: string): Replay {
  return {
    owner,
    entries: new EntryMap(wholeLog),
    hardState: { term: term(0), votedFor: undefined, commitIndex: logIndex(0) },
    floor: wholeLog,
    floorSegment: undefined,
    configurations: [],
    sequence: 1,
    previousCrc: 0,
    lastWrite: undefined,
  };
}

/** Makes an empty replay begin in the middle of the log. Whether that is right shows at its end: `beginIsKnown`. */
export function beginAt(
  replay: Replay,
  begin: Pick<Replay, 'sequence' | 'previousCrc'> & { readonly firstIndex: number },
): void {
  replay.sequence = begin.sequence;
  replay.previousCrc = begin.previousCrc;
  replay.entries = new EntryMap({ index: logIndex(begin.firstIndex - 1), term: term(0) });
}

/** True when every entry after the floor was found. */
export function beginIsKnown({ entries, floor }: Replay): boolean {
  return entries.floor.index === floor.index;
}

/** Throws when a frame whose checksum was right does not follow the format all the same. */
export function applyFrame(
  frame: Buffer,
  header: FrameHeader,
  extent: Extent,
  replay: Replay,
): void {
  const { entries, configurations } = replay;
  const body = bodyOf(frame, header);
  const place = { sector: extent.segment.baseSector + extent.from, sectors: header.sectors };
  walkBody(body, header.batchCount, {
    batch: (hardState, truncateAfter) => {
      assert(hardState.term >= replay.hardState.term, 'the term never falls');
      replay.hardState = hardState;
      if (truncateAfter !== undefined) applyTruncation(truncateAfter, replay);
    },
    floor: (floor, restarts) => {
      applyFloor(floor, restarts, replay);
      replay.floorSegment = extent.segment;
    },
    entry: (index, entryTerm, kind, { from, to }) => {
      entries.append(index, entryTerm, place);
      if (kind !== 'bootstrap' && kind !== 'membership') return;
      configurations.push({ index, payload: Uint8Array.prototype.slice.call(body, from, to) });
    },
  });
  const { commitIndex } = replay.hardState;
  assert(commitIndex <= entries.lastIndex, 'what is committed is in the log');
  assert(commitIndex >= replay.floor.index, 'what the floor covers is committed');
  replay.sequence = header.sequence + 1;
  replay.previousCrc = header.crc;
  // The first frame of a segment was written together with the segment's header.
  replay.lastWrite = { ...extent, from: extent.from === 1 ? 0 : extent.from };
}

function applyTruncation(after: LogIndex, { entries, floor, configurations }: Replay): void {
  assert(after >= floor.index, 'what the floor covers is never cut');
  if (after < entries.floor.index) entries.restart({ index: after, term: term(0) });
  else entries.truncate(after);
  while ((configurations.at(-1)?.index ?? 0) > after) configurations.pop();
}

function applyFloor(floor: LogFloor, restarts: boolean, replay: Replay): void {
  const { entries, configurations } = replay;
  assert(floor.index >= replay.floor.index, 'the floor never falls');
  replay.floor = floor;
  if (restarts) {
    entries.restart(floor);
    configurations.length = 0;
    return;
  }
  const known = floor.index > entries.floor.index;
  assert(
    !known || entries.runs.has(floor),
    'a floor that keeps the entries behind it is in the log',
  );
  if (floor.index >= entries.floor.index) entries.raise(floor);
  const kept = configurations.findIndex(({ index }) => index > floor.index);
  configurations.splice(0, kept < 0 ? configurations.length : kept);
}
