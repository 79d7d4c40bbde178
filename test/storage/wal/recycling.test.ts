// Space that a floor let go of: when it is let go, that no read loses what it was promised, and that nothing of a segment's
// former life is ever taken for a new one.
import { describe, expect, test } from 'vitest';
import { deferred } from '../../../src/lib/deferred.ts';
import { logIndex } from '../../../src/lib/ids.ts';
import { DamagedLogError, DiskError } from '../../../src/storage/errors.ts';
import type { WriteAheadLog } from '../../../src/storage/wal/write-ahead-log.ts';
import { LogModel, payload, type BatchPlan } from '../../support/log-batches.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';
import {
  expectEntries,
  expectLog,
  openOn,
  openOrRefusal,
  refusalOf,
  segmentFile,
} from '../../support/wal-fixtures.ts';

const segmentBytes = 4608;
const options = { segmentBytes };
/** Six of nine sectors: each begins a new segment, and leaves room for a floor. */
const filling = (mark: number): BatchPlan => ({
  payloads: [payload(1300, mark), payload(1300, mark + 1)],
  commit: 2,
});

interface Filled {
  readonly disk: MemoryDisk;
  readonly model: LogModel;
  readonly wal: WriteAheadLog;
}

/** A log over so many segments, two entries in each. */
async function filled(segments: number): Promise<Filled> {
  const disk = new MemoryDisk();
  const model = new LogModel();
  const wal = await openOn(disk, options);
  for (let mark = 1; mark <= segments; mark++) await wal.append(model.next(filling(mark)));
  await settled();
  expect(wal.stats().segments).toBe(segments);
  return { disk, model, wal };
}

/** Until the background of the log has nothing to do. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => void setImmediate(resolve));
}

/** A log whose spare is segment 5, which was segment 1 before. */
async function recycled(): Promise<Filled & { readonly former: Buffer }> {
  const log = await filled(3);
  const former = Buffer.from(log.disk.bytesOf(segmentFile(1)));
  await log.wal.append(log.model.next({ compact: 4 }));
  await settled();
  await log.wal.append(log.model.next(filling(8)));
  await settled();
  await log.wal.close();
  expect(names(log.disk)).toEqual(['003', '004', '005']);
  return { ...log, former };
}

const names = (disk: MemoryDisk): readonly string[] =>
  disk.paths().map((path) => path.replace('/wal/0000000', '').replace('.wal', ''));

