// A StateStore in memory, for tests of the node and for the simulator. It passes the port's conformance suite, and
// forgets what a disk would forget: with the process what is not written, with the power what is not settled.
import { assert, present } from '../../src/lib/assert.ts';
import { type LogIndex, logIndex, revision, term as toTerm } from '../../src/lib/ids.ts';
import { OutOfSpace } from '../../src/lib/out-of-space.ts';
import type {
  SnapshotHeader,
  SnapshotStage,
  StateBatch,
  StateImage,
  StateSnapshot,
  StateStore,
} from '../../src/node/ports.ts';
import { hashOfImage, type RegistryMeta, type StoredRecord } from '../../src/registry/index.ts';
import { otherThanSealed } from '../../src/storage/sealed-marker.ts';
import { verifySnapshot } from '../../src/storage/state-verdict.ts';
import { compareBytewise } from '../../src/registry/byte-order.ts';

type Last = Omit<StateBatch, 'records'>;

/** What outlives the process. */
export interface MemoryState {
  records: Map<string, Uint8Array>;
  /** undefined until the first batch. */
  last: Last | undefined;
  /** A snapshot that has arrived whole and is not installed yet. */
  sealed: SealedState | undefined;
  /** How to take back what a power cut may still take, oldest first. */
  readonly unsettled: Undo[];
}

interface SealedState {
  /** Which snapshot it is, by the marker beside it. */
  readonly header: SnapshotHeader;
  content: Pick<MemoryState, 'records' | 'last'>;
}

interface Undo {
  readonly before: readonly StoredRecord[];
  readonly last: Last | undefined;
}

/** LevelDB syncs its directory itself whenever it has filled a buffer: older batches than these are safe. */
const MAX_UNSETTLED = 64;
const MAX_SNAPSHOTS = 5;

/** What has come whole takes its place where the log begins behind it; anything else that was staged goes. Returns why what is in
 * its place now is not what was sealed; undefined where it is, or where nothing was placed. */
export function placeSealed(
  state: MemoryState,
  floorIndex: number | undefined,
): string | undefined {
  const { sealed } = state;
  state.sealed = undefined;
  if (sealed === undefined) return undefined;
  const { index, term, meta } = sealed.header;
  if (index !== floorIndex || index <= (state.last?.appliedIndex ?? 0)) return undefined;
  installSealed(state, sealed);
  return otherThanSealed({ index, term, hash: meta.hash }, imageOf(state, {}));
}

/** An independent copy, as of files that are copied: what a power cut would take back is in it for good. */
export function copyOf({ records, last, sealed }: MemoryState): MemoryState {
  const content = sealed && { ...sealed.content, records: new Map(sealed.content.records) };
  const staged = content && { ...sealed, content };
  return { records: new Map(records), last, sealed: staged, unsettled: [] };
}

export function emptyMemoryState(): MemoryState {
  return { records: new Map(), last: undefined, sealed: undefined, unsettled: [] };
}

/** A bit of the middle record is another one from now on. */
export function flipBit(records: MemoryState['records']): void {
  const values = [...records.values()];
  const value = present(values[values.length >> 1], 'there is a record');
  value[value.length >> 1] = (value[value.length >> 1] ?? 0) ^ 1;
}

/** A power cut: of the batches since the last settle(), the first `kept` stay. */
export function loseUnsettled(state: MemoryState, kept: number): void {
  while (state.unsettled.length > kept) {
    const { before, last } = present(state.unsettled.pop(), 'a batch that can be undone is there');
    put(state.records, before);
    state.last = last;
  }
  state.unsettled.length = 0;
}

/** One batch as the disk takes it: whole. */
export function keepBatch(state: MemoryState, { records, ...last }: StateBatch): void {
  const before = records.map(({ key }) => ({ key, value: state.records.get(key) }));
  state.unsettled.push({ before, last: state.last });
  if (state.unsettled.length > MAX_UNSETTLED) state.unsettled.shift();
  put(state.records, records);
  state.last = last;
}

function put(content: Map<string, Uint8Array>, records: readonly StoredRecord[]): void {
  for (const { key, value } of records) {
    if (value === undefined) content.delete(key);
    else content.set(key, value.slice());
  }
}

