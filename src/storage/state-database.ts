// Opens the LevelDB directory of a state store, and verifies everything in it before a word of it is believed.
import { setTimeout as delay } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { assert, InvariantError } from '../lib/assert.ts';
import { logIndex, revision } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { StateImage } from '../node/ports.ts';
import type { ImageHasher, RegistryLoader, RegistryMeta, StoredRecord } from '../registry/index.ts';
import { isOutOfSpace } from './errors.ts';
import { decodeMeta, metaKey, registryKey, type StateMeta } from './keys.ts';
import type { StateFiles } from './state-files.ts';

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
  /** Builds the content while it is read: it is in memory once, and read and hashed once. Default: the image has the records. */
  readonly createLoader?: (() => RegistryLoader) | undefined;
  readonly files: StateFiles;
  /** What happens to a process that reads the directory, before this one does. */
  readonly crashOf: (directory: string) => Promise<string | undefined>;
}

/** The directory exists. @throws UnknownFormatError */
export async function openVerified(directory: string, options: VerifyOptions): Promise<Attempt> {
  const isNew = (await options.files.list(directory)).length === 0;
  const crash = isNew ? undefined : await options.crashOf(directory);
  if (crash !== undefined) return { kind: 'unusable', reason: crash };
  const database = databaseAt(directory);
  try {
    await openUnlocked(database);
    const found = await scan(database, contentBuilder(options));
    const outcome = found.kind === 'strange' ? found.reason : imageOrProblem(found, options);
    if (typeof outcome === 'object') return { kind: 'verified', database, image: outcome };
    await database.close();
    return { kind: 'unusable', reason: outcome };
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    await database.close().catch(() => undefined);
    if (error instanceof UnknownFormatError) throw error.in(`the state store in ${directory}`);
    // Opening takes some room. That there is none says nothing about what is there.
    if (isOutOfSpace(error)) throw error;
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

/** What takes the records in, and says at the end whether they are those that the metadata describes. */
interface ContentBuilder {
  add(records: StoredRecord[]): void;
  finish(meta: RegistryMeta): Pick<StateImage, 'records' | 'loaded'> | string;
}

function contentBuilder({ createLoader, imageHasher }: VerifyOptions): ContentBuilder {
  return createLoader === undefined ? keepingRecords(imageHasher()) : loading(createLoader());
}

function keepingRecords(hasher: ImageHasher): ContentBuilder {
  const kept: StoredRecord[] = [];
  return {
    add(records) {
      for (const record of records) {
        hasher.add(record);
        kept.push(record);
      }
    },
    finish({ revision: at, registryTimeMs, hash: expected }) {
      const hash = hasher.hash(at, registryTimeMs);
      if (hash === expected) return { records: handOver(kept) };
      return `its ${kept.length} records have the hash ${hash} instead of ${expected}`;
    },
  };
}

/** The bytes are not verified yet when the loader sees them, so nothing that it throws is a defect of this program. */
function loading(loader: RegistryLoader): ContentBuilder {
  let count = 0;
  let problem: string | undefined;
  const guarded = <T>(run: () => T): T | undefined => {
    try {
      return problem === undefined ? run() : undefined;
    } catch (error) {
      problem = `one of its records cannot be read: ${reasonOf(error)}`;
      return undefined;
    }
  };
  return {
    add(records) {
      count += records.length;
      guarded(() => loader.add(records));
    },
    finish(meta) {
      const loaded = guarded(() => loader.finish(meta));
      if (loaded !== undefined) return { records: [], loaded };
      return problem ?? `its ${count} records do not have the hash ${meta.hash}`;
    },
  };
}

type Found =
  | { readonly kind: 'strange'; readonly reason: string }
  | {
      readonly kind: 'records';
      /** undefined where there are none either. */
      readonly state: StateMeta | undefined;
      readonly content: ContentBuilder;
    };

async function scan(database: Database, content: ContentBuilder): Promise<Found> {
  let state: StateMeta | 'damaged' | undefined;
  let strangeKey = false;
  let count = 0;
  const iterator = database.iterator({ highWaterMarkBytes: scanBlockBytes });
  try {
    let rows = await iterator.nextv(scanRows);
    while (rows.length > 0) {
      // LevelDB reads on in a thread of its own while these are taken in.
      const following = iterator.nextv(scanRows);
      // Where these are of a later version nobody waits for it.
      following.catch(() => undefined);
      const records: StoredRecord[] = [];
      for (const [key, value] of rows) {
        const own = registryKey(key);
        if (key === metaKey) state = decodeMeta(value) ?? 'damaged';
        else if (own === undefined) strangeKey = true;
        else records.push({ key: own, value });
      }
      content.add(records);
      count += records.length;
      rows = await following;
    }
  } finally {
    await iterator.close();
  }
  if (strangeKey) return strange('it holds a key that no version of this program writes');
  if (state === 'damaged') return strange('its metadata does not match its checksum');
  if (state === undefined && count > 0) return strange('it holds records without metadata');
  return { kind: 'records', state, content };
}

function strange(reason: string): Found {
  return { kind: 'strange', reason };
}

// An older state that is whole verifies too: LevelDB drops the end of its log, or a whole log file, when that is damaged or
// gone, and each batch carries the metadata of exactly its records. That is sound: appliedIndex is then older as well, and
// the log, which keeps every entry that no settled batch covers, replays the rest. A lost batch in the middle is not: the
// metadata of a later batch then meets records without the lost ones, and the hashes differ.
function imageOrProblem(
  { state, content }: Extract<Found, { kind: 'records' }>,
  { owner, imageHasher }: VerifyOptions,
): StateImage | string {
  if (state === undefined) {
    const hash = imageHasher().hash(revision(0), 0);
    const meta = { revision: revision(0), registryTimeMs: 0, hash };
    const nothing = { appliedIndex: logIndex(0), appliedTerm: 0, configuration: undefined };
    return { ...nothing, meta, records: [] };
  }
  if (state.owner !== owner) return 'it was written by another node';
  const { appliedIndex, appliedTerm, configuration, meta } = state;
  const verified = content.finish(meta);
  if (typeof verified === 'string') return verified;
  return { appliedIndex, appliedTerm, configuration, meta, ...verified };
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
