// Group commit: what arrives during a write is one write, in order; what the disk refuses is final.
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../../src/lib/assert.ts';
import { deferred } from '../../../src/lib/deferred.ts';
import { DiskError } from '../../../src/storage/errors.ts';
import { LogModel, payload } from '../../support/log-batches.ts';
import { MemoryDisk, type DiskCall } from '../../support/memory-disk.ts';
import { expectEntries, expectLog, openOn, segmentFile } from '../../support/wal-fixtures.ts';

const logWrites = (disk: MemoryDisk): readonly DiskCall[] =>
  disk.calls.filter(({ action, path }) => action === 'write' && path.endsWith('.wal'));

describe('group commit', () => {
  test('64 appends of one turn are one write', async () => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk, { segmentBytes: 65_536 });
    const appends = Array.from({ length: 64 }, (_, mark) =>
      wal.append(model.next({ payloads: [payload(50, mark)] })),
    );
    await Promise.all(appends);
    expect(logWrites(disk)).toHaveLength(1);
    expect(wal.stats()).toMatchObject({ writes: 1, batches: 64 });
    await expectEntries(wal, model);
  });

  test('what arrives while a write is in flight is the next one write, and is not acknowledged before', async () => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk, { segmentBytes: 65_536 });
    const entered = deferred<void>();
    const gate = deferred<void>();
    disk.fault = (call) => {
      if (call.action !== 'write') return;
      entered.resolve();
      return gate.promise;
    };
    const done: number[] = [];
    const append = async (mark: number): Promise<void> => {
      await wal.append(model.next({ payloads: [payload(50, mark)] }));
      done.push(mark);
    };
    const first = append(0);
    await entered.promise;
    const others = Array.from({ length: 100 }, (_, at) => append(at + 1));
    expect(logWrites(disk)).toHaveLength(1);
    expect(done).toEqual([]);
    gate.resolve();
    await Promise.all([first, ...others]);
    expect(logWrites(disk)).toHaveLength(2);
    expect(done).toEqual(Array.from({ length: 101 }, (_, at) => at));
  });

  test('a frame is closed at maxFrameBytes, and a batch beyond it is spread over frames', async () => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk, { segmentBytes: 65_536, maxFrameBytes: 2_000 });
    await Promise.all(
      [1, 2, 3, 4].map((mark) => wal.append(model.next({ payloads: [payload(900, mark)] }))),
    );
    expect(logWrites(disk).map(({ bytes }) => bytes?.length)).toEqual([2560, 2048]);
    const big = model.next({
      rise: 1,
      cut: 2,
      payloads: Array.from({ length: 7 }, (_, at) => payload(700, at)),
      commit: 9,
    });
    await wal.append(big);
    expect(logWrites(disk)).toHaveLength(2 + 4);
    await wal.close();
    disk.cutPower();
    await expectLog(await openOn(disk), model);
  });

  test('of a batch spread over frames a crash leaves a log that raft may be given', async () => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk, { segmentBytes: 65_536, maxFrameBytes: 1_000 });
    await wal.append(model.next({ rise: 1, payloads: [payload(10), payload(10)], commit: 1 }));
    let left = 2;
    disk.fault = ({ action }) => {
      if (action === 'write' && left-- === 0) throw new Error('EIO');
    };
    const big = {
      rise: 1,
      cut: 1,
      payloads: [1, 2, 3, 4].map((mark) => payload(800, mark)),
      commit: 4,
    };
    await expect(wal.append(model.next(big))).rejects.toThrow('EIO');
    disk.fault = () => undefined;
    disk.cutPower();
    const { image } = await openOn(disk);
    expect(image.lastIndex).toBe(3);
    expect(image.hardState).toEqual({ ...model.hardState, commitIndex: 3 });
  });

  test('an entry that no segment can hold is refused with the limit, and nothing of it is written', async () => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk, { segmentBytes: 4096 });
    const room = 472 + 5 * 508 - 38 - 13;
    await wal.append(model.next({ payloads: [payload(room)] }));
    const writes = logWrites(disk).length;
    const honest = new LogModel(model);
    await expect(wal.append(honest.next({ payloads: [payload(room + 1)] }))).rejects.toThrow(
      /limit 3012/,
    );
    expect(logWrites(disk)).toHaveLength(writes);
    await expectLog(await openOn(disk, { segmentBytes: 4096 }), model);
  });
});

