// The log on disk and the log in memory behave alike.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { emptyMemoryLog, MemoryLogStore } from '../support/memory-log-store.ts';
import { describeLogStore } from './log-store.ts';

describeLogStore('the log on disk', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-wal-'));
  return {
    open: () => openWal(directory, { segmentBytes: 64 * 1024 }),
    dispose: () => rm(directory, { recursive: true }),
  };
});

describeLogStore('the log with tiny segments on a disk in memory', async () => {
  const files = new MemoryDisk();
  return { open: () => openWal('/wal', { files, segmentBytes: 8 * 1024, maxFrameBytes: 700 }) };
});

describeLogStore('the log in memory', async () => {
  const log = emptyMemoryLog();
  return { open: () => Promise.resolve(new MemoryLogStore(log)) };
});