describe('what is let go of', () => {
  test('are the segments before the first needed entry, oldest first, one by one', async () => {
    const { disk, model, wal } = await filled(5);
    const before = wal.bytes;
    disk.calls.length = 0;
    await wal.append(model.next({ compact: 7 }));
    await settled();
    const calls = disk.calls
      .filter(({ action }) => action !== 'write')
      .map(({ action, path }) => `${action} ${path}`);
    expect(calls).toEqual([
      `rename ${segmentFile(1)}.preparing`,
      'syncDirectory /wal',
      `remove ${segmentFile(2)}`,
      'syncDirectory /wal',
      `remove ${segmentFile(3)}`,
      'syncDirectory /wal',
    ]);
    expect(names(disk)).toEqual(['001.preparing', '004', '005', '006']);
    expect(before).toBe(6 * segmentBytes);
    expect(wal.bytes).toBe(4 * segmentBytes);
    await expectEntries(wal, model);
    await wal.close();
    await expectLog(await openOn(disk, options), model);
    // The one kept for re-use is not worth keeping over a restart.
    expect(names(disk)).toEqual(['004', '005', '006']);
  });

  test('is nothing before the floor is durable', async () => {
    const { disk, model, wal } = await filled(4);
    const entered = deferred<void>();
    const gate = deferred<void>();
    disk.fault = async ({ action }) => {
      if (action !== 'write') return;
      entered.resolve();
      await gate.promise;
    };
    const appended = wal.append(model.next({ compact: 8 }));
    await entered.promise;
    await settled();
    expect(names(disk)).toEqual(['001', '002', '003', '004', '005']);
    gate.resolve();
    await appended;
    await settled();
    expect(names(disk)).toEqual(['001.preparing', '004', '005']);
  });

  test('is everything before the floor itself, where the log is dropped', async () => {
    const { disk, model, wal } = await filled(4);
    await wal.append(model.next({ install: { beyond: 100, kept: false } }));
    await settled();
    expect(names(disk)).toEqual(['001.preparing', '004', '005']);
    await wal.append(model.next({ ...filling(7), commit: 2 }));
    await wal.append(model.next({ compact: 2 }));
    await settled();
    expect(names(disk)).toEqual(['004.preparing', '005', '006']);
    await wal.close();
    await expectLog(await openOn(disk, options), model);
  });

  test('left over from a crash, goes at the next open', async () => {
    const { disk, model, wal } = await filled(4);
    disk.fault = async ({ action }) => {
      if (action === 'rename') await new Promise(() => undefined);
    };
    await wal.append(model.next({ compact: 8 }));
    await settled();
    disk.fault = () => undefined;
    disk.cutPower();
    const again = await openOn(disk, options);
    await settled();
    expect(names(disk)).toEqual(['001.preparing', '004', '005']);
    await expectLog(again, model);
  });

  test('is given back to the log as zeros', async () => {
    const { disk, model, wal } = await filled(3);
    await wal.append(model.next({ compact: 4 }));
    await settled();
    expect(names(disk)).toEqual(['001.preparing', '003', '004']);
    await wal.append(model.next(filling(8)));
    await settled();
    // Segment 5 is what was segment 1.
    expect(names(disk)).toEqual(['003', '004', '005']);
    expect(wal.stats()).toMatchObject({ freed: 2, reused: 1 });
    expect(disk.bytesOf(segmentFile(5)).every((byte) => byte === 0)).toBe(true);
    await wal.append(model.next(filling(9)));
    await wal.close();
    disk.cutPower();
    await expectLog(await openOn(disk, options), model);
  });

  test('takes no more than two segments beside the log, over any number of rolls', async () => {
    const { disk, model, wal } = await filled(2);
    for (let mark = 3; mark < 40; mark++) {
      await wal.append(model.next({ compact: 2, ...filling(mark) }));
      await settled();
      expect(disk.paths().length * segmentBytes).toBe(wal.bytes);
      expect(wal.bytes).toBeLessThanOrEqual(5 * segmentBytes);
    }
    expect(wal.stats().reused).toBeGreaterThan(20);
    await expectEntries(wal, model);
    await wal.close();
  });

  test.each(['ENOSPC', 'EIO'])(
    'and cannot be zeroed for %s, matters when it is needed',
    async (code) => {
      const { disk, model, wal } = await filled(3);
      await wal.append(model.next({ compact: 4 }));
      await settled();
      expect(names(disk)).toEqual(['001.preparing', '003', '004']);
      disk.fault = ({ action, path }) => {
        if (action === 'write' && path.endsWith('.preparing'))
          throw Object.assign(new Error(code), { code });
      };
      // Segment 4 is begun, and the next one, of what was segment 1, cannot be made.
      await wal.append(model.next(filling(8)));
      await settled();
      expect(names(disk)).toEqual(['001.preparing', '003', '004']);
      disk.fault = () => undefined;
      if (code === 'EIO') {
        await expect(wal.append(new LogModel(model).next(filling(9)))).rejects.toThrow(DiskError);
        return;
      }
      // Space came back before segment 5 was needed.
      await wal.append(model.next(filling(9)));
      await settled();
      expect(names(disk)).toEqual(['003', '004', '005', '006']);
      await wal.close();
      disk.cutPower();
      await expectLog(await openOn(disk, options), model);
    },
  );

  test('an error while it goes is final', async () => {
    const { disk, model, wal } = await filled(3);
    disk.fault = ({ action }) => {
      if (action === 'syncDirectory') throw new Error('EIO');
    };
    await wal.append(model.next({ compact: 6 }));
    await settled();
    await expect(wal.append(new LogModel(model).next({}))).rejects.toThrow(DiskError);
    expect(names(disk)).toEqual(['001.preparing', '002', '003', '004']);
    disk.fault = () => undefined;
    disk.cutPower();
    await expectLog(await openOn(disk, options), model);
  });
});

