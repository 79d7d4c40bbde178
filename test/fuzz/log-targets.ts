// The log on disk: its segments made wrong, with checksums that show it and with checksums that were made right again, so that what
// stands behind them is reached as well.
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { logIndex, nodeId } from '../../src/lib/ids.ts';
import { UnknownFormatError } from '../../src/lib/unknown-format.ts';
import { DamagedLogError } from '../../src/storage/errors.ts';
import { sectorBytes, sectorsOf } from '../../src/storage/wal/frame.ts';
import { inspectLog } from '../../src/storage/wal/inspect.ts';
import { type BatchPlan, LogModel, payload } from '../support/log-batches.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { logWith, openOn, segmentFile } from '../support/wal-fixtures.ts';
import { mutated } from './mutation.ts';
import { type Target, target, unlessRefused } from './target.ts';

const owner = '0123456789abcdef0123456789abcdef';
const options = { segmentBytes: 8192, owner };

const histories: readonly (readonly BatchPlan[])[] = [
  [
    { rise: 1, votedFor: nodeId('n1'), payloads: [payload(0), payload(40)] },
    { payloads: [payload(700, 2)], commit: 1 },
  ],
  [
    { rise: 1, membership: true, payloads: [payload(90), payload(1500, 2)], commit: 2 },
    { rise: 2 ** 33, votedFor: nodeId('n3'), compact: 2, payloads: [payload(30, 5)], commit: 1 },
    { rise: 1, cut: 1, payloads: [new Uint8Array(600)], commit: 1 },
  ],
  [
    { rise: 1, payloads: [payload(10), payload(20)], commit: 2 },
    { install: { beyond: 2 ** 34, kept: false }, payloads: [payload(20, 6), payload(900, 7)] },
    { membership: true, payloads: [payload(60, 8)], commit: 2 },
  ],
];

const segments: readonly Buffer[] = await Promise.all(
  histories.map(async (history) => {
    const disk = await logWith(new LogModel(), history, options);
    return Buffer.from(disk.bytesOf(segmentFile(1)));
  }),
);

/** Where frames begin, among others. */
const sectors = [0, 512, 1024, 1536, 2048, 2560];

/** Opened as a start does, and looked at as check-data does: both refuse it or neither, and what is open can be read and goes on. */
async function openAndRead(bytes: Buffer): Promise<void> {
  const disk = new MemoryDisk();
  disk.replace(segmentFile(1), bytes);
  const looked = await unlessRefused(
    () => inspectLog('/wal', owner, disk),
    DamagedLogError,
    UnknownFormatError,
  );
  const wal = await unlessRefused(() => openOn(disk, options), DamagedLogError, UnknownFormatError);
  if ((looked === undefined) !== (wal === undefined))
    throw new Error('check-data judges otherwise');
  if (wal === undefined) return;
  const { floor, lastIndex, hardState } = wal.image;
  if (floor.index < lastIndex) await wal.read(logIndex(floor.index + 1), lastIndex, 1 << 30);
  const { term } = hardState;
  await wal.append({
    sequence: 0,
    term,
    hardState,
    truncateAfter: undefined,
    floor: undefined,
    entries: [],
  });
  await wal.close();
}

/** Every checksum, mark and place in the chain made right, frame after frame, as far as lengths can be followed. */
function resealed(bytes: Buffer): Buffer {
  if (bytes.length < sectorBytes) return bytes;
  let chain = crc32(bytes.subarray(16, sectorBytes), crc32(bytes.subarray(0, 12)));
  bytes.writeUInt32LE(chain, 12);
  let sequence = 1;
  for (let at = sectorBytes; at + sectorBytes <= bytes.length; sequence++) {
    const end = at + sectorsOf(bytes.readUInt32LE(at + 16)) * sectorBytes;
    const frame = bytes.subarray(at, end);
    if (end > bytes.length || frame.every((byte) => byte === 0)) break;
    for (let mark = 0; mark < frame.length; mark += sectorBytes) {
      frame.writeUInt16BE(0xd65b, mark);
      frame.writeUInt16LE(sequence % 0x10000, mark + 2);
    }
    frame.writeUInt32LE(chain, 12);
    frame.writeUInt32LE(sequence, 20);
    frame.writeUInt32LE(0, 24);
    frame.writeUInt32LE(1, 28);
    frame.writeUInt32LE(crc32(frame.subarray(40), chain), 8);
    chain = crc32(frame.subarray(8, 40), crc32(frame.subarray(0, 4), chain));
    frame.writeUInt32LE(chain, 4);
    at = end;
  }
  return bytes;
}

/** Of the length that the header states, and with a header that is as it was. */
function framesOnly(bytes: Buffer): Buffer {
  const [first = Buffer.alloc(0)] = segments;
  const whole = Buffer.alloc(first.length);
  bytes.copy(whole, 0, 0, whole.length);
  first.copy(whole, 0, 0, sectorBytes);
  return whole;
}

export const logTargets: readonly Target[] = [
  target({
    name: 'log',
    what: 'segments of the log, their bytes changed',
    cases: fc.oneof(
      mutated(segments, sectors),
      fc.uint8Array({ maxLength: 4096 }).map((raw) => Buffer.from(raw)),
    ),
    run: openAndRead,
  }),
  target({
    name: 'log-frames',
    what: 'frames of the log with any content and right checksums',
    cases: mutated(segments, sectors).map((bytes) => resealed(framesOnly(bytes))),
    run: openAndRead,
  }),
];
