// The key space of the state store, and the one value that describes all others. Format 1.
import { crc32 } from 'node:zlib';
import { logIndex, revision, type LogIndex } from '../lib/ids.ts';
import type { RegistryMeta } from '../registry/index.ts';

/** Sorts before every record. */
export const metaKey = '!meta';
const recordPrefix = 'r/';

export const recordKey = (key: string): string => recordPrefix + key;

/** The registry's own key, or undefined for a key that is not a record's. */
export const registryKey = (key: string): string | undefined =>
  key.startsWith(recordPrefix) ? key.slice(recordPrefix.length) : undefined;

/** What the records are the state of. Written in the same batch as they are. */
export interface StateMeta {
  readonly appliedIndex: LogIndex;
  readonly appliedTerm: number;
  /** Incarnation of the node that wrote it, or ''. */
  readonly owner: string;
  readonly meta: RegistryMeta;
}

function fieldsOf(state: StateMeta): readonly (string | number)[] {
  const { appliedIndex, appliedTerm, owner, meta } = state;
  return [1, appliedIndex, appliedTerm, owner, meta.revision, meta.registryTimeMs, meta.hash];
}

function checksumOf(fields: readonly (string | number)[]): string {
  return crc32(JSON.stringify(fields)).toString(16).padStart(8, '0');
}

/** Text, so that a person can read it with any LevelDB tool. The checksum covers what the state hash does not: the index. */
export function encodeMeta(state: StateMeta): Uint8Array {
  const fields = fieldsOf(state);
  return Buffer.from(JSON.stringify([...fields, checksumOf(fields)]));
}

/** undefined when a bit of it is wrong, or its format is not this one. */
export function decodeMeta(value: Uint8Array): StateMeta | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields)) return undefined;
  const [, appliedIndex, appliedTerm, owner, revisionNumber, registryTimeMs, hash]: unknown[] =
    fields;
  if (!isCounter(appliedIndex) || !isCounter(appliedTerm) || !isCounter(revisionNumber)) {
    return undefined;
  }
  if (typeof registryTimeMs !== 'number') return undefined;
  if (typeof owner !== 'string' || typeof hash !== 'string') return undefined;
  const state: StateMeta = {
    appliedIndex: logIndex(appliedIndex),
    appliedTerm,
    owner,
    meta: { revision: revision(revisionNumber), registryTimeMs, hash },
  };
  // Written anew it must give the same bytes: that checks the checksum and the format.
  return Buffer.compare(encodeMeta(state), value) === 0 ? state : undefined;
}

function isCounter(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