function installSealed(state: MemoryState, sealed: SealedState): void {
  state.records = sealed.content.records;
  state.last = sealed.content.last;
  state.sealed = undefined;
  state.unsettled.length = 0;
}

function imageOf({ last, records }: MemoryState, options: MemoryStateOptions): StateImage {
  const empty = options.emptyMeta ?? { revision: revision(0), registryTimeMs: 0, hash: '' };
  return {
    appliedIndex: last?.appliedIndex ?? logIndex(0),
    appliedTerm: last?.appliedTerm ?? 0,
    configuration: last?.configuration,
    meta: last?.meta ?? empty,
    records: [...records].map(([key, value]) => ({ key, value: value.slice() })),
  };
}

function bytesOf(records: ReadonlyMap<string, Uint8Array>): number {
  let sum = 0;
  for (const [key, value] of records) sum += key.length + value.length;
  return sum;
}

/** `sorted` has the order of LevelDB. */
function partOf(
  sorted: readonly { readonly key: string; readonly value: Uint8Array }[],
  after: string,
  maxBytes: number,
): Awaited<ReturnType<StateSnapshot['read']>> {
  let begin = 0;
  for (let beyond = sorted.length; begin < beyond; ) {
    const middle = (begin + beyond) >> 1;
    if (compareBytewise(sorted[middle]?.key ?? '', after) > 0) beyond = middle;
    else begin = middle + 1;
  }
  const records: StoredRecord[] = [];
  let bytes = 0;
  for (let at = begin; at < sorted.length && (at === begin || bytes < maxBytes); at++) {
    const record = present(sorted[at], 'it is below the length');
    bytes += record.key.length + record.value.length;
    records.push(record);
  }
  return { records, done: begin + records.length === sorted.length };
}

function verify(
  { meta }: SnapshotHeader,
  content: ReadonlyMap<string, Uint8Array>,
  options: MemoryStateOptions,
): void {
  const records = [...content].map(([key, value]) => ({ key, value }));
  const hashOf = options.hashOfImage ?? hashOfImage;
  verifySnapshot({ hash: (...at) => hashOf(records, ...at) }, records.length, meta);
}

/** What the disk does next, beside batches. */
export type DiskStep = 'settle' | 'stage' | 'add' | 'seal' | 'install';

export interface MemoryStateOptions {
  /** Called for each batch; it becomes durable when this resolves, or never if it rejects. Default: in a microtask. */
  readonly beforeDurable?: (batch: StateBatch) => Promise<void>;
  /** Called before each other step of the disk; the step is done at once when this resolves, or never if it rejects: then the
   * store has failed. Default: in a microtask. */
  readonly beforeStep?: (step: DiskStep) => Promise<void>;
  /** Called before a view is read from; what it throws the reader gets. */
  readonly beforeRead?: () => void;
  /** Meta of the empty state. Its hash is '' by default. */
  readonly emptyMeta?: RegistryMeta;
  /** The log's floor: a sealed snapshot of exactly this index takes its place at open. Default 0. */
  readonly floorIndex?: LogIndex;
  /** Default: the registry's. */
  readonly hashOfImage?: typeof hashOfImage;
}

export class MemoryStateStore implements StateStore {
  readonly image: StateImage;
  readonly discarded: string | undefined;
  readonly #state: MemoryState;
  readonly #options: MemoryStateOptions;
  #writing = false;
  #ended: Error | undefined;
  #snapshots = 0;
  /** Rises with each snapshot that is installed: views of what was there before have ended. */
  #content = 0;
  #stage: object | undefined;

  constructor(
    state: MemoryState = emptyMemoryState(),
    options: MemoryStateOptions = {},
    discarded?: string,
  ) {
    placeSealed(state, options.floorIndex);
    this.#state = state;
    this.#options = options;
    this.discarded = discarded;
    this.image = imageOf(state, options);
  }

