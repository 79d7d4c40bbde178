// The bytes of a snapshot: equal after a round trip, pinned where other versions read them, refused where they are wrong.
import { Buffer } from 'node:buffer';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { logIndex, revision, term } from '../../src/lib/ids.ts';
import { UnknownFormatError } from '../../src/lib/unknown-format.ts';
import {
  type ChunkContent,
  decodeChunk,
  encodeChunk,
  SnapshotFormatError,
  type StreamHeader,
} from '../../src/node/snapshot-stream.ts';

const header: StreamHeader = {
  clusterId: 'test',
  clusterUuid: '0123456789abcdef0123456789abcdef',
  index: logIndex(4711),
  term: term(3),
  configuration: { index: logIndex(12), payload: new Uint8Array([1, 2, 255]) },
  meta: { revision: revision(900), registryTimeMs: 12_345, hash: '00ff00ff00ff00ff' },
};
const record = (key: string, ...value: readonly number[]) => ({
  key,
  value: new Uint8Array(value),
});
const only = { first: true, last: true };

/** Values as plain arrays: a view and a copy of it are equal content. */
const plain = ({ header: head, records, total }: ChunkContent) => ({
  head,
  records: records.map(({ key, value }) => [key, [...(value ?? [])]]),
  total,
});

describe('a chunk', () => {
  test('gives back what went in', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 });
    const rows = fc.array(fc.tuple(text, fc.uint8Array({ maxLength: 200 })), { maxLength: 20 });
    fc.assert(
      fc.property(rows, fc.boolean(), fc.boolean(), fc.maxSafeNat(), (all, first, last, count) => {
        const content = {
          header: first ? header : undefined,
          records: all.map(([key, value]) => ({ key, value })),
          total: last ? count : undefined,
        };
        expect(plain(decodeChunk(encodeChunk(content), { first, last }))).toEqual(plain(content));
      }),
    );
  });

  test('has not changed: a snapshot of one record', () => {
    const bytes = encodeChunk({ header, records: [record('i a b', 7, 8)], total: 1 });
    expect(Buffer.from(bytes).toString('latin1')).toBe(
      'rollcall snapshot\0\0\0\x01\0\0\0\xca' +
        '{"clusterId":"test","clusterUuid":"0123456789abcdef0123456789abcdef","index":4711,"term":3,' +
        '"configurationIndex":12,"configuration":"AQL/","revision":900,"registryTimeMs":12345,' +
        '"hash":"00ff00ff00ff00ff"}' +
        '\x01\0\0\0\x05\0\0\0\x02i a b\x07\x08' +
        '\0\0\0\0\0\0\0\0\x01',
    );
  });

  const whole = Buffer.from(encodeChunk({ header, records: [record('k', 1)], total: 1 }));
  const changed = (text: string, to: string): Buffer =>
    Buffer.from(whole.toString('latin1').replace(text, to), 'latin1');

  test.for<[string, Buffer, { readonly first: boolean; readonly last: boolean }]>([
    ['that is something else', Buffer.from('level'), only],
    ['that is empty', Buffer.alloc(0), only],
    ['that is cut off', whole.subarray(0, -1), only],
    ['cut off in a record', whole.subarray(0, -10), { first: true, last: false }],
    ['with bytes behind its end', Buffer.concat([whole, Buffer.from([0])]), only],
    ['whose header is no JSON', changed('{"cl', '("cl'), only],
    ['whose index is a text', changed('"index":4711', '"index":"47"'), only],
    [
      'whose configuration lies ahead',
      changed('"configurationIndex":12', '"configurationIndex":9999'),
      only,
    ],
    [
      'without a configuration',
      changed('"configurationIndex":12', '"configurationIndex":0 '),
      only,
    ],
    ['that ends although more should follow', whole, { first: true, last: false }],
  ])('is refused: one %s', ([, bytes, place]) => {
    expect(() => decodeChunk(bytes, place)).toThrow(SnapshotFormatError);
  });

  test('of a later format names both', () => {
    const later = changed('\x01\0\0\0\xca', '\x02\0\0\0\xca');
    expect(() => decodeChunk(later, only)).toThrow(UnknownFormatError);
    expect(() => decodeChunk(later, only)).toThrow(
      'the snapshot has format 2, this version reads format 1',
    );
  });

  test('is content or a typed error after any mutation', () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.boolean(), (where, value, cut) => {
        const bytes = Buffer.from(cut ? whole.subarray(0, where) : whole);
        if (!cut) bytes[where] = value;
        try {
          decodeChunk(bytes, only);
        } catch (error) {
          if (!(error instanceof UnknownFormatError))
            expect(error).toBeInstanceOf(SnapshotFormatError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
