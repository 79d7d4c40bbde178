// Random histories against a model: appends in groups, truncations, rolls, reads, restarts and torn writes.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { logIndex } from '../../../src/lib/ids.ts';
import { anyPlan, LogModel, type BatchPlan } from '../../support/log-batches.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';
import { expectEntries, expectLog, openOn } from '../../support/wal-fixtures.ts';

/** One group of appends in one turn, and what comes after it. */
interface Step {
  readonly plans: readonly BatchPlan[];
  readonly next: 'nothing' | 'read' | 'restart' | 'power cut';
}
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    plans: fc.array(anyPlan, { minLength: 1, maxLength: 4 }),
    next: fc.constantFrom('nothing', 'nothing', 'read', 'restart', 'power cut'),
  }),
  { minLength: 1, maxLength: 25 },
);

const options = { segmentBytes: 16_384, maxFrameBytes: 3_000 };

describe('any history', () => {
  test('acknowledged batches are the log, after any restart (G1)', async () => {
    let rolls = 0;
    let restarts = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const disk = new MemoryDisk();
        const model = new LogModel();
        let wal = await openOn(disk, options);
        for (const { plans, next } of history) {
          await Promise.all(plans.map((plan) => wal.append(model.next(plan))));
          if (next === 'read') await expectEntries(wal, model);
          if (next !== 'restart' && next !== 'power cut') continue;
          await wal.close();
          if (next === 'power cut') disk.cutPower();
          wal = await openOn(disk, options);
          await expectLog(wal, model);
          restarts++;
        }
        rolls += wal.stats().segments - 1;
        await wal.close();
        await expectLog(await openOn(disk, options), model);
      }),
      { numRuns: 300 },
    );
    expect(rolls).toBeGreaterThan(50);
    expect(restarts).toBeGreaterThan(300);
  });

  test('every range reads as the model says', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.nat(),
        fc.nat(),
        fc.nat(4_000),
        async (history, a, b, maxBytes) => {
          const model = new LogModel();
          const wal = await openOn(new MemoryDisk(), options);
          for (const { plans } of history)
            await Promise.all(plans.map((plan) => wal.append(model.next(plan))));
          if (model.lastIndex === 0) return;
          const [from = 0, to = 0] = [a, b]
            .map((n) => 1 + (n % model.lastIndex))
            .toSorted((x, y) => x - y);
          const found = await wal.read(logIndex(from), logIndex(to), maxBytes);
          expect(found.length).toBeGreaterThan(0);
          const expected = model.range(from, from - 1 + found.length);
          expect(
            found.map(({ index, term, payload }) => [index, term, Buffer.from(payload)]),
          ).toEqual(
            expected.map(({ index, term, payload }) => [index, term, Buffer.from(payload)]),
          );
          const bytes = found.reduce((sum, { payload }) => sum + payload.length, 0);
          expect(found.length === 1 || bytes <= maxBytes).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a torn write leaves what was acknowledged, and of the rest whole batches in order', async () => {
    let cuts = 0;
    let kept = 0;
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.infiniteStream(fc.constantFrom(true, true, true, false)),
        fc.nat(60),
        async (history, sectors, survive) => {
          const disk = new MemoryDisk();
          let acknowledged = new LogModel();
          const wal = await openOn(disk, { segmentBytes: 16_384 });
          let writesLeft = survive;
          disk.fault = ({ action, path, bytes, position = 0 }) => {
            if (action !== 'write' || !path.endsWith('.wal') || bytes === undefined) return;
            if (writesLeft-- > 0) return;
            for (let at = 0; at < bytes.length; at += 512) {
              if (sectors.next().value === true)
                disk.scribble(path, position + at, bytes.subarray(at, at + 512));
            }
            throw new Error('the power is cut');
          };
          const candidates: LogModel[] = [acknowledged];
          for (const { plans } of history) {
            const next = new LogModel(acknowledged);
            const outcomes = await Promise.allSettled(
              plans.map((plan) => {
                const appended = wal.append(next.next(plan));
                candidates.push(new LogModel(next));
                return appended;
              }),
            );
            if (outcomes.some(({ status }) => status === 'rejected')) break;
            acknowledged = next;
            candidates.splice(0, candidates.length, acknowledged);
          }
          disk.fault = () => undefined;
          disk.cutPower();
          const { image } = await openOn(disk, { segmentBytes: 16_384 });
          const match = candidates.find(
            (candidate) =>
              candidate.lastIndex === image.lastIndex &&
              candidate.hardState.term === image.hardState.term &&
              candidate.hardState.votedFor === image.hardState.votedFor &&
              candidate.hardState.commitIndex === image.hardState.commitIndex,
          );
          expect(match).toBeDefined();
          const again = await openOn(disk, { segmentBytes: 16_384 });
          await expectLog(again, match ?? acknowledged);
          if (candidates.length > 1) {
            if (match === acknowledged) cuts++;
            else kept++;
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(cuts).toBeGreaterThan(20);
    expect(kept).toBeGreaterThan(5);
  });
});