describe('what raft must never ask for is refused before it is written', () => {
  const cases = [
    ['a term that falls', { term: 1 }],
    ['a commit beyond the log', { commitIndex: 9 }],
  ] as const;
  test.for(cases)('%s', async ([, wrong]) => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk);
    await wal.append(model.next({ rise: 5, payloads: [payload(10)] }));
    const writes = logWrites(disk).length;
    const batch = new LogModel(model).next({ payloads: [payload(10)] });
    const hardState = { ...batch.hardState, ...wrong } as typeof batch.hardState;
    await expect(wal.append({ ...batch, hardState })).rejects.toThrow(InvariantError);
    expect(logWrites(disk)).toHaveLength(writes);
  });

  test('a truncation of what is committed', async () => {
    const model = new LogModel();
    const wal = await openOn(new MemoryDisk());
    await wal.append(model.next({ rise: 1, payloads: [payload(10), payload(10)], commit: 2 }));
    const batch = new LogModel(model).next({ rise: 1 });
    const truncateAfter = model.entries[0]?.index;
    await expect(wal.append({ ...batch, truncateAfter })).rejects.toThrow('never cut');
  });
});

describe('errors of the disk', () => {
  test('a failed write is final: everything queued and everything later rejects, nothing is retried', async () => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk);
    await wal.append(model.next({ payloads: [payload(10)] }));
    const writes = logWrites(disk).length;
    disk.fault = ({ action }) => {
      if (action === 'write') throw new Error('EIO: i/o error');
    };
    const later = new LogModel(model);
    const outcomes = await Promise.allSettled(
      [1, 2, 3].map((mark) => wal.append(later.next({ payloads: [payload(10, mark)] }))),
    );
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { name: 'DiskError', exitCode: 10 },
      });
    }
    disk.fault = () => undefined;
    await expect(wal.append(later.next({}))).rejects.toThrow(DiskError);
    expect(logWrites(disk)).toHaveLength(writes + 1);
    await wal.close();
    await expectLog(await openOn(disk), model);
  });

  test('a next segment that cannot be made is fatal when it is needed, not before', async () => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk, { segmentBytes: 4096 });
    disk.fault = ({ action, path }) => {
      if (action === 'write' && path.startsWith(`${segmentFile(2)}.`)) throw new Error('EIO');
    };
    for (const mark of [1, 2]) await wal.append(model.next({ payloads: [payload(1200, mark)] }));
    await expect(
      wal.append(new LogModel(model).next({ payloads: [payload(1200)] })),
    ).rejects.toThrow('EIO');
    disk.fault = () => undefined;
    disk.cutPower();
    await expectLog(await openOn(disk), model);
  });

  test.for(['sync', 'syncDirectory', 'rename', 'open'] as const)(
    'a failed %s while a log is made is a DiskError',
    async (action) => {
      const disk = new MemoryDisk();
      disk.fault = (call) => {
        if (call.action === action) throw new Error('EIO');
      };
      await expect(openOn(disk)).rejects.toMatchObject({ name: 'DiskError', exitCode: 10 });
    },
  );

  test('a failed read is a DiskError', async () => {
    const disk = new MemoryDisk();
    const model = new LogModel();
    const wal = await openOn(disk);
    await wal.append(model.next({ payloads: [payload(10)] }));
    disk.fault = ({ action }) => {
      if (action === 'read') throw new Error('EIO');
    };
    await expect(expectEntries(wal, model)).rejects.toMatchObject({ name: 'DiskError' });
  });
});
