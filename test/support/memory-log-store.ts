// A LogStore in memory, for tests of the node and for the simulator. It passes the port's conformance suite.
import { assert } from '../../src/lib/assert.ts';
import { deferred, type Deferred } from '../../src/lib/deferred.ts';
import { logIndex, term } from '../../src/lib/ids.ts';
import type { LogIndex } from '../../src/lib/ids.ts';
import type { LogImage, LogStore } from '../../src/node/ports.ts';
import type {
  Configuration,
  HardState,
  LogEntry,
  LogFloor,
  PersistBatch,
  TermRun,
} from '../../src/raft/index.ts';

/** What outlives the process. */
export interface MemoryLog {
  hardState: HardState;
  floor: LogFloor;
  /** Those after the floor. */
  readonly entries: LogEntry[];
}

export function emptyMemoryLog(): MemoryLog {
  return {
    hardState: { term: term(0), votedFor: undefined, commitIndex: logIndex(0) },
    floor: {
      index: logIndex(0),
      term: term(0),
      configuration: { index: logIndex(0), payload: new Uint8Array() },
    },
    entries: [],
  };
}

export interface MemoryLogOptions {
  /** Called for each batch; it becomes durable when this resolves, or never if it rejects. Default: in a microtask. */
  readonly beforeDurable?: (batch: PersistBatch) => Promise<void>;
}

interface Queued {
  readonly batch: PersistBatch;
  readonly done: Deferred<void>;
}

/** One per process life: after a crash open another one over the same MemoryLog, and stop using this one. */
export class MemoryLogStore implements LogStore {
  readonly image: LogImage;
  readonly #log: MemoryLog;
  /** Said as it is set here; a test lets `beforeDurable` wait where appends are to. */
  starved: LogStore['starved'] = 'no';
  /** How often it was asked to try again. */
  resumes = 0;
  readonly #beforeDurable: (batch: PersistBatch) => Promise<void>;
  readonly #queue: Queued[] = [];
  #running: Promise<void> | undefined;
  #ended: Error | undefined;

  constructor(log: MemoryLog = emptyMemoryLog(), options: MemoryLogOptions = {}) {
    this.#log = log;
    this.#beforeDurable = options.beforeDurable ?? (() => Promise.resolve());
    this.image = {
      hardState: log.hardState,
      floor: log.floor,
      configurations: configurationsOf(log.entries),
      runs: runsOf(log.entries),
      lastIndex: lastIndexOf(log),
    };
  }

  get bytes(): number {
    return this.#log.entries.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  resume(): void {
    this.resumes++;
  }

  append(batch: PersistBatch): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const done = deferred<void>();
    this.#queue.push({ batch, done });
    this.#running ??= this.#run();
    return done.promise;
  }

  async read(from: LogIndex, to: LogIndex, maxBytes: number): Promise<readonly LogEntry[]> {
    const { entries, floor } = this.#log;
    assert(
      from > floor.index && from <= to && to <= lastIndexOf(this.#log),
      'the range is in the log, after its floor',
    );
    const found: LogEntry[] = [];
    let bytes = 0;
    for (const entry of entries.slice(from - floor.index - 1, to - floor.index)) {
      bytes += entry.payload.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push({ ...entry, payload: entry.payload.slice() });
    }
    return found;
  }

  async close(): Promise<void> {
    this.#ended ??= new Error('the log is closed');
    await this.#running;
  }

  /** The process dies: what is not durable never will be, and nobody is told. */
  crash(): void {
    this.#ended = new Error('the process died');
    this.#queue.length = 0;
  }

  async #run(): Promise<void> {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      try {
        await this.#beforeDurable(next.batch);
        if (this.#queue[0] !== next) break;
        this.#apply(next.batch);
        this.#queue.shift();
        next.done.resolve();
      } catch (error) {
        this.#ended = error instanceof Error ? error : new Error(String(error));
        for (const queued of this.#queue.splice(0)) queued.done.reject(this.#ended);
      }
    }
    this.#running = undefined;
  }

  #apply({ hardState, truncateAfter, floor, entries }: PersistBatch): void {
    const log = this.#log;
    if (truncateAfter !== undefined) {
      const kept = truncateAfter - log.floor.index;
      assert(kept >= 0 && kept <= log.entries.length, 'a truncation cuts inside the log');
      log.entries.length = kept;
    }
    if (floor !== undefined) {
      assert(floor.index >= log.floor.index, 'the floor never falls');
      assert(floor.index <= hardState.commitIndex, 'what the floor covers is committed');
      log.entries.splice(0, hasPoint(log, floor) ? floor.index - log.floor.index : Infinity);
      log.floor = floor;
    }
    for (const entry of entries) {
      assert(entry.index === lastIndexOf(log) + 1, 'entries follow each other');
      log.entries.push({ ...entry, payload: entry.payload.slice() });
    }
    log.hardState = hardState;
  }
}

const lastIndexOf = ({ floor, entries }: MemoryLog): LogIndex =>
  logIndex(floor.index + entries.length);

function hasPoint(log: MemoryLog, { index, term: pointTerm }: LogFloor): boolean {
  const held = index === log.floor.index ? log.floor : log.entries[index - log.floor.index - 1];
  return held?.term === pointTerm;
}

export function runsOf(entries: readonly LogEntry[]): readonly TermRun[] {
  return entries
    .filter((entry, at) => entry.term !== entries[at - 1]?.term)
    .map((entry) => ({ firstIndex: entry.index, term: entry.term }));
}

function configurationsOf(entries: readonly LogEntry[]): readonly Configuration[] {
  return entries
    .filter(({ kind }) => kind === 'bootstrap' || kind === 'membership')
    .map(({ index, payload }) => ({ index, payload: payload.slice() }));
}
