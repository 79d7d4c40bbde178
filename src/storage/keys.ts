// The key space of the state store, and the one value that describes all others. Format 2; format 1 is still read.
import { crc32 } from 'node:zlib';
import { logIndex, revision, type LogIndex } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { Configuration } from '../raft/index.ts';
import type { RegistryMeta } from '../registry/index.ts';

/** Sorts before every record. */
export const metaKey = '!meta';
const recordPrefix = 'r/';
/** Sorts after every record. */
export const recordsEnd = 'r0';

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
  /** In effect at appliedIndex. undefined: format 1, whose log has it. */
  readonly configuration: Configuration | undefined;
  readonly meta: RegistryMeta;
}

function fieldsOf(state: StateMeta): readonly (string | number)[] {
  const { appliedIndex, appliedTerm, owner, configuration, meta } = state;
  const { revision: at, registryTimeMs, hash } = meta;
  const common = [appliedIndex, appliedTerm, owner, at, registryTimeMs, hash];
  if (configuration === undefined) return [1, ...common];
  const payload = Buffer.from(configuration.payload).toString('base64');
  return [2, ...common, configuration.index, payload];
}

/** The same in every format: so metadata of a later version is told from damaged one. */
function sealed(fields: readonly unknown[]): Uint8Array {
  const checksum = crc32(JSON.stringify(fields)).toString(16).padStart(8, '0');
  return Buffer.from(JSON.stringify([...fields, checksum]));
}

/** Text, so that a person can read it with any LevelDB tool. The checksum covers what the state hash does not: the index. */
export function encodeMeta(state: StateMeta): Uint8Array {
  return sealed(fieldsOf(state));
}

/** undefined when a bit of it is wrong. The format is also that of the keys and the records: who raises one of theirs raises this one.
 * @throws UnknownFormatError for a whole one of another format */
export function decodeMeta(value: Uint8Array): StateMeta | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields)) return undefined;
  if (Buffer.compare(sealed(fields.slice(0, -1)), value) !== 0) return undefined;
  const [format, appliedIndex, appliedTerm, owner, at, registryTimeMs, hash]: unknown[] = fields;
  if (format !== 1 && format !== 2) {
    throw new UnknownFormatError('the state store', `format ${String(format)}`, 'formats 1 and 2');
  }
  if (!isCounter(appliedIndex) || !isCounter(appliedTerm) || !isCounter(at)) return undefined;
  if (typeof registryTimeMs !== 'number') return undefined;
  if (typeof owner !== 'string' || typeof hash !== 'string') return undefined;
  const configuration = format === 1 ? undefined : configurationOf(fields);
  const state: StateMeta = {
    appliedIndex: logIndex(appliedIndex),
    appliedTerm,
    owner,
    configuration,
    meta: { revision: revision(at), registryTimeMs, hash },
  };
  // Written anew it must give the same bytes: there is nothing else in it.
  return Buffer.compare(encodeMeta(state), value) === 0 ? state : undefined;
}

function configurationOf(fields: readonly unknown[]): Configuration | undefined {
  const [index, payload] = fields.slice(7);
  if (!isCounter(index) || typeof payload !== 'string') return undefined;
  return { index: logIndex(index), payload: new Uint8Array(Buffer.from(payload, 'base64')) };
}

function isCounter(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
