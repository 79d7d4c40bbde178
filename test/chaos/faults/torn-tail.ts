// A write to the log that a crash cut short: one frame more behind the last, with a sector of it still zero. It was never
// acknowledged; what was acknowledged is not touched.
import { open, type FileHandle, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../../../src/lib/random.ts';
import {
  bodyIsWhole,
  bodyRoom,
  decodeHeader,
  encodeFrame,
  isZeroSector,
  sectorBytes,
} from '../../../src/storage/wal/frame.ts';
import { decodeSegmentHeader, segmentIdOf } from '../../../src/storage/wal/segment.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { type Fault, NoEffect, ofOne } from './fault.ts';
import { expectEffect, logEnd, logSince, revive, takeFollower } from './node-state.ts';

interface LogEnd {
  readonly sector: number;
  /** The crash has left half a write there by itself. */
  readonly torn: boolean;
  readonly segmentId: number;
  readonly sequence: number;
  readonly previousCrc: number;
}

async function readSectors(file: FileHandle, sector: number, count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(count * sectorBytes);
  await file.read(bytes, 0, bytes.length, sector * sectorBytes);
  return bytes;
}

/** Walks the frames of a segment; undefined where nothing may follow in it. */
async function endOf(file: FileHandle): Promise<LogEnd | undefined> {
  const decoded = decodeSegmentHeader(await readSectors(file, 0, 1));
  if (typeof decoded === 'string') return undefined;
  const { segmentId, sequence: first } = decoded.header;
  const end = { sector: 1, segmentId, sequence: first, previousCrc: decoded.crc, torn: false };
  for (;;) {
    const header = decodeHeader(await readSectors(file, end.sector, 1));
    if (header === undefined) break;
    if (header.type === 'seal') return undefined;
    end.torn = !bodyIsWhole(await readSectors(file, end.sector, header.sectors), header);
    if (end.torn) return end;
    end.sector += header.sectors;
    end.sequence = header.sequence + 1;
    end.previousCrc = header.crc;
  }
  const { size } = await file.stat();
  return (end.sector + tornSectors) * sectorBytes <= size ? end : undefined;
}

const tornSectors = 4;

/** A frame of four sectors, one of them never written. */
function tornFrame(random: Random, { segmentId, sequence, previousCrc }: LogEnd): Buffer {
  const frame = Buffer.alloc(tornSectors * sectorBytes);
  const body = Buffer.alloc(bodyRoom(tornSectors), random.integer(1, 256));
  encodeFrame(frame, { type: 'batches', segmentId, sequence, previousCrc, batchCount: 1 }, body);
  const missing = random.integer(0, tornSectors);
  frame.fill(0, missing * sectorBytes, (missing + 1) * sectorBytes);
  return frame;
}

/** Finds the segment that is written to; `work` has it open, and says what was done there. */
async function inLastSegment(
  dataDir: string,
  work: (file: FileHandle, end: LogEnd) => Promise<string>,
): Promise<string> {
  const directory = join(dataDir, 'wal');
  const names = (await readdir(directory)).filter((name) => segmentIdOf(name) !== undefined);
  for (const name of names.toSorted().toReversed()) {
    const file = await open(join(directory, name), 'r+');
    try {
      if (isZeroSector(await readSectors(file, 0, 1), 0)) continue;
      const end = await endOf(file);
      if (end === undefined) break;
      const done = await work(file, end);
      await file.sync();
      return `${name} at byte ${done}`;
    } finally {
      await file.close();
    }
  }
  throw new NoEffect('the log ends with a segment, nothing may follow there');
}

/** Leaves half a write behind the end of a log; says where. */
export function tearTail(dataDir: string, random: Random): Promise<string> {
  return inLastSegment(dataDir, async (file, end) => {
    const at = end.sector * sectorBytes;
    if (!end.torn) await file.write(tornFrame(random, end), 0, undefined, at);
    return `${at}`;
  });
}

const leastSectors = 10;

/** Flips one bit of a frame with whole ones behind it: no crash does that. */
export function rotFrame(dataDir: string, random: Random): Promise<string> {
  return inLastSegment(dataDir, async (file, end) => {
    if (end.sector < leastSectors) throw new NoEffect('there is too little in the log to rot');
    const at = random.integer(sectorBytes, (end.sector >>> 1) * sectorBytes);
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.from([byte.readUInt8(0) ^ (1 << random.integer(0, 8))]), 0, 1, at);
    return `${at}`;
  });
}

export const tornTail: Fault = {
  kind: 'tornTail',
  needs: ['absence'],
  ...ofOne,
  lastsMs: (random) => random.integer(200, 1500),
  strike: async (field) => {
    const node = await takeFollower(field);
    const atMs = monotonicMs();
    const from = logEnd(node);
    await node.kill('SIGKILL');
    const torn = tearTail(node.dataDir, field.random);
    await torn.catch(() => undefined);
    return {
      what: `kill -9 of ${node.id} in the middle of a write to its log`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: undefined,
      heal: async () => {
        const tookMs = await revive(node);
        const where = await torn;
        await expectEffect(`${node.id} to say that it cut a torn write`, 3000, async () =>
          (await logSince(node, from)).includes('torn and never acknowledged: cut'),
        );
        return `${where} was cut at the start, ${node.id} answers after ${tookMs} ms`;
      },
    };
  },
};
