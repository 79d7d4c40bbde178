// A write that the power cut short was never acknowledged: it is cut off, and nothing else is.
import { describe, expect, test } from 'vitest';
import { DamagedLogError } from '../../../src/storage/errors.ts';
import { LogModel, payload, type BatchPlan } from '../../support/log-batches.ts';
import type { MemoryDisk } from '../../support/memory-disk.ts';
import {
  expectLog,
  logWith,
  openOn,
  openOrRefusal,
  refusalOf,
  segmentFile,
} from '../../support/wal-fixtures.ts';

const zeros = new Uint8Array(4096);

interface Written {
  readonly disk: MemoryDisk;
  /** Before and after the last write. */
  readonly before: LogModel;
  readonly after: LogModel;
  /** Where in the segment the last write lies. */
  readonly from: number;
  readonly to: number;
}

/** A log whose last write is the last plan. */
async function written(plans: readonly BatchPlan[], segment = 1): Promise<Written> {
  const before = new LogModel();
  await logWith(before, plans.slice(0, -1));
  const after = new LogModel();
  const disk = await logWith(after, plans);
  const write = disk.calls.findLast(
    (call) => call.action === 'write' && call.path === segmentFile(segment),
  );
  const from = write?.position ?? Number.NaN;
  return { disk, before, after, from, to: from + (write?.bytes?.length ?? Number.NaN) };
}

const early: BatchPlan = { rise: 1, payloads: [payload(100), payload(700, 2)], commit: 1 };
const lastWrites: readonly (readonly [string, BatchPlan])[] = [
  ['a vote', { rise: 1 }],
  ['one small entry', { payloads: [payload(30)] }],
  ['entries over four sectors', { payloads: [1, 2, 3].map((mark) => payload(600, mark)) }],
  ['4 KiB of zeros', { payloads: [zeros] }],
  ['a truncation and a new term', { rise: 1, cut: 1, payloads: [payload(900, 5)] }],
];

describe('the last write, zeroed from one of its bytes on (G1, G13)', () => {
  test.for(lastWrites)(
    '%s: is whole, or cut, or refused, and never half there',
    async ([, plan]) => {
      const { disk, before, after, from, to } = await written([early, plan]);
      const outcomes = { whole: 0, cut: 0, refused: 0 };
      for (let at = from; at < to; at++) {
        const torn = disk.copy();
        torn.scribble(segmentFile(1), at, new Uint8Array(to - at));
        const intact = torn.bytesOf(segmentFile(1)).equals(disk.bytesOf(segmentFile(1)));
        const result = await openOrRefusal(torn);
        if (result instanceof DamagedLogError) {
          // Only inside a sector, which no device writes in part: the last one, so that no sector is missing, or the
          // first one's header, without which the extent is not known.
          expect(at % 512).not.toBe(0);
          expect(at > to - 512 || at < from + 40).toBe(true);
          outcomes.refused++;
          continue;
        }
        await expectLog(result, intact ? after : before);
        outcomes[intact ? 'whole' : 'cut']++;
        await result.close();
      }
      expect(outcomes.cut).toBeGreaterThan(0);
    },
  );

  test('whichever sectors of it are missing, it is cut and the log goes on', async () => {
    const { disk, before, from, to } = await written([
      early,
      { payloads: [payload(1100), zeros.subarray(0, 1400)] },
    ]);
    const sectors = (to - from) / 512;
    expect(sectors).toBe(6);
    for (let missing = 1; missing < 2 ** sectors; missing++) {
      const torn = disk.copy();
      for (let at = 0; at < sectors; at++) {
        if (missing & (1 << at))
          torn.scribble(segmentFile(1), from + at * 512, zeros.subarray(0, 512));
      }
      const model = new LogModel(before);
      const wal = await openOn(torn);
      await expectLog(wal, model);
      await wal.append(model.next({ rise: 2, payloads: [payload(20, 9)] }));
      await wal.close();
      torn.cutPower();
      const again = await openOn(torn);
      await expectLog(again, model);
      await again.close();
    }
  });

  test('the first write of a segment is torn together with the header of the segment', async () => {
    const fill: BatchPlan = { rise: 1, payloads: [payload(6000)] };
    const { disk, before, from, to } = await written([fill, { payloads: [payload(1500, 3)] }], 2);
    expect(from).toBe(0);
    const sectors = to / 512;
    for (let missing = 1; missing < 2 ** sectors; missing++) {
      const torn = disk.copy();
      for (let at = 0; at < sectors; at++) {
        if (missing & (1 << at)) torn.scribble(segmentFile(2), at * 512, zeros.subarray(0, 512));
      }
      const model = new LogModel(before);
      const wal = await openOn(torn);
      await expectLog(wal, model);
      await wal.append(model.next({ payloads: [payload(20, 9)] }));
      await wal.close();
      const again = await openOn(torn);
      await expectLog(again, model);
      await again.close();
    }
  });
});

