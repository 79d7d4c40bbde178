// Opens the LevelDB directory of a state store, and verifies everything in it before a word of it is believed.
import { setTimeout as delay } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { assert, InvariantError } from '../lib/assert.ts';
import { logIndex, revision } from '../lib/ids.ts';
import type { StateImage } from '../node/ports.ts';
import type { ImageHasher, StoredRecord } from '../registry/index.ts';
import { decodeMeta, metaKey, registryKey, type StateMeta } from './keys.ts';
import type { StateFiles } from './state-files.ts';
import { crashOf } from './state-probe.ts';

export type Database = ClassicLevel<string, Uint8Array>;

// LevelDB hands rows over in blocks of this size; its default of 16 KiB makes a scan several times slower.
const scanBlockBytes = 1024 * 1024;
const scanRows = 4096;
const lockedForMs = 2_000;
const lockedPollMs = 50;

export type Attempt =
  | { readonly kind: 'verified'; readonly database: Database; readonly image: StateImage }
  | { readonly kind: 'unusable'; readonly reason: string };

export interface VerifyOptions {
  readonly owner: string;
  readonly imageHasher: () => ImageHasher;
  readonly files: StateFiles;
}

/** The directory exists. */
export async function openVerified(directory: string, options: VerifyOptions): Promise<Attempt> {
  const isNew = (await options.files.list(directory)).length === 0;
  const crash = isNew ? undefined : await crashOf(directory);
  if (crash !== undefined) return { kind: 'unusable', reason: crash };
  const database = databaseAt(directory);
  try {
    await openUnlocked(database);
    const found = await scan(database, options.imageHasher());
    const problem = problemOf(found, options.owner);
    if (problem === undefined) return { kind: 'verified', database, image: imageOf(found) };
    await database.close();
    return { kind: 'unusable', reason: problem };
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    await database.close().catch(() => undefined);
    return { kind: 'unusable', reason: `LevelDB failed: ${reasonOf(error)}` };
  }
}

export function databaseAt(directory: string): Database {
  return new ClassicLevel(directory, { keyEncoding: 'utf8', valueEncoding: 'view' });
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
  /** Of the records, with the revision and the registry time of the metadata. */
  readonly hash: string;
  readonly strangeKey: boolean;
}

async function scan(database: Database, hasher: ImageHasher): Promise<Found> {
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
        else {
          const record = { key: own, value };
          hasher.add(record);
          records.push(record);
        }
      }
    }
  } finally {
    await iterator.close();
  }
  const meta = typeof state === 'object' ? state.meta : nothing;
  return { state, records, hash: hasher.hash(meta.revision, meta.registryTimeMs), strangeKey };
}

const nothing = { revision: revision(0), registryTimeMs: 0 };

// An older state that is whole verifies too: LevelDB drops the end of its log, or a whole log file, when that is damaged or
// gone, and each batch carries the metadata of exactly its records. That is sound: appliedIndex is then older as well, and
// the log, which keeps every entry that no settled batch covers, replays the rest. A lost batch in the middle is not: the
// metadata of a later batch then meets records without the lost ones, and the hashes differ.
function problemOf({ state, records, hash, strangeKey }: Found, owner: string): string | undefined {
  if (strangeKey) return 'it holds a key that no version of this program writes';
  if (state === 'damaged') return 'its metadata does not match its checksum';
  if (state === undefined) {
    return records.length === 0 ? undefined : 'it holds records without metadata';
  }
  if (state.owner !== owner) return 'it was written by another node';
  if (hash === state.meta.hash) return undefined;
  return `its ${records.length} records have the hash ${hash} instead of ${state.meta.hash}`;
}

function imageOf({ state, records, hash }: Found): StateImage {
  const known = typeof state === 'object' ? state : undefined;
  return {
    appliedIndex: known?.appliedIndex ?? logIndex(0),
    appliedTerm: known?.appliedTerm ?? 0,
    configuration: known?.configuration,
    meta: known?.meta ?? { ...nothing, hash },
    records: handOver(records),
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
