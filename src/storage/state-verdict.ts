// What is believed of a state that was read back: that of this node, and exactly the records that its metadata describes. Apart from
// LevelDB, so that the simulator's store is judged by the same words.
import { assert } from '../lib/assert.ts';
import { logIndex, revision } from '../lib/ids.ts';
import { SnapshotMismatch } from '../lib/snapshot-mismatch.ts';
import type { StateImage } from '../node/ports.ts';
import type { ImageHasher, RegistryLoader, RegistryMeta, StoredRecord } from '../registry/index.ts';
import type { StateMeta } from './keys.ts';

export interface ContentOptions {
  readonly imageHasher: () => ImageHasher;
  /** Builds the content while it is read: it is in memory once, and read and hashed once. Default: the image has the records. */
  readonly createLoader?: (() => RegistryLoader) | undefined;
}

/** What takes the records in, and says at the end whether they are those that the metadata describes. */
export interface ContentBuilder {
  add(records: StoredRecord[]): void;
  finish(meta: RegistryMeta): Pick<StateImage, 'records' | 'loaded'> | string;
}

export function contentBuilder({ createLoader, imageHasher }: ContentOptions): ContentBuilder {
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

export interface FoundState {
  /** undefined where there are no records either. */
  readonly state: StateMeta | undefined;
  readonly content: ContentBuilder;
}

// An older state that is whole verifies too: LevelDB drops the end of its log, or a whole log file, when that is damaged or
// gone, and each batch carries the metadata of exactly its records. That is sound: appliedIndex is then older as well, and
// the log, which keeps every entry that no settled batch covers, replays the rest. A lost batch in the middle is not: the
// metadata of a later batch then meets records without the lost ones, and the hashes differ.
/** The image, or why it is not to be used. */
export function judgeState(
  { state, content }: FoundState,
  { owner, imageHasher }: Pick<ContentOptions, 'imageHasher'> & { readonly owner: string },
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

/** @throws SnapshotMismatch where the records of a snapshot are not those that it says it has. */
export function verifySnapshot(
  hasher: Pick<ImageHasher, 'hash'>,
  count: number,
  meta: RegistryMeta,
): void {
  const hash = hasher.hash(meta.revision, meta.registryTimeMs);
  if (hash === meta.hash) return;
  throw new SnapshotMismatch(
    `the ${count} records of a snapshot have the hash ${hash} instead of ${meta.hash}`,
  );
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

/** With its code and its causes. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? `${String(error.code)} ` : '';
  const cause = error.cause === undefined ? '' : ` (${reasonOf(error.cause)})`;
  return `${code}${error.message}${cause}`;
}
