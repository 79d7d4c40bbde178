// The key space of the state store, and the one value that describes all others. Format 1.
import { crc32 } from 'node:zlib';
import { z } from 'zod';
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

const counter = z.int().nonnegative();
const shape = z.tuple([
  z.literal(1),
  counter,
  counter,
  z.string(),
  counter,
  z.number(),
  z.string(),
  z.string(),
]);

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
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return undefined;
  }
  const fields = shape.safeParse(parsed);
  if (!fields.success) return undefined;
  const [, appliedIndex, appliedTerm, owner, revisionNumber, registryTimeMs, hash] = fields.data;
  const state: StateMeta = {
    appliedIndex: logIndex(appliedIndex),
    appliedTerm,
    owner,
    meta: { revision: revision(revisionNumber), registryTimeMs, hash },
  };
  return Buffer.compare(encodeMeta(state), value) === 0 ? state : undefined;
}