describe('a read under way when the floor rises', () => {
  test('gets what it was promised, and what it reads stays until then', async () => {
    const { disk, model, wal } = await filled(4);
    const gate = deferred<void>();
    disk.fault = ({ action }) => (action === 'open' ? gate.promise : undefined);
    const reading = wal.read(logIndex(1), logIndex(8), 1 << 20);
    const expected = model.range(1, 8).map(({ payload: bytes }) => Buffer.from(bytes));
    await wal.append(model.next({ compact: 8 }));
    await settled();
    expect(names(disk)).toContain('001');
    // One that comes after the floor is refused, and those of what remains go on.
    await expect(wal.read(logIndex(8), logIndex(8), 1)).rejects.toThrow('after its floor');
    gate.resolve();
    expect((await reading).map(({ payload: bytes }) => Buffer.from(bytes))).toEqual(expected);
    await settled();
    expect(names(disk)).not.toContain('001');
    await wal.close();
  });

  test('and fails, holds nothing back', async () => {
    const { disk, model, wal } = await filled(3);
    const gate = deferred<void>();
    disk.fault = async ({ action }) => {
      if (action !== 'read') return;
      await gate.promise;
      throw new Error('EIO');
    };
    const reading = wal.read(logIndex(1), logIndex(2), 1 << 20);
    await wal.append(model.next({ compact: 6 }));
    gate.resolve();
    await expect(reading).rejects.toThrow(DiskError);
    await settled();
    expect(names(disk)).not.toContain('001');
  });
});

describe('G13: what a segment held in its former life', () => {
  test('is refused where the zeros of the next segment should be, whole or from any sector on', async () => {
    const { disk, model, former } = await recycled();
    const written = former.findLastIndex((byte) => byte !== 0);
    for (let from = 0; from <= written; from += 512) {
      const rotten = disk.copy();
      rotten.scribble(segmentFile(5), from, former.subarray(from));
      await refusalOf(rotten, options);
    }
    await expectLog(await openOn(disk, options), model);
  });

  test('is refused behind the last frame, wherever it lay', async () => {
    const { disk, model, former } = await recycled();
    const active = disk.bytesOf(segmentFile(4));
    const end = (Math.floor(active.findLastIndex((byte) => byte !== 0) / 512) + 1) * 512;
    expect(end).toBeLessThan(segmentBytes - 512);
    for (let from = 512; from + 512 <= segmentBytes; from += 512) {
      const frame = former.subarray(from, Math.min(from + segmentBytes - end, segmentBytes));
      if (frame.every((byte) => byte === 0)) continue;
      const rotten = disk.copy();
      rotten.scribble(segmentFile(4), end, frame);
      const result = await openOrRefusal(rotten, options);
      // A frame that reached beyond the space is no exception.
      expect(result).toBeInstanceOf(DamagedLogError);
    }
    await expectLog(await openOn(disk, options), model);
  });

  test('every single bit of a log that begins after a floor, flipped, is refused', {
    timeout: 60_000,
  }, async () => {
    const { disk, model } = await recycled();
    for (const path of disk.paths()) {
      const bytes = disk.bytesOf(path);
      for (let at = 0; at < bytes.length; at++) {
        const mask = 1 << (at % 8);
        bytes[at] = (bytes[at] ?? 0) ^ mask;
        await refusalOf(disk, options);
        disk.calls.length = 0;
        bytes[at] = (bytes[at] ?? 0) ^ mask;
      }
    }
    await expectLog(await openOn(disk, options), model);
  });
});

describe('segments that are missing', () => {
  test('before the first one, though the floor needs them: refused', async () => {
    const { disk, model, wal } = await filled(5);
    await wal.append(model.next({ compact: 5 }));
    await settled();
    await wal.close();
    expect(names(disk)).toEqual(['001.preparing', '003', '004', '005', '006']);
    disk.drop(segmentFile(3));
    const refusal = await refusalOf(disk, options);
    expect(refusal.message).toContain('this segment is missing');
    expect(refusal.file).toBe(segmentFile(3));
  });

  test('where only the next one, never written to, is left: refused', async () => {
    const { disk, wal } = await filled(2);
    await wal.close();
    for (const id of [1, 2]) disk.drop(segmentFile(id));
    expect(names(disk)).toEqual(['003']);
    expect((await refusalOf(disk, options)).file).toBe(segmentFile(2));
  });

  test('with the floor in them: refused', async () => {
    const { disk, model, wal } = await filled(3);
    await wal.append(model.next({ compact: 6 }));
    await wal.append(model.next(filling(4)));
    await settled();
    await wal.close();
    expect(names(disk)).toEqual(['003', '004', '005']);
    disk.drop(segmentFile(3));
    expect((await refusalOf(disk, options)).file).toBe(segmentFile(3));
  });
});
