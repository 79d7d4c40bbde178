// Small logs on a disk in memory, and what to expect of them.
import { expect } from 'vitest';
import type { LogStore } from '../../src/node/ports.ts';
import type { Configuration, LogFloor } from '../../src/raft/index.ts';
import { DamagedLogError } from '../../src/storage/errors.ts';
import { openWal, type WalOptions } from '../../src/storage/wal/open-wal.ts';
import type { WriteAheadLog } from '../../src/storage/wal/write-ahead-log.ts';
import type { BatchPlan, LogModel } from './log-batches.ts';
import { MemoryDisk } from './memory-disk.ts';
import { runsOf } from './memory-log-store.ts';

const walDirectory = '/wal';
export const segmentFile = (id: number): string =>
  `${walDirectory}/${String(id).padStart(10, '0')}.wal`;

export function openOn(files: MemoryDisk, options: WalOptions = {}): Promise<WriteAheadLog> {
  return openWal(walDirectory, { segmentBytes: 8192, ...options, files });
}

/** A log to which each plan was appended by itself, so that each is one write. */
export async function logWith(
  model: LogModel,
  plans: readonly BatchPlan[],
  options: WalOptions = {},
): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const wal = await openOn(disk, options);
  for (const plan of plans) await wal.append(model.next(plan));
  await wal.close();
  return disk;
}

const text = (entries: LogModel['entries']): readonly string[] =>
  entries.map(({ index, term, kind, payload }) =>
    [index, term, kind, Buffer.from(payload).toString('hex')].join(' '),
  );

const plainConfiguration = ({ index, payload }: Configuration): string =>
  `${index} ${Buffer.from(payload).toString('hex')}`;
const plainFloor = ({ index, term, configuration }: LogFloor): string =>
  `${index} ${term} ${plainConfiguration(configuration)}`;

/** The store holds exactly what the model says, in its image and on disk. */
export async function expectLog(store: LogStore, model: LogModel): Promise<void> {
  expect(store.image.hardState).toEqual(model.hardState);
  expect(plainFloor(store.image.floor)).toEqual(plainFloor(model.floor));
  expect(store.image.configurations.map(plainConfiguration)).toEqual(
    model.configurations.map(plainConfiguration),
  );
  await expectEntries(store, model);
  expect(store.image.lastIndex).toBe(model.lastIndex);
  expect(store.image.runs).toEqual(runsOf(model.entries));
}

/** Every entry reads as the model says. */
export async function expectEntries(store: LogStore, model: LogModel): Promise<void> {
  if (model.entries.length === 0) return;
  const found = await store.read(model.firstIndex, model.lastIndex, Number.MAX_SAFE_INTEGER);
  expect(text([...found])).toEqual(text(model.entries));
}

/** Opens what is on the disk, or says how it was refused. Anything but damage is an error of the test. */
export async function openOrRefusal(
  disk: MemoryDisk,
  options: WalOptions = {},
): Promise<WriteAheadLog | DamagedLogError> {
  try {
    return await openOn(disk, options);
  } catch (error) {
    if (error instanceof DamagedLogError) return error;
    throw error;
  }
}

export async function refusalOf(
  disk: MemoryDisk,
  options: WalOptions = {},
): Promise<DamagedLogError> {
  const result = await openOrRefusal(disk, options);
  if (result instanceof DamagedLogError) return result;
  await result.close();
  throw new Error('the log was opened');
}
