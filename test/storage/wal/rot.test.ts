// Damage to what was acknowledged is refused, wherever it is; nothing is ever lost or changed silently.
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { logIndex, nodeId } from '../../../src/lib/ids.ts';
import { DamagedLogError } from '../../../src/storage/errors.ts';
import { walIsEmpty } from '../../../src/storage/wal/open-wal.ts';
import { LogModel, payload, type BatchPlan } from '../../support/log-batches.ts';
import {
  expectLog,
  logWith,
  openOn,
  openOrRefusal,
  refusalOf,
  segmentFile,
} from '../../support/wal-fixtures.ts';

// Two segments, a truncation, a vote, a frame over several sectors, one with a sector of zeros, free space at the end.
const segmentBytes = 3584;
const plans: readonly BatchPlan[] = [
  { rise: 1, votedFor: nodeId('n1'), payloads: [payload(40), payload(900, 2)] },
  { rise: 2, cut: 1, payloads: [new Uint8Array(1100)], commit: 1 },
  { rise: 1, votedFor: nodeId('n3'), payloads: [payload(200, 3)], commit: 1 },
];

describe('G13', () => {
  test('every single bit of a small log, flipped, is refused, in space never written to as well', async () => {
    const model = new LogModel();
    const disk = await logWith(model, plans, { segmentBytes });
    expect(disk.paths()).toEqual([segmentFile(1), segmentFile(2)]);
    let refused = 0;
    for (const path of disk.paths()) {
      const bytes = disk.bytesOf(path);
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const mask = 1 << bit;
          bytes[at] = (bytes[at] ?? 0) ^ mask;
          const result = await openOrRefusal(disk, { segmentBytes });
          if (result instanceof DamagedLogError) refused++;
          else await result.close();
          disk.calls.length = 0;
          bytes[at] = (bytes[at] ?? 0) ^ mask;
        }
      }
    }
    expect(refused).toBe(2 * segmentBytes * 8);
    await expectLog(await openOn(disk, { segmentBytes }), model);
  }, 60_000);

  test('a beginning that the disk cannot read back is no empty log, but a damaged one', async () => {
    const disk = await logWith(new LogModel(), plans, { segmentBytes });
    const refused = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    const read = disk.open.bind(disk);
    disk.open = async (path, mode) => {
      const file = await read(path, mode);
      return { ...file, size: file.size, read: () => Promise.reject(refused) };
    };
    expect(await walIsEmpty(dirname(segmentFile(1)), disk)).toBe(false);
    expect(await openOrRefusal(disk, { segmentBytes })).toBeInstanceOf(DamagedLogError);
    disk.open = () => Promise.reject(new Error('EMFILE: too many open files'));
    await expect(walIsEmpty(dirname(segmentFile(1)), disk)).rejects.toMatchObject({ exitCode: 10 });
  });

  test('a refusal changes nothing on disk', async () => {
    const disk = await logWith(new LogModel(), plans, { segmentBytes });
    const bytes = disk.bytesOf(segmentFile(1));
    bytes[600] = (bytes[600] ?? 0) ^ 4;
    // Behind it, what would be a torn write if the log were whole.
    disk.scribble(segmentFile(2), 1024, new Uint8Array(512));
    const before = disk.copy();
    await refusalOf(disk, { segmentBytes });
    for (const path of disk.paths()) {
      expect(disk.bytesOf(path).equals(before.bytesOf(path))).toBe(true);
    }
  });
});

