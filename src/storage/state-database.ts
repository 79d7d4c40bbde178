// Opens the LevelDB directory of a state store, and verifies everything in it before a word of it is believed.
import { setTimeout as delay } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { assert, InvariantError } from '../lib/assert.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { StateImage } from '../node/ports.ts';
import type { StoredRecord } from '../registry/index.ts';
import { isOutOfSpace } from './errors.ts';
import { decodeMeta, metaKey, registryKey, type StateMeta } from './keys.ts';
import type { StateFiles } from './state-files.ts';
import {
  type ContentBuilder,
  contentBuilder,
  type ContentOptions,
  type FoundState,
  judgeState,
  reasonOf,
} from './state-verdict.ts';

export type Database = ClassicLevel<string, Uint8Array>;

// LevelDB hands rows over in blocks of this size; its default of 16 KiB makes a scan several times slower.
const scanBlockBytes = 1024 * 1024;
const scanRows = 4096;
/** There once LevelDB has begun to take records, and not before its first CURRENT is. */
const recordsFile = /^\d+\.(ldb|sst|log)$/;
const lockedForMs = 2_000;
const lockedPollMs = 50;

export type Attempt =
  | { readonly kind: 'verified'; readonly database: Database; readonly image: StateImage }
  | { readonly kind: 'unusable'; readonly reason: string };

export interface VerifyOptions extends ContentOptions {
  readonly owner: string;
  readonly files: StateFiles;
  /** What happens to a process that reads the directory, before this one does. */
  readonly crashOf: (directory: string) => Promise<string | undefined>;
}

/** The directory exists. @throws UnknownFormatError */
export async function openVerified(directory: string, options: VerifyOptions): Promise<Attempt> {
  const names = await options.files.list(directory);
  // LevelDB would take it for a new one, begin anew beside its tables, and delete them.
  if (!names.includes('CURRENT') && names.some((name) => recordsFile.test(name))) {
    return { kind: 'unusable', reason: 'its CURRENT is missing' };
  }
  const crash = names.length === 0 ? undefined : await options.crashOf(directory);
  if (crash !== undefined) return { kind: 'unusable', reason: crash };
  const database = databaseAt(directory);
  try {
    await openUnlocked(database);
    const found = await scan(database, contentBuilder(options));
    const outcome = found.kind === 'strange' ? found.reason : judgeState(found, options);
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

type Found =
  | { readonly kind: 'strange'; readonly reason: string }
  | (FoundState & { readonly kind: 'records' });

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
