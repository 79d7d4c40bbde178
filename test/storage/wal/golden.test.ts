// The format of the log on disk, pinned byte for byte: a log written by any version must open in every later one.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { nodeId } from '../../../src/lib/ids.ts';
import { LogModel, payload, type BatchPlan } from '../../support/log-batches.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';
import { expectLog, logWith, openOn, segmentFile } from '../../support/wal-fixtures.ts';

const options = { segmentBytes: 4096, owner: '0123456789abcdef0123456789abcdef' };
const plans: readonly BatchPlan[] = [
  { rise: 1, votedFor: nodeId('n1'), payloads: [payload(0), payload(40)] },
  { rise: 2 ** 40, cut: 1, votedFor: nodeId('n2'), payloads: [payload(700, 2)], commit: 1 },
  { payloads: [new Uint8Array(600)], commit: 1 },
  { rise: 1, payloads: [payload(900, 3)] },
];
const golden = (id: number): Promise<Buffer> =>
  readFile(new URL(`../golden/log-format-1.segment-${id}.wal`, import.meta.url));

test('a log is written as the golden vectors', async () => {
  const disk = await logWith(new LogModel(), plans, options);
  expect(disk.paths()).toEqual([segmentFile(1), segmentFile(2)]);
  for (const id of [1, 2]) {
    expect(disk.bytesOf(segmentFile(id)).toString('hex')).toBe((await golden(id)).toString('hex'));
  }
});

test('the golden vectors are read', async () => {
  const model = new LogModel();
  for (const plan of plans) model.next(plan);
  const disk = new MemoryDisk();
  for (const id of [1, 2]) disk.replace(segmentFile(id), await golden(id));
  await expectLog(await openOn(disk, options), model);
});
