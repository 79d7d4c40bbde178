// The small files of a data-dir, snapshots and backups: each made wrong, with checksums that show it and with right ones.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { InvariantError } from '../../src/lib/assert.ts';
import { UnknownFormatError } from '../../src/lib/unknown-format.ts';
import { decodeBackup } from '../../src/node/backup-stream.ts';
import { decodeChunk, encodeChunk, SnapshotFormatError } from '../../src/node/snapshot-stream.ts';
import {
  createRegistryLoader,
  MalformedArrayError,
  type StoredRecord,
} from '../../src/registry/index.ts';
import { DataDirError } from '../../src/storage/errors.ts';
import { readIdentity } from '../../src/storage/identity.ts';
import { decodeMeta } from '../../src/storage/keys.ts';
import { readMarker } from '../../src/storage/sealed-marker.ts';
import { statePaths } from '../../src/storage/state-files.ts';
import { samplesInHex } from '../golden/samples.ts';
import { backupParts, contentOf } from '../support/backups.ts';
import { mutated } from './mutation.ts';
import { type Target, target, unlessRefused } from './target.ts';

const scratch = mkdtempSync(join(tmpdir(), 'rollcall-fuzz-'));
/** To be called at the end; a test runner's workers do not end as a process does. */
export const removeScratch = (): void => rmSync(scratch, { recursive: true, force: true });
process.once('exit', removeScratch);

const content = contentOf(12, 5);
const written = await samplesInHex();
const sampled = (name: string): Buffer => Buffer.from(written[name] ?? '', 'hex');
const checksumOf = (fields: unknown): string =>
  crc32(JSON.stringify(fields)).toString(16).padStart(8, '0');

const identity = {
  formatVersion: 1,
  nodeId: 'n1',
  clusterId: 'c',
  incarnation: 'ab'.repeat(16),
  clusterUuid: '',
};
const identityText = `${JSON.stringify({ ...identity, checksum: checksumOf(identity) }, undefined, 2)}\n`;
const marker = [1, 40, 2, '00c1d2e3f4a5b6c7', 'ab'.repeat(16)];
const smallFiles = [
  Buffer.from(identityText),
  sampled('identity 2'),
  Buffer.from(JSON.stringify([...marker, checksumOf(marker)])),
  sampled('state metadata 1'),
  sampled('state metadata 2'),
];

/** Any JSON, sealed as identities are and as rows are. */
const sealedJson = fc.oneof(
  fc
    .record({ formatVersion: fc.jsonValue(), nodeId: fc.jsonValue(), clusterUuid: fc.jsonValue() })
    .map((fields) =>
      Buffer.from(`${JSON.stringify({ ...fields, checksum: checksumOf(fields) }, undefined, 2)}\n`),
    ),
  fc
    .tuple(fc.constantFrom(1, 2, 3), fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 9 }))
    .map(([format, row]) =>
      Buffer.from(JSON.stringify([format, ...row, checksumOf([format, ...row])])),
    ),
);

async function readSmallFile(bytes: Buffer): Promise<void> {
  const paths = statePaths(join(scratch, 'state'));
  writeFileSync(join(scratch, 'identity.json'), bytes);
  writeFileSync(paths.marker, bytes);
  await unlessRefused(() => readIdentity(scratch), DataDirError, UnknownFormatError);
  await unlessRefused(() => readMarker(paths), UnknownFormatError);
  await unlessRefused(() => decodeMeta(bytes), UnknownFormatError);
}

const chunks = [
  sampled('snapshot of one chunk'),
  Buffer.from(encodeChunk({ header: undefined, records: content.records, total: undefined })),
  Buffer.from(encodeChunk({ header: undefined, records: content.records.slice(0, 3), total: 15 })),
];

/** As a store and a puller take them in. */
async function load(records: readonly StoredRecord[]): Promise<void> {
  await unlessRefused(
    () => {
      const loader = createRegistryLoader();
      loader.add(records);
      loader.finish(content.meta);
    },
    InvariantError,
    MalformedArrayError,
  );
}

async function readChunk(bytes: Buffer): Promise<void> {
  for (const first of [true, false]) {
    for (const last of [true, false]) {
      const read = (): ReturnType<typeof decodeChunk> => decodeChunk(bytes, { first, last });
      const chunk = await unlessRefused(read, SnapshotFormatError, UnknownFormatError);
      if (chunk !== undefined) await load(chunk.records);
    }
  }
}

const blocks: Uint8Array[] = [];
for await (const part of backupParts(content)) blocks.push(part);
const backup = Buffer.concat(blocks);

/** Blocks with the checksums that they should have, as far as lengths can be followed. */
function resealedBackup(bytes: Buffer): Buffer {
  let previous = 0;
  for (let at = 16; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    previous = crc32(bytes.subarray(at + 8, end), crc32(bytes.subarray(at, at + 4), previous));
    bytes.writeUInt32BE(previous, at + 4);
    at = end;
  }
  return bytes;
}

async function readBackup(bytes: Buffer): Promise<void> {
  let at = 0;
  const read = (count: number): Promise<Buffer> => {
    if (count > 16 << 20) throw new Error(`${count} bytes were asked for`);
    const piece = Buffer.from(bytes.subarray(at, at + count));
    at += count;
    return Promise.resolve(piece);
  };
  await unlessRefused(
    async () => {
      for await (const part of decodeBackup(read)) {
        if (part.kind === 'records') await load(part.records);
      }
    },
    SnapshotFormatError,
    UnknownFormatError,
  );
}

/** A record's bytes where a record's should be, whatever its key says. */
const anyRecords = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constantFrom(...content.records.map(({ key }) => key)),
        fc.string({ unit: 'binary', maxLength: 12 }),
        fc.constantFrom('i/default/a', 's/default/a', 'd/register/a', 'd//', 'i/'),
      ),
      mutated(content.records.map(({ value }) => Buffer.from(value ?? []))),
    ),
    { maxLength: 4 },
  )
  .map((rows) => rows.map(([key, value]): StoredRecord => ({ key, value: new Uint8Array(value) })));

export const fileTargets: readonly Target[] = [
  target({
    name: 'small-files',
    what: 'identity, metadata of the state store and marker of a snapshot',
    cases: fc.oneof(mutated(smallFiles), sealedJson),
    run: readSmallFile,
  }),
  target({
    name: 'snapshot',
    what: 'chunks of a snapshot',
    cases: mutated(chunks),
    run: readChunk,
  }),
  target({
    name: 'backup',
    what: 'backups, with wrong and with right checksums',
    cases: fc.oneof(mutated([backup]), mutated([backup]).map(resealedBackup)),
    run: readBackup,
  }),
  target({ name: 'records', what: 'records of the state', cases: anyRecords, run: load }),
];
