// Random histories with floors against a model: compaction, logs dropped whole, truncations, restarts, and deaths at any
// operation of the disk.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/lib/random.ts';
import { anyFloorPlan, LogModel, type BatchPlan } from '../../support/log-batches.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';
import { expectEntries, expectLog, openOn } from '../../support/wal-fixtures.ts';
import { live, survivor } from './crashing-process.ts';

const groups = (most: number): fc.Arbitrary<readonly (readonly BatchPlan[])[]> =>
  fc.array(fc.array(anyFloorPlan, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: most,
  });

describe('any history with floors', { timeout: 60_000 }, () => {
  test('acknowledged batches are the log, in what it reads and after any restart (G1)', async () => {
    const options = { segmentBytes: 4096, maxFrameBytes: 1_500 };
    const counts = { freed: 0, reused: 0, restarts: 0, floors: 0, raisedTwice: 0 };
    const step = fc.record({
      plans: fc.array(anyFloorPlan, { minLength: 1, maxLength: 4 }),
      next: fc.constantFrom('nothing', 'read', 'restart', 'power cut'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (history) => {
        const disk = new MemoryDisk();
        const model = new LogModel();
        let wal = await openOn(disk, options);
        for (const { plans, next } of history) {
          const batches = plans.map((plan) => model.next(plan));
          const floors = batches.filter(({ floor }) => floor !== undefined).length;
          counts.floors += floors;
          if (floors > 1) counts.raisedTwice++;
          await Promise.all(batches.map((batch) => wal.append(batch)));
          if (next === 'read') await expectEntries(wal, model);
          if (next !== 'restart' && next !== 'power cut') continue;
          counts.freed += wal.stats().freed;
          counts.reused += wal.stats().reused;
          await wal.close();
          if (next === 'power cut') disk.cutPower();
          wal = await openOn(disk, options);
          await expectLog(wal, model);
          counts.restarts++;
        }
        await wal.close();
        await expectLog(await openOn(disk, options), model);
      }),
      { numRuns: 300 },
    );
    expect(counts.floors).toBeGreaterThan(500);
    expect(counts.raisedTwice).toBeGreaterThan(100);
    expect(counts.freed).toBeGreaterThan(300);
    expect(counts.reused).toBeGreaterThan(10);
    expect(counts.restarts).toBeGreaterThan(500);
  });

  test('lives that end at any operation leave what was acknowledged, or more of what was asked (G1)', async () => {
    // No batch is spread over frames: each is there whole or not at all.
    const options = { segmentBytes: 16_384 };
    const counts = { lives: 0, died: 0, more: 0 };
    const anyLife = fc.record({
      groups: groups(12),
      after: fc.noBias(fc.nat(100)),
      power: fc.boolean(),
      luck: fc.constantFrom(0, 0.1, 0.5, 0.9, 1),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyLife, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        async (lives, seed) => {
          const random = seededRandom(seed);
          const disk = new MemoryDisk();
          let model = new LogModel();
          for (const { groups: plans, ...death } of lives) {
            const life = await live(disk, model, plans, { ...options, random, death });
            model = await survivor(disk, life, options);
            counts.lives++;
            if (life.died) counts.died++;
            if (life.died && model !== life.candidates[0]) counts.more++;
          }
        },
      ),
      { numRuns: 200 },
    );
    expect(counts.died).toBeGreaterThan(counts.lives / 6);
    expect(counts.more).toBeGreaterThan(3);
  });
});
