// The mark of a disk that failed: left in the data-dir, found at the next start, and gone once everything was verified.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, describe, expect, test } from 'vitest';
import { openStorage } from '../../src/cli/server/open-storage.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import {
  DISK_MARK,
  readDiskMark,
  removeDiskMark,
  writeDiskMark,
} from '../../src/storage/disk-mark.ts';
import { isOutOfSpace, isUnreadable } from '../../src/storage/errors.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import { LogModel, payload } from '../support/log-batches.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { openOn, segmentFile } from '../support/wal-fixtures.ts';

const made: string[] = [];
async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-mark-'));
  made.push(directory);
  return directory;
}
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

const mark = { reason: 'the log could not be written: EIO', unixTimeMs: Date.UTC(2026, 10, 23) };

describe('the mark of a failed disk', () => {
  test('says why and when, and is gone once it is removed', async () => {
    const directory = await temporaryDirectory();
    expect(await readDiskMark(directory)).toBeUndefined();
    await writeDiskMark(directory, mark);
    expect(await readDiskMark(directory)).toBe(
      '{"at":"2026-11-23T00:00:00.000Z","reason":"the log could not be written: EIO"}',
    );
    await writeDiskMark(directory, { ...mark, reason: 'x'.repeat(100_000) });
    expect((await readDiskMark(directory))?.length).toBeLessThan(5000);
    await removeDiskMark(directory);
    expect(await readDiskMark(directory)).toBeUndefined();
    await removeDiskMark(directory);
  });

  test('counts whatever is left of it, because it was written to a disk that fails', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, DISK_MARK), '');
    expect(await readDiskMark(directory)).toBe('');
    await rm(join(directory, DISK_MARK));
    await mkdir(join(directory, DISK_MARK));
    expect(await readDiskMark(directory)).toBe('it cannot be read');
  });

  test('cannot be written where there is no directory', async () => {
    const directory = join(await temporaryDirectory(), 'nowhere');
    await expect(writeDiskMark(directory, mark)).rejects.toThrow('ENOENT');
  });

  test('is told at the next start, and taken away when the log and the state are whole', async () => {
    const directory = await temporaryDirectory();
    const { config } = loadConfig({
      flags: new Map([
        ['node-id', 'n1'],
        ['data-dir', directory],
        ['initial-members', 'n1=127.0.0.1:7401'],
      ]),
      environment: {},
      readFile: () => '',
    });
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
    const open = async (): Promise<readonly unknown[]> => {
      lines.length = 0;
      const storage = await openStorage(config, log);
      await storage.stateStore.close();
      await storage.logStore.close();
      await storage.release();
      return lines.map(({ event }) => event).filter((event) => String(event).startsWith('disk'));
    };
    expect(await open()).toEqual([]);
    await writeDiskMark(directory, mark);
    expect(await open()).toEqual(['disk_suspect', 'disk_verified']);
    expect(lines[0]?.['detail']).toContain('the log could not be written: EIO');
    expect(await readdir(directory)).not.toContain(DISK_MARK);
    expect(await open()).toEqual([]);
    // A log that is not whole keeps the mark.
    await writeDiskMark(directory, mark);
    const segment = join(directory, 'wal', '0000000001.wal');
    await writeFile(segment, Buffer.alloc(4096, 7));
    await expect(open()).rejects.toMatchObject({ exitCode: 11 });
    expect(await readdir(directory)).toContain(DISK_MARK);
  });
});

describe('what the disk cannot read back at the start', () => {
  test('is damage of the log, named by file and byte; any other refusal is the disk’s', async () => {
    const disk = new MemoryDisk();
    const wal = await openOn(disk);
    await wal.append(new LogModel().next({ payloads: [payload(10)] }));
    await wal.close();
    const failing = (code: string) => {
      disk.fault = ({ action }) => {
        if (action === 'read') throw Object.assign(new Error(code), { code });
      };
      return openWal('/wal', { files: disk });
    };
    await expect(failing('EIO')).rejects.toMatchObject({
      name: 'DamagedLogError',
      file: segmentFile(1),
      offset: 0,
    });
    await expect(failing('EMFILE')).rejects.toMatchObject({ name: 'DiskError', exitCode: 10 });
  });
});

const coded = (code: string) => Object.assign(new Error('x'), { code });

test('kinds of refusals are told by code, and by words where LevelDB has only those', () => {
  const worded = new Error('Database failed to open', {
    cause: new Error('IO error: /d/000005.ldb: No space left on device'),
  });
  expect([coded('ENOSPC'), coded('EDQUOT'), worded].map(isOutOfSpace)).toEqual([true, true, true]);
  expect([coded('EIO'), new Error('x'), 'ENOSPC'].map(isOutOfSpace)).toEqual([false, false, false]);
  expect([coded('EIO'), coded('ENOSPC'), worded].map(isUnreadable)).toEqual([true, false, false]);
});
