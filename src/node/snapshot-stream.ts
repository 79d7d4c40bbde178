// A snapshot as bytes (docs/protocol.md, "Snapshots"): a header, then records in the order of their keys, then their number.
// A record never spans two chunks, so each chunk is checked, decoded and thrown away by itself.
import { crc32 } from 'node:zlib';
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, revision, term } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { StoredRecord } from '../registry/index.ts';
import type { SnapshotHeader } from './ports.ts';

/** Raised with every change that an older node could not read. */
const SNAPSHOT_FORMAT = 1;

/** What chunk 0 says first: which state of which cluster follows. */
export interface StreamHeader extends SnapshotHeader {
  readonly clusterId: string;
  readonly clusterUuid: string;
}

/** The bytes are not a snapshot that this version reads: the message says what was expected where. */
export class SnapshotFormatError extends Error {
  override readonly name = 'SnapshotFormatError';
}

export interface ChunkContent {
  /** Present iff the chunk is the first one. */
  readonly header: StreamHeader | undefined;
  /** The values are views on the chunk. */
  readonly records: readonly StoredRecord[];
  /** How many records the whole snapshot has; present iff the chunk is the last one. */
  readonly total: number | undefined;
}

const MAGIC = 'rollcall snapshot';
const PREFIX_BYTES = MAGIC.length + 8;
const RECORD = 1;
const END = 0;
const RECORD_HEAD_BYTES = 9;
const END_BYTES = 9;
const WORD = 2 ** 32;

export const checksumOf = (data: Uint8Array): number => crc32(data);

/** One chunk. `header` for the first, `total` for the last one; both for a snapshot of a single chunk. */
export function encodeChunk(content: ChunkContent): Uint8Array {
  const { header, records, total } = content;
  const head = header === undefined ? undefined : Buffer.from(headerText(header));
  const keys = records.map(({ key }) => Buffer.byteLength(key));
  let size = head === undefined ? 0 : PREFIX_BYTES + head.length;
  for (const [at, { value }] of records.entries()) {
    size += RECORD_HEAD_BYTES + (keys[at] ?? 0) + (value?.length ?? 0);
  }
  const bytes = Buffer.allocUnsafe(size + (total === undefined ? 0 : END_BYTES));
  let offset = 0;
  if (head !== undefined) {
    bytes.write(MAGIC, 'latin1');
    bytes.writeUInt32BE(SNAPSHOT_FORMAT, MAGIC.length);
    bytes.writeUInt32BE(head.length, MAGIC.length + 4);
    head.copy(bytes, PREFIX_BYTES);
    offset = PREFIX_BYTES + head.length;
  }
  for (const [at, { key, value }] of records.entries()) {
    assert(value !== undefined, 'a snapshot holds no deletions');
    const keyBytes = keys[at] ?? 0;
    bytes[offset] = RECORD;
    bytes.writeUInt32BE(keyBytes, offset + 1);
    bytes.writeUInt32BE(value.length, offset + 5);
    bytes.write(key, offset + RECORD_HEAD_BYTES);
    bytes.set(value, offset + RECORD_HEAD_BYTES + keyBytes);
    offset += RECORD_HEAD_BYTES + keyBytes + value.length;
  }
  if (total !== undefined) {
    bytes[offset] = END;
    bytes.writeUInt32BE(Math.floor(total / WORD), offset + 1);
    bytes.writeUInt32BE(total % WORD, offset + 5);
  }
  return bytes;
}

/** Throws SnapshotFormatError for what `encodeChunk` did not make, or made in another place, and UnknownFormatError for the snapshot of
 * a later version. */