  async write(batch: StateBatch): Promise<void> {
    this.#assertAlive();
    assert(!this.#writing, 'one state batch is written at a time');
    this.#writing = true;
    try {
      await this.#options.beforeDurable?.(batch);
      this.#assertAlive();
      keepBatch(this.#state, batch);
    } catch (error) {
      // A full disk is no failure of the store.
      if (error instanceof OutOfSpace) throw error;
      throw this.#fail(error);
    } finally {
      this.#writing = false;
    }
  }

  async settle(): Promise<LogIndex> {
    this.#assertAlive();
    const settled = this.#state.last?.appliedIndex ?? logIndex(0);
    const { unsettled } = this.#state;
    const newest = unsettled.at(-1);
    await this.#step('settle');
    if (newest !== undefined) unsettled.splice(0, unsettled.indexOf(newest) + 1);
    return settled;
  }

  async bytes(): Promise<number> {
    const sealed = this.#state.sealed?.content.records ?? new Map<string, Uint8Array>();
    return bytesOf(this.#state.records) + bytesOf(sealed);
  }

  async snapshot(): Promise<StateSnapshot> {
    this.#assertAlive();
    if (this.#snapshots >= MAX_SNAPSHOTS) {
      throw new Error(
        `no more than ${MAX_SNAPSHOTS} snapshots of the state store are open at a time`,
      );
    }
    const { last, records: content } = this.#state;
    if (last === undefined) throw new Error('the state store has no content yet');
    const { appliedIndex, appliedTerm, configuration, meta } = last;
    const records = [...content].map(([key, value]) => ({ key, value }));
    records.sort((left, right) => compareBytewise(left.key, right.key));
    this.#snapshots += 1;
    let open = true;
    const opened = this.#content;
    const ended = (): boolean => opened !== this.#content;
    return {
      get ended() {
        return ended();
      },
      header: { index: appliedIndex, term: toTerm(appliedTerm), configuration, meta },
      read: async (after, maxBytes) => {
        this.#assertAlive();
        this.#options.beforeRead?.();
        if (!open) throw new Error('the snapshot is closed');
        if (ended()) throw new Error('other content has taken the place of this one');
        return partOf(records, after, maxBytes);
      },
      close: async () => {
        if (open) this.#snapshots -= 1;
        open = false;
      },
    };
  }

  async stage(header: SnapshotHeader): Promise<SnapshotStage> {
    await this.#step('stage');
    this.#state.sealed = undefined;
    const records = new Map<string, Uint8Array>();
    const stage: SnapshotStage = {
      add: async (added) => {
        assertCurrent();
        assert(this.#state.sealed === undefined, 'a sealed snapshot takes no more records');
        await this.#step('add');
        put(records, added);
      },
      seal: async () => {
        assertCurrent();
        verify(header, records, this.#options);
        await this.#step('seal');
        const { index, term, configuration, meta } = header;
        const last = { appliedIndex: index, appliedTerm: term, configuration, meta };
        this.#state.sealed = { header, content: { records, last } };
      },
      install: async () => {
        assertCurrent();
        const { sealed } = this.#state;
        assert(sealed !== undefined, 'a snapshot is sealed before it is installed');
        assert(!this.#writing, 'nothing is written while a snapshot is installed');
        this.#content += 1;
        await this.#step('install');
        installSealed(this.#state, sealed);
        this.#stage = undefined;
      },
      discard: async () => {
        if (this.#stage !== stage) return;
        this.#state.sealed = undefined;
        this.#stage = undefined;
      },
    };
    const assertCurrent = (): void => {
      this.#assertAlive();
      assert(this.#stage === stage, 'one snapshot is staged at a time, and once');
    };
    this.#stage = stage;
    return stage;
  }

  /** A process that has died while the step was under way does not do it any more. */
  async #step(step: DiskStep): Promise<void> {
    this.#assertAlive();
    try {
      await this.#options.beforeStep?.(step);
    } catch (error) {
      if (error instanceof OutOfSpace) throw error;
      throw this.#fail(error);
    }
    this.#assertAlive();
  }

  #fail(error: unknown): Error {
    this.#ended ??= error instanceof Error ? error : new Error(String(error));
    return this.#ended;
  }

  #assertAlive(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  async close(): Promise<void> {
    this.#ended ??= new Error('the state store is closed');
  }
}
