// The format of the log on disk, pinned byte for byte: a log written by any version must open in every later one.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
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
/** Membership entries, a floor that lets segments go, one that takes the place of the log, and one that keeps entries. */
const floorPlans: readonly BatchPlan[] = [
  { rise: 1, membership: true, payloads: [payload(90), payload(1500, 2)], commit: 2 },
  { membership: true, payloads: [payload(110, 3), payload(1200, 4)], commit: 1 },
  { rise: 2 ** 33, votedFor: nodeId('n3'), compact: 3, payloads: [payload(30, 5)], commit: 2 },
  { install: { beyond: 2 ** 34, kept: false }, payloads: [payload(20, 6), payload(1000, 7)] },
  { membership: true, payloads: [payload(60, 8)], commit: 2 },
  { rise: 1, cut: 1, compact: 2, payloads: [payload(70, 9)], commit: 1 },
];

const golden = (name: string, id: number): Promise<Buffer> =>
  readFile(new URL(`../golden/log-format-1${name}.segment-${id}.wal`, import.meta.url));

describe.for([
  // As written by the versions before floors; none of it may change.
  { name: '', history: plans, ids: [1, 2] },
  { name: '-floor', history: floorPlans, ids: [3] },
])('log format 1$name', ({ name, history, ids }) => {
  test('is written as the golden vectors', async () => {
    const disk = await logWith(new LogModel(), history, options);
    const paths = disk.paths().filter((path) => path.endsWith('.wal'));
    expect(paths).toEqual(ids.map(segmentFile));
    for (const id of ids) {
      const found = disk.bytesOf(segmentFile(id)).toString('hex');
      expect(found).toBe((await golden(name, id)).toString('hex'));
    }
  });

  test('is read from the golden vectors, and goes on from there', async () => {
    const model = new LogModel();
    for (const plan of history) model.next(plan);
    const disk = new MemoryDisk();
    for (const id of ids) disk.replace(segmentFile(id), await golden(name, id));
    const wal = await openOn(disk, options);
    await expectLog(wal, model);
    await wal.append(model.next({ commit: 5 }));
    await wal.append(model.next({ compact: 1, payloads: [payload(50)] }));
    await wal.close();
    await expectLog(await openOn(disk, options), model);
  });
});
