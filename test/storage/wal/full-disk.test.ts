// A disk without room for the next segment of the log: appends wait and nothing fails, because nothing was begun.
import { describe, expect, test } from 'vitest';
import { DiskError } from '../../../src/storage/errors.ts';
import type { WriteAheadLog } from '../../../src/storage/wal/write-ahead-log.ts';
import { LogModel, payload } from '../../support/log-batches.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';
import { pollUntil } from '../../support/poll.ts';
import { expectEntries, expectLog, openOn } from '../../support/wal-fixtures.ts';

const options = { segmentBytes: 4096 };

/** A log whose present segment has room for two such entries, on a disk on which no file can grow. */
async function filled(code = 'ENOSPC') {
  const disk = new MemoryDisk();
  const model = new LogModel();
  const wal = await openOn(disk, options);
  const fill = (): void => {
    disk.fault = ({ action, path, bytes, position }) => {
      const end = (position ?? 0) + (bytes?.length ?? 0);
      if (action === 'write' && end > disk.bytesOf(path).length)
        throw Object.assign(new Error(`${code}: no space`), { code });
    };
  };
  const free = (): void => {
    disk.fault = () => undefined;
  };
  const entry = (mark: number) => model.next({ payloads: [payload(1200, mark)] });
  return { disk, model, wal, fill, free, entry };
}

const starving = (wal: WriteAheadLog, how: 'spare' | 'appends'): Promise<void> =>
  pollUntil(() => wal.starved === how, { what: how, timeoutMs: 5000 });

describe('a log without room for its next segment', () => {
  test('says so while the present one has some, and leaves nothing of the try on the disk', async () => {
    const { disk, model, wal, fill, free, entry } = await filled();
    fill();
    await wal.append(entry(1));
    await wal.append(entry(2));
    await starving(wal, 'spare');
    expect(disk.paths()).toHaveLength(1);
    wal.resume();
    await starving(wal, 'spare');
    free();
    wal.resume();
    await pollUntil(() => disk.paths().length === 2 && wal.starved === 'no', {
      what: 'the next segment',
      timeoutMs: 5000,
    });
    await wal.append(entry(3));
    expect(wal.stats()).toMatchObject({ rolls: 1, stalls: 0 });
    await expectEntries(wal, model);
    await wal.close();
  });

  test.each(['ENOSPC', 'EDQUOT'])(
    'keeps what is appended waiting (%s), and makes it durable once there is room',
    async (code) => {
      const { disk, model, wal, fill, free, entry } = await filled(code);
      fill();
      await wal.append(entry(1));
      await wal.append(entry(2));
      let durable = 0;
      const appends = [3, 4].map((mark) => wal.append(entry(mark)).then(() => durable++));
      await starving(wal, 'appends');
      wal.resume();
      await starving(wal, 'appends');
      expect(durable).toBe(0);
      free();
      wal.resume();
      await Promise.all(appends);
      expect(wal.starved).toBe('no');
      await expectEntries(wal, model);
      disk.cutPower();
      await expectLog(await openOn(disk, options), model);
    },
  );

  test('ends what waits when it is closed, and opens again with all that was durable', async () => {
    const { disk, model, wal, fill, free, entry } = await filled();
    fill();
    await wal.append(entry(1));
    await wal.append(entry(2));
    const before = new LogModel(model);
    const waiting = expect(wal.append(entry(3))).rejects.toThrow(DiskError);
    await starving(wal, 'appends');
    await wal.close();
    await waiting;
    free();
    disk.cutPower();
    await expectLog(await openOn(disk, options), before);
  });

  test('does not wait where a write of the log itself finds no space: what is there is unknown then', async () => {
    const { disk, wal, entry } = await filled();
    disk.fault = ({ action, path }) => {
      if (action === 'write' && path.endsWith('.wal'))
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    };
    await expect(wal.append(entry(1))).rejects.toThrow(DiskError);
    expect(wal.starved).toBe('no');
  });
});