describe('segments that are not what they were', () => {
  const larger = { segmentBytes: 4096 };

  const threeSegments = async (model: LogModel): Promise<Awaited<ReturnType<typeof logWith>>> => {
    const disk = await logWith(
      model,
      [1, 2, 3, 4, 5].map((mark) => ({ rise: 1, payloads: [payload(1400, mark)] })),
      larger,
    );
    expect(disk.paths()).toEqual([1, 2, 3].map(segmentFile));
    return disk;
  };

  test.for([1, 2, 3])('segment %i is missing: refused', async (id) => {
    const disk = await threeSegments(new LogModel());
    disk.drop(segmentFile(id));
    const refusal = await refusalOf(disk, larger);
    expect(refusal.message).toContain('this segment is missing');
    expect(refusal.file).toBe(segmentFile(id));
  });

  test.for([1, 2])('segment %i is empty while a later one is not: refused', async (id) => {
    const disk = await threeSegments(new LogModel());
    disk.replace(segmentFile(id), new Uint8Array(4096));
    await refusalOf(disk, larger);
  });

  test('two segments have changed places: refused', async () => {
    const disk = await threeSegments(new LogModel());
    const second = Buffer.from(disk.bytesOf(segmentFile(2)));
    disk.replace(segmentFile(2), disk.bytesOf(segmentFile(1)));
    disk.replace(segmentFile(1), second);
    expect((await refusalOf(disk, larger)).message).toContain('misplaced');
  });

  test('a file is shorter than it was: refused', async () => {
    const disk = await threeSegments(new LogModel());
    for (const bytes of [4095, 3584, 512, 0]) {
      const shorter = disk.copy();
      shorter.replace(segmentFile(3), disk.bytesOf(segmentFile(3)).subarray(0, bytes));
      await refusalOf(shorter, larger);
    }
  });

  test('an older copy of a segment in its place: refused', async () => {
    const disk = await logWith(new LogModel(), plans.slice(0, 1), larger);
    const older = Buffer.from(disk.bytesOf(segmentFile(1)));
    const longer = await logWith(new LogModel(), plans, larger);
    longer.replace(segmentFile(1), older);
    await refusalOf(longer, larger);
  });

  test('the log of another node: refused', async () => {
    const disk = await logWith(new LogModel(), plans, { ...larger, owner: 'a'.repeat(32) });
    const refusal = await refusalOf(disk, { ...larger, owner: 'b'.repeat(32) });
    expect(refusal.message).toContain('another node');
  });

  test('an empty log where the node had joined a cluster: refused', async () => {
    const disk = await logWith(new LogModel(), [], larger);
    await refusalOf(disk, { ...larger, formed: true });
    await (await openOn(disk, larger)).close();
  });
});

test('a frame left over from another history does not fit behind a new one', async () => {
  // Both logs have equal sequence numbers and lengths; only the checksums tell their histories apart.
  const sizes: readonly number[] = [100, 100, 100];
  const history = (mark: number): readonly BatchPlan[] =>
    sizes.map((bytes, at) => ({ rise: 1, payloads: [payload(bytes, at === 0 ? 1 : mark)] }));
  const old = await logWith(new LogModel(), history(2));
  const fresh = await logWith(new LogModel(), history(3).slice(0, 2));
  const third = old.calls
    .filter(({ action, path }) => action === 'write' && path === segmentFile(1))
    .at(-1);
  fresh.scribble(segmentFile(1), third?.position ?? 0, third?.bytes ?? new Uint8Array());
  expect((await refusalOf(fresh)).message).toContain('does not follow the one before it');
});

describe('reading what has rotted since the log was opened', () => {
  test('a flipped bit is an error that says where, never a wrong entry', async () => {
    const model = new LogModel();
    const disk = await logWith(model, [{ rise: 1, payloads: [payload(300), payload(300, 2)] }]);
    const wal = await openOn(disk);
    const bytes = disk.bytesOf(segmentFile(1));
    for (let at = 512; at < 1536; at++) {
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      const read = wal.read(logIndex(1), logIndex(2), 10_000);
      await expect(read).rejects.toThrow(DamagedLogError);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    }
    await expectLog(wal, model);
    await wal.close();
  });

  test('a whole frame in the place of another is noticed by its terms', async () => {
    const model = new LogModel();
    const plan: BatchPlan = { rise: 1, payloads: [payload(100)] };
    const disk = await logWith(model, [plan, plan]);
    const wal = await openOn(disk);
    const bytes = disk.bytesOf(segmentFile(1));
    bytes.copy(bytes, 1024, 512, 1024);
    await expect(wal.read(logIndex(2), logIndex(2), 1)).rejects.toThrow(DamagedLogError);
    await expect(wal.read(logIndex(1), logIndex(2), 1_000)).rejects.toThrow(DamagedLogError);
    await wal.close();
  });
});
