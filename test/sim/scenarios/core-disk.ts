// The disk under a core of a scenario: what is written is durable, and nothing else outlives a process.
import { logIndex, type Term, term } from '../../../src/lib/ids.ts';
import type {
  Configuration,
  HardState,
  LogEntry,
  LogFloor,
  PersistBatch,
} from '../../../src/raft/index.ts';

export interface CoreDisk {
  hardState: HardState;
  floor: LogFloor;
  log: readonly LogEntry[];
  termAt(index: number): Term;
  /** Brought by entries that are in the log. */
  configurations(): readonly Configuration[];
  configurationAt(index: number): Configuration;
}

const NOBODY: LogFloor = {
  index: logIndex(0),
  term: term(0),
  configuration: { index: logIndex(0), payload: new Uint8Array() },
};

export function createCoreDisk(): CoreDisk {
  const disk: CoreDisk = {
    hardState: { term: term(0), votedFor: undefined, commitIndex: logIndex(0) },
    floor: NOBODY,
    log: [],
    termAt: (index) => disk.log.find((entry) => entry.index === index)?.term ?? disk.floor.term,
    configurations: () => disk.log.filter(bringsConfiguration),
    configurationAt(index) {
      const of = disk.log.findLast((entry) => entry.index <= index && bringsConfiguration(entry));
      return of === undefined ? disk.floor.configuration : { index: of.index, payload: of.payload };
    },
  };
  return disk;
}

const bringsConfiguration = ({ kind }: LogEntry): boolean =>
  kind === 'bootstrap' || kind === 'membership';

/** As the port of the log store says it: truncation, floor, entries. */
export function writeBatch(disk: CoreDisk, batch: PersistBatch): void {
  const { hardState, truncateAfter, floor, entries } = batch;
  disk.hardState = hardState;
  if (truncateAfter !== undefined) {
    disk.log = disk.log.filter(({ index }) => index <= truncateAfter);
  }
  if (floor !== undefined) {
    const agrees = disk.log.some((one) => one.index === floor.index && one.term === floor.term);
    disk.log = agrees ? disk.log.filter(({ index }) => index > floor.index) : [];
    disk.floor = floor;
  }
  writeEntries(disk, entries);
}

export function writeEntries(disk: CoreDisk, entries: readonly LogEntry[]): void {
  disk.log = [...disk.log, ...entries];
}
