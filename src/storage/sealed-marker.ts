// The file that says that the snapshot beside the state store is whole and durable, and which snapshot it is. Without it, or with
// another index than the log begins at, what is staged is rubbish.
import { crc32 } from 'node:zlib';
import { logIndex, type LogIndex, term, type Term } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { StateImage } from '../node/ports.ts';
import { readWhole, type StateFiles, type StatePaths } from './state-files.ts';

export interface SealedMarker {
  readonly index: LogIndex;
  readonly term: Term;
  /** RegistryMeta.hash of the snapshot. */
  readonly hash: string;
  /** Incarnation of the node that received it. */
  readonly owner: string;
}

const FORMAT = 1;

/** The same in every version: so a marker of a later one is told from a damaged one. */
function seal(fields: readonly unknown[]): Uint8Array {
  const checksum = crc32(JSON.stringify(fields)).toString(16).padStart(8, '0');
  return Buffer.from(JSON.stringify([...fields, checksum]));
}

const encode = ({ index, term: at, hash, owner }: SealedMarker): Uint8Array =>
  seal([FORMAT, index, at, hash, owner]);

function decode(bytes: Uint8Array, path: string): SealedMarker | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || Buffer.compare(seal(fields.slice(0, -1)), bytes) !== 0) {
    return undefined;
  }
  const [format, index, atTerm, hash, owner]: unknown[] = fields;
  if (format !== FORMAT) {
    throw new UnknownFormatError(path, `format ${String(format)}`, `format ${FORMAT}`);
  }
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(atTerm)) return undefined;
  if (Number(index) < 0 || Number(atTerm) < 0) return undefined;
  if (typeof hash !== 'string' || typeof owner !== 'string') return undefined;
  const marker = { index: logIndex(Number(index)), term: term(Number(atTerm)), hash, owner };
  // Written anew it must give the same bytes: there is nothing else in it.
  return Buffer.compare(encode(marker), bytes) === 0 ? marker : undefined;
}

/** undefined when there is none, or a bit of it is wrong. @throws UnknownFormatError */
export async function readMarker(paths: StatePaths): Promise<SealedMarker | undefined> {
  const bytes = await readWhole(paths.marker);
  return bytes === undefined ? undefined : decode(bytes, paths.marker);
}

/** Whole, and of this node, content may still be another than the marker speaks of: an older copy that took its place. One sentence; undefined
 * where it is the one. */
export function otherThanSealed(
  { index, term: at, hash }: Omit<SealedMarker, 'owner'>,
  { appliedIndex, appliedTerm, meta }: Pick<StateImage, 'appliedIndex' | 'appliedTerm' | 'meta'>,
): string | undefined {
  if (appliedIndex === index && appliedTerm === at && meta.hash === hash) return undefined;
  const found = `the received snapshot is of entry ${appliedIndex}, term ${appliedTerm}, hash ${meta.hash}`;
  return `${found}, and the one that was sealed of entry ${index}, term ${at}, hash ${hash}`;
}

/** Durable when it resolves, and never there in part. */
export async function writeMarker(
  files: StateFiles,
  paths: StatePaths,
  marker: SealedMarker,
): Promise<void> {
  const temporary = `${paths.marker}.tmp`;
  await files.remove(temporary);
  await files.write(temporary, encode(marker));
  await files.rename(temporary, paths.marker);
  await files.syncDirectory(paths.parent);
}

/** The snapshot it speaks of may be changed or removed once this resolves. */
export async function removeMarker(files: StateFiles, paths: StatePaths): Promise<void> {
  await files.remove(paths.marker);
  await files.syncDirectory(paths.parent);
}