describe('what looks torn but was acknowledged', () => {
  test('a sector of the last but one write is zero: refused, not cut', async () => {
    const model = new LogModel();
    const plan: BatchPlan = { rise: 1, payloads: [payload(1500)] };
    const disk = await logWith(model, [early, plan, { payloads: [payload(10)] }]);
    const writes = disk.calls.filter(
      ({ action, path }) => action === 'write' && path === segmentFile(1),
    );
    const { position = 0, bytes = zeros } = writes.at(-2) ?? {};
    for (let at = position; at < position + bytes.length; at += 512) {
      const rotten = disk.copy();
      rotten.scribble(segmentFile(1), at, zeros.subarray(0, 512));
      const refusal = await refusalOf(rotten);
      expect(refusal.file).toBe(segmentFile(1));
    }
  });

  test('the whole last but one write is zero: refused', async () => {
    const disk = await logWith(new LogModel(), [early, { rise: 1 }, { payloads: [payload(10)] }]);
    const writes = disk.calls.filter(
      ({ action, path }) => action === 'write' && path === segmentFile(1),
    );
    disk.scribble(segmentFile(1), writes.at(-2)?.position ?? 0, zeros.subarray(0, 512));
    expect((await refusalOf(disk)).message).toContain('nothing can have been written');
  });

  test('a sector of the last write before a roll is zero: refused', async () => {
    const fill: BatchPlan = { rise: 1, payloads: [payload(6000)] };
    const disk = await logWith(new LogModel(), [fill, { payloads: [payload(1500, 3)] }]);
    disk.scribble(segmentFile(1), 1024, zeros.subarray(0, 512));
    expect((await refusalOf(disk)).exitCode).toBe(11);
  });

  test('rot in a frame of zeros is refused, although it consists of zeros', async () => {
    const { disk, from } = await written([early, { payloads: [zeros] }]);
    disk.bytesOf(segmentFile(1))[from + 2000] = 1;
    const refusal = await refusalOf(disk);
    expect(refusal.offset).toBe(from);
    expect(refusal.message).toContain('docs/operations.md');
  });
});

test('a write that the process did not live to see synced is made durable before it is believed', async () => {
  const model = new LogModel();
  const disk = await logWith(model, [early]);
  const wal = await openOn(disk);
  disk.fault = ({ action, path, bytes, position }) => {
    if (action !== 'write' || bytes === undefined) return;
    // The kernel has the bytes, the medium has not, and the process dies here.
    disk.bytesOf(path).set(bytes, position);
    throw new Error('EIO');
  };
  const batch = model.next({ rise: 1, payloads: [payload(2000, 4)] });
  await expect(wal.append(batch)).rejects.toThrow('EIO');
  disk.fault = () => undefined;
  const opened = await openOn(disk);
  await expectLog(opened, model);
  disk.cutPower();
  const again = await openOn(disk);
  await expectLog(again, model);
  await again.close();
});
