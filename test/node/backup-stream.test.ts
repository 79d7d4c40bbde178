// The bytes of a backup: equal after a round trip, and refused wherever a byte or a block is not what was written (G13).
import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { logIndex, revision, term } from '../../src/lib/ids.ts';
import { BackupEncoder, decodeBackup } from '../../src/node/backup-stream.ts';
import {
  encodeChunk,
  SnapshotFormatError,
  type StreamHeader,
} from '../../src/node/snapshot-stream.ts';

const preface = { savedAtMs: 1_800_000_000_000, nodeId: 'n2', softwareVersion: '1.2.3' };
const header: StreamHeader = {
  clusterId: 'test',
  clusterUuid: '0123456789abcdef0123456789abcdef',
  index: logIndex(4711),
  term: term(3),
  configuration: { index: logIndex(12), payload: new Uint8Array([1, 2, 255]) },
  meta: { revision: revision(900), registryTimeMs: 12_345, hash: '00ff00ff00ff00ff' },
};
const record = (at: number) => ({ key: `i/default/${at}`, value: new Uint8Array([at, 7]) });

/** One backup of three chunks, block by block. */
function blocksOf(encoder = new BackupEncoder()): readonly Uint8Array[] {
  return [
    encoder.preface(preface),
    encoder.chunk(encodeChunk({ header, records: [record(1)], total: undefined }), false),
    encoder.chunk(
      encodeChunk({ header: undefined, records: [record(2), record(3)], total: undefined }),
      false,
    ),
    encoder.chunk(encodeChunk({ header: undefined, records: [record(4)], total: 4 }), true),
  ];
}

function readerOf(bytes: Buffer): (count: number) => Promise<Buffer> {
  let at = 0;
  return (count) => {
    const part = bytes.subarray(at, at + count);
    at += part.length;
    return Promise.resolve(part);
  };
}

async function partsOf(bytes: Buffer) {
  const parts = [];
  for await (const part of decodeBackup(readerOf(bytes))) parts.push(part);
  return parts;
}

const whole = Buffer.concat(blocksOf());

/** With a right checksum, whatever it says. */
function firstBlock(said: string): Buffer {
  const text = Buffer.from(said);
  const block = Buffer.alloc(9 + text.length);
  block.writeUInt32BE(text.length, 0);
  text.copy(block, 9);
  block.writeUInt32BE(crc32(block.subarray(8), crc32(block.subarray(0, 4))), 4);
  return block;
}

describe('a backup', () => {
  test('gives back what went in', async () => {
    const parts = await partsOf(whole);
    expect(parts[0]).toEqual({ kind: 'preface', preface });
    expect(parts[1]).toEqual({ kind: 'header', header });
    const keys = parts.flatMap((part) =>
      part.kind === 'records' ? part.records.map(({ key }) => key) : [],
    );
    expect(keys).toEqual([1, 2, 3, 4].map((at) => record(at).key));
    expect(parts.at(-1)).toEqual({ kind: 'end', total: 4 });
  });

  test('is pinned: a file of this version opens for ever', () => {
    expect(crc32(whole).toString(16)).toBe('4b1d4cf3');
    expect(whole.toString('latin1', 0, 16)).toBe('rollcall backup\n');
  });

  test('with any bit flipped is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        await expect(partsOf(bytes)).rejects.toBeInstanceOf(SnapshotFormatError);
      }),
      { numRuns: 500 },
    );
  });

  test('cut anywhere is refused, and so is one with bytes behind it', async () => {
    for (let length = 0; length < whole.length; length++) {
      await expect(partsOf(whole.subarray(0, length))).rejects.toBeInstanceOf(SnapshotFormatError);
    }
    const longer = Buffer.concat([whole, Buffer.of(0)]);
    await expect(partsOf(longer)).rejects.toThrow('bytes follow its last block');
  });

  test('with a block left out, repeated, exchanged or taken from another backup is refused', async () => {
    const [first, second, third, last] = blocksOf().map((block) => Buffer.from(block));
    const other = new BackupEncoder();
    const [, , foreign] = [
      other.preface({ ...preface, savedAtMs: 5 }),
      other.chunk(encodeChunk({ header, records: [record(1)], total: undefined }), false),
      other.chunk(
        encodeChunk({ header: undefined, records: [record(2), record(3)], total: undefined }),
        false,
      ),
    ];
    const wrong = [
      [first, third, last],
      [first, second, last],
      [first, second, second, third, last],
      [first, third, second, last],
      [first, second, foreign, last],
      [second, third, last],
    ];
    for (const blocks of wrong) {
      const bytes = Buffer.concat(blocks.map((block) => block ?? Buffer.alloc(0)));
      await expect(partsOf(bytes)).rejects.toBeInstanceOf(SnapshotFormatError);
    }
  });

  test.for(['not JSON', 'null', '{"format": "one"}', '[1]'])(
    'whose first block says %s with a right checksum is refused by type',
    async (said) => {
      const bytes = Buffer.concat([whole.subarray(0, 16), firstBlock(said)]);
      await expect(partsOf(bytes)).rejects.toBeInstanceOf(SnapshotFormatError);
    },
  );

  test('of an unknown format is refused by name', async () => {
    const block = firstBlock(JSON.stringify({ ...preface, format: 2 }));
    const bytes = Buffer.concat([whole.subarray(0, 16), block]);
    await expect(partsOf(bytes)).rejects.toThrow(
      'the backup has format 2, this version reads format 1',
    );
  });

  test('with a block longer than any that is written is refused before it is read (G17)', async () => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt32BE(0x7fffffff, 16);
    await expect(partsOf(bytes)).rejects.toThrow('a block of 2147483647 bytes, limit 8388608');
  });
});
