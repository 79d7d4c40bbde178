// A backup as bytes (docs/protocol.md, "Backups"): a line that says what it is, then blocks. The first block says when and by whom it
// was made, the others are the chunks of a snapshot. Checksums are chained, so no block can be damaged, left out, repeated or
// taken from another backup.
import { crc32 } from 'node:zlib';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { StoredRecord } from '../registry/index.ts';
import {
  decodeChunk,
  objectFrom,
  SnapshotFormatError,
  type StreamHeader,
} from './snapshot-stream.ts';

/** Raised with every change that an older version could not read. */
const BACKUP_FORMAT = 1;
const MAGIC = Buffer.from('rollcall backup\n');
const HEAD_BYTES = 9;
/** No block is as long: a chunk is at most 1 MiB and one record, and a record has a limit of its own. */
const MAX_BLOCK_BYTES = 8 << 20;

type BlockKind = 'preface' | 'part' | 'last';
const KINDS: readonly BlockKind[] = ['preface', 'part', 'last'];

export interface BackupPreface {
  /** Unix milliseconds, by the clock of the node that made it. */
  readonly savedAtMs: number;
  readonly nodeId: string;
  readonly softwareVersion: string;
}

export type BackupPart =
  | { readonly kind: 'preface'; readonly preface: BackupPreface }
  | { readonly kind: 'header'; readonly header: StreamHeader }
  | { readonly kind: 'records'; readonly records: readonly StoredRecord[] }
  /** How many records there must have been. */
  | { readonly kind: 'end'; readonly total: number };

/** Makes the bytes of one backup, block by block. */
export class BackupEncoder {
  #crc = 0;

  preface({ savedAtMs, nodeId, softwareVersion }: BackupPreface): Uint8Array {
    const text = JSON.stringify({ format: BACKUP_FORMAT, savedAtMs, nodeId, softwareVersion });
    return Buffer.concat([MAGIC, this.#block('preface', Buffer.from(text))]);
  }

  /** `chunk` as `encodeChunk` makes it. */
  chunk(chunk: Uint8Array, last: boolean): Uint8Array {
    return this.#block(last ? 'last' : 'part', chunk);
  }

  #block(kind: BlockKind, payload: Uint8Array): Uint8Array {
    const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
    bytes.writeUInt32BE(payload.length, 0);
    bytes[8] = KINDS.indexOf(kind);
    bytes.set(payload, HEAD_BYTES);
    this.#crc = checksumOf(bytes, this.#crc);
    bytes.writeUInt32BE(this.#crc, 4);
    return bytes;
  }
}

/** Of everything in a block but the checksum itself. */
const checksumOf = (block: Buffer, previous: number): number =>
  crc32(block.subarray(8), crc32(block.subarray(0, 4), previous));

/** Reads a backup. `read` resolves with the next `count` bytes, with fewer only at the end. One block is in memory at a time, and the
 * records are views on it. Throws SnapshotFormatError for anything that `BackupEncoder` did not make, and UnknownFormatError for the
 * backup of a later version. */
export async function* decodeBackup(
  read: (count: number) => Promise<Buffer>,
): AsyncGenerator<BackupPart, void, undefined> {
  const magic = await read(MAGIC.length);
  if (!magic.equals(MAGIC)) throw new SnapshotFormatError('it does not begin as a backup does');
  let previous = 0;
  for (let at = 0; ; at++) {
    const { kind, payload, crc } = await readBlock(read, previous);
    previous = crc;
    if ((kind === 'preface') !== (at === 0)) {
      throw new SnapshotFormatError('its blocks are not in order');
    }
    if (kind === 'preface') {
      yield { kind, preface: prefaceFrom(payload) };
      continue;
    }
    const last = kind === 'last';
    const { header, records, total } = decodeChunk(payload, { first: at === 1, last });
    if (header !== undefined) yield { kind: 'header', header };
    yield { kind: 'records', records };
    if (total === undefined) continue;
    if ((await read(1)).length > 0) throw new SnapshotFormatError('bytes follow its last block');
    yield { kind: 'end', total };
    return;
  }
}

async function readBlock(
  read: (count: number) => Promise<Buffer>,
  previous: number,
): Promise<{ readonly kind: BlockKind; readonly payload: Buffer; readonly crc: number }> {
  const head = await read(HEAD_BYTES);
  if (head.length < HEAD_BYTES) throw new SnapshotFormatError('it is cut off');
  const length = head.readUInt32BE(0);
  const crc = head.readUInt32BE(4);
  const kind = KINDS[head[8] ?? KINDS.length];
  if (length > MAX_BLOCK_BYTES) {
    throw new SnapshotFormatError(`a block of ${length} bytes, limit ${MAX_BLOCK_BYTES}`);
  }
  const payload = await read(length);
  if (payload.length < length) throw new SnapshotFormatError('it is cut off');
  if (checksumOf(Buffer.concat([head, payload]), previous) !== crc) {
    throw new SnapshotFormatError('a block does not match its checksum');
  }
  if (kind === undefined) throw new SnapshotFormatError('a block is of no kind that is known');
  return { kind, payload, crc };
}

function prefaceFrom(payload: Buffer): BackupPreface {
  const { format, savedAtMs, nodeId, softwareVersion } = objectFrom(payload.toString('utf8'));
  if (typeof format !== 'number') {
    throw new SnapshotFormatError('its first block does not say in which format it is');
  }
  if (format !== BACKUP_FORMAT) {
    throw new UnknownFormatError(
      'the backup',
      `format ${String(format)}`,
      `format ${BACKUP_FORMAT}`,
    );
  }
  const wellFormed =
    typeof savedAtMs === 'number' &&
    Number.isFinite(savedAtMs) &&
    typeof nodeId === 'string' &&
    typeof softwareVersion === 'string';
  if (!wellFormed) throw new SnapshotFormatError('its first block does not say when it was made');
  return { savedAtMs, nodeId, softwareVersion };
}
