// The state machine on LevelDB (docs/adr/0005): a copy that saves replaying the log. It is believed only
// as far as it can be verified; what cannot is thrown away, because the log has everything.
import { readdir, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import type { Logger } from 'pino';
import { assert, InvariantError } from '../lib/assert.ts';
import { type LogIndex, logIndex, revision, type Revision } from '../lib/ids.ts';
import type {
  SnapshotHeader,
  SnapshotStage,
  StateBatch,
  StateImage,
  StateSnapshot,
  StateStore,
} from '../node/ports.ts';
import type { StoredRecord } from '../registry/index.ts';
import { DiskError } from './errors.ts';
import { decodeMeta, encodeMeta, metaKey, recordKey, registryKey, type StateMeta } from './keys.ts';
import { crashOf } from './state-probe.ts';
import { makeDurableDirectory } from './wal/wal-files.ts';

/** The order-independent hash over all records, the revision and the registry time: 16 hex digits (src/registry). */
export type HashOfImage = (
  records: Iterable<StoredRecord>,
  revision: Revision,
  registryTimeMs: number,
) => string;

export interface StateStoreOptions {
  readonly hashOfImage: HashOfImage;
  /** Incarnation of the node: the content of another one is discarded. Default ''. */
  readonly owner?: string;
  readonly log?: Logger;
}

type Database = ClassicLevel<string, Uint8Array>;

// LevelDB hands rows over in blocks of this size; its default of 16 KiB makes a scan several times slower.
const scanBlockBytes = 1024 * 1024;
const scanRows = 4096;
const lockedForMs = 2_000;
const lockedPollMs = 50;

/** Opens the state in `directory`, or an empty one if what is there cannot be verified.
 * @throws DiskError when not even an empty one can be made. */
export async function openStateStore(
  directory: string,
  options: StateStoreOptions,
): Promise<StateStore> {
  const owner = options.owner ?? '';
  try {
    await makeDurableDirectory(directory);
    const first = await tryOpen(directory, owner, options.hashOfImage);
    if (first.kind === 'verified') {
      return new LevelStateStore(first.database, owner, first.image, undefined);
    }
    options.log?.warn({ directory, reason: first.reason }, 'the stored state is discarded');
    await rm(directory, { recursive: true, force: true });
    await makeDurableDirectory(directory);
    const second = await tryOpen(directory, owner, options.hashOfImage);
    if (second.kind === 'verified') {
      return new LevelStateStore(second.database, owner, second.image, first.reason);
    }
    throw new Error(second.reason);
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    throw new DiskError('Opening the state store', error);
  }
}

type Attempt =
  | { readonly kind: 'verified'; readonly database: Database; readonly image: StateImage }
  | { readonly kind: 'unusable'; readonly reason: string };

async function tryOpen(
  directory: string,
  owner: string,
  hashOfImage: HashOfImage,
): Promise<Attempt> {
  const isNew = (await readdir(directory)).length === 0;
  const crash = isNew ? undefined : await crashOf(directory);
  if (crash !== undefined) return { kind: 'unusable', reason: crash };
  const database: Database = new ClassicLevel(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
  });
  try {
    await openUnlocked(database);
    const found = await scan(database);
    const problem = problemOf(found, owner, hashOfImage);
    if (problem === undefined) {
      return { kind: 'verified', database, image: imageOf(found, hashOfImage) };
    }
    await database.close();
    return { kind: 'unusable', reason: problem };
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    await database.close().catch(() => undefined);
    return { kind: 'unusable', reason: `LevelDB failed: ${reasonOf(error)}` };
  }
}

/** A directory that is locked is healthy and in use, so it is never discarded. The holder may be the probe of a process
 * that was killed, on its way out. */