export function decodeChunk(
  data: Uint8Array,
  place: { readonly first: boolean; readonly last: boolean },
): ChunkContent {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  const first = place.first ? headerAt(bytes) : undefined;
  const records: StoredRecord[] = [];
  let offset = first?.end ?? 0;
  while (offset < bytes.length && bytes[offset] === RECORD) {
    const keyEnd = offset + RECORD_HEAD_BYTES + wordAt(bytes, offset + 1);
    const end = keyEnd + wordAt(bytes, offset + 5);
    if (end > bytes.length) throw new SnapshotFormatError('a record is cut off');
    const key = bytes.toString('utf8', offset + RECORD_HEAD_BYTES, keyEnd);
    // No Buffer, whose slice() is no copy: what is kept of a value must not keep the chunk.
    const value = new Uint8Array(data.buffer, data.byteOffset + keyEnd, end - keyEnd);
    records.push({ key, value });
    offset = end;
  }
  const total = place.last ? endAt(bytes, offset) : undefined;
  if (offset + (place.last ? END_BYTES : 0) !== bytes.length) {
    throw new SnapshotFormatError('a chunk has bytes that are no record');
  }
  return { header: first?.header, records, total };
}

function endAt(bytes: Buffer, offset: number): number {
  if (bytes[offset] !== END) throw new SnapshotFormatError('the last chunk does not end');
  return wordAt(bytes, offset + 1) * WORD + wordAt(bytes, offset + 5);
}

function wordAt(bytes: Buffer, offset: number): number {
  if (offset + 4 > bytes.length) throw new SnapshotFormatError('a chunk is cut off');
  return bytes.readUInt32BE(offset);
}

function headerText({ configuration, meta, ...rest }: StreamHeader): string {
  const { clusterId, clusterUuid, index, term: at } = rest;
  return JSON.stringify({
    clusterId,
    clusterUuid,
    index,
    term: at,
    configurationIndex: configuration.index,
    configuration: Buffer.from(configuration.payload).toString('base64'),
    revision: meta.revision,
    registryTimeMs: meta.registryTimeMs,
    hash: meta.hash,
  });
}

function headerAt(bytes: Buffer): { readonly header: StreamHeader; readonly end: number } {
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new SnapshotFormatError('the first chunk does not begin as a snapshot does');
  }
  const format = wordAt(bytes, MAGIC.length);
  if (format !== SNAPSHOT_FORMAT) {
    throw new UnknownFormatError('the snapshot', `format ${format}`, `format ${SNAPSHOT_FORMAT}`);
  }
  const end = PREFIX_BYTES + wordAt(bytes, MAGIC.length + 4);
  if (end > bytes.length) throw new SnapshotFormatError('the header is cut off');
  return { header: headerFrom(bytes.toString('utf8', PREFIX_BYTES, end)), end };
}

function headerFrom(text: string): StreamHeader {
  const fields = objectFrom(text);
  const textOf = (name: string): string => {
    const value = fields[name];
    if (typeof value !== 'string') throw new SnapshotFormatError(`header.${name} is no text`);
    return value;
  };
  const countOf = (name: string): number => {
    const value = fields[name];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw new SnapshotFormatError(`header.${name} is no safe non-negative integer`);
  };
  const timeOf = (name: string): number => {
    const value = fields[name];
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    throw new SnapshotFormatError(`header.${name} is no time`);
  };
  const index: LogIndex = logIndex(countOf('index'));
  const configurationIndex = logIndex(countOf('configurationIndex'));
  if (index === 0 || configurationIndex === 0 || configurationIndex > index) {
    throw new SnapshotFormatError(
      'header: a configuration is in effect at the index of a snapshot',
    );
  }
  const payload = new Uint8Array(Buffer.from(textOf('configuration'), 'base64'));
  return {
    clusterId: textOf('clusterId'),
    clusterUuid: textOf('clusterUuid'),
    index,
    term: term(countOf('term')),
    configuration: { index: configurationIndex, payload },
    meta: {
      revision: revision(countOf('revision')),
      registryTimeMs: timeOf('registryTimeMs'),
      hash: textOf('hash'),
    },
  };
}

/** What a header or a preface says. Throws SnapshotFormatError. */
export function objectFrom(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SnapshotFormatError('the header is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null) {
    throw new SnapshotFormatError('the header is no object');
  }
  return value as Readonly<Record<string, unknown>>;
}