async function openUnlocked(database: Database): Promise<void> {
  const deadline = performance.now() + lockedForMs;
  for (;;) {
    try {
      await database.open();
      return;
    } catch (error) {
      if (!reasonOf(error).includes('LEVEL_LOCKED')) throw error;
      assert(performance.now() < deadline, 'the state store is opened once');
      await delay(lockedPollMs);
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? `${String(error.code)} ` : '';
  const cause = error.cause === undefined ? '' : ` (${reasonOf(error.cause)})`;
  return `${code}${error.message}${cause}`;
}

interface Found {
  readonly state: StateMeta | 'damaged' | undefined;
  readonly records: StoredRecord[];
  readonly strangeKey: boolean;
}

async function scan(database: Database): Promise<Found> {
  let state: Found['state'];
  let strangeKey = false;
  const records: StoredRecord[] = [];
  const iterator = database.iterator({ highWaterMarkBytes: scanBlockBytes });
  try {
    for (;;) {
      const rows = await iterator.nextv(scanRows);
      if (rows.length === 0) break;
      for (const [key, value] of rows) {
        const own = registryKey(key);
        if (key === metaKey) state = decodeMeta(value) ?? 'damaged';
        else if (own === undefined) strangeKey = true;
        else records.push({ key: own, value });
      }
    }
  } finally {
    await iterator.close();
  }
  return { state, records, strangeKey };
}

// An older state that is whole verifies too: LevelDB drops the end of its log, or a whole log file, when that is damaged or
// gone, and each batch carries the metadata of exactly its records. That is sound: appliedIndex is then older as well, and
// the log, which keeps every entry that no verified batch covers, replays the rest. A lost batch in the middle is not: the
// metadata of a later batch then meets records without the lost ones, and the hashes differ.
function problemOf(found: Found, owner: string, hashOfImage: HashOfImage): string | undefined {
  const { state, records, strangeKey } = found;
  if (strangeKey) return 'it holds a key that no version of this program writes';
  if (state === 'damaged') return 'its metadata does not match its checksum';
  if (state === undefined) {
    return records.length === 0 ? undefined : 'it holds records without metadata';
  }
  if (state.owner !== owner) return 'it was written by another node';
  const hash = hashOfImage(records, state.meta.revision, state.meta.registryTimeMs);
  if (hash === state.meta.hash) return undefined;
  return `its ${records.length} records have the hash ${hash} instead of ${state.meta.hash}`;
}

function imageOf(found: Found, hashOfImage: HashOfImage): StateImage {
  const state = typeof found.state === 'object' ? found.state : undefined;
  const nothing = { revision: revision(0), registryTimeMs: 0 };
  return {
    appliedIndex: state?.appliedIndex ?? logIndex(0),
    appliedTerm: state?.appliedTerm ?? 0,
    configuration: state?.configuration,
    meta: state?.meta ?? { ...nothing, hash: hashOfImage([], nothing.revision, 0) },
    records: handOver(found.records),
  };
}

/** Yields each record once and lets go of it, so that a record is in memory once while the catalogue is built. */
function handOver(records: StoredRecord[]): Iterable<StoredRecord> {
  let taken = false;
  return {
    *[Symbol.iterator]() {
      assert(!taken, 'the image of the state store is read once');
      taken = true;
      records.reverse();
      for (let record = records.pop(); record !== undefined; record = records.pop()) yield record;
    },
  };
}

class LevelStateStore implements StateStore {
  readonly image: StateImage;
  readonly discarded: string | undefined;
  readonly #database: Database;
  readonly #owner: string;
  #writing = false;
  #failure: DiskError | undefined;

  constructor(database: Database, owner: string, image: StateImage, discarded: string | undefined) {
    this.#database = database;
    this.#owner = owner;
    this.image = image;
    this.discarded = discarded;
  }

  async write(batch: StateBatch): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    assert(!this.#writing, 'one state batch is written at a time');
    this.#writing = true;
    try {
      const { appliedIndex, appliedTerm, configuration, meta } = batch;
      const operations = batch.records.map(({ key, value }) =>
        value === undefined
          ? { type: 'del' as const, key: recordKey(key) }
          : { type: 'put' as const, key: recordKey(key), value },
      );
      const value = encodeMeta({
        appliedIndex,
        appliedTerm,
        owner: this.#owner,
        configuration,
        meta,
      });
      await this.#database.batch([...operations, { type: 'put', key: metaKey, value }], {
        sync: true,
      });
    } catch (error) {
      this.#failure = new DiskError('Writing the state store', error);
      throw this.#failure;
    } finally {
      this.#writing = false;
    }
  }

  settle(): Promise<LogIndex> {
    return Promise.reject(new Error('not yet'));
  }

  bytes(): Promise<number> {
    return Promise.resolve(0);
  }

  snapshot(): Promise<StateSnapshot> {
    return Promise.reject(new Error('not yet'));
  }

  stage(_header: SnapshotHeader): Promise<SnapshotStage> {
    return Promise.reject(new Error('not yet'));
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}
