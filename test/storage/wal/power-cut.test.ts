// Whatever operation of the disk is the last one, and whatever it left half done: the log opens, and is what was acknowledged,
// or that and some of the batches that were under way.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../../src/lib/ids.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { LogModel, payload, type BatchPlan } from '../../support/log-batches.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';
import { live, survivor, type Death } from './crashing-process.ts';

const options = { segmentBytes: 4096, owner: '0123456789abcdef0123456789abcdef' };
const filling = (mark: number, commit = 2): BatchPlan => ({
  payloads: [payload(700, mark), payload(900, mark + 1)],
  commit,
});

/** A log that is raised, let go of, used again, dropped whole, and raised again. */
const histories: readonly (readonly [string, readonly (readonly BatchPlan[])[]])[] = [
  [
    'a floor that lets three segments go, twice',
    [
      ...[1, 2, 3, 4, 5].map((mark) => [{ rise: mark % 2, membership: true, ...filling(mark) }]),
      [{ compact: 7 }],
      ...[6, 7].map((mark) => [filling(mark)]),
      [{ compact: 3, ...filling(8) }, { payloads: [payload(5)] }],
      [filling(9), { rise: 1, cut: 1, votedFor: nodeId('n2'), payloads: [payload(80)] }],
      [{ compact: 1000, payloads: [payload(1)] }],
    ],
  ],
  [
    'a log that is dropped whole, twice',
    [
      ...[1, 2, 3].map((mark) => [{ membership: true, ...filling(mark, 1) }]),
      [{ install: { beyond: 30, kept: false }, ...filling(4, 0) }],
      [filling(5, 0), { install: { beyond: 2, kept: false } }, { payloads: [payload(3)] }],
      [{ install: { beyond: 1, kept: true } }, filling(6)],
      [{ compact: 2 }],
    ],
  ],
];

const deaths: readonly Omit<Death, 'after'>[] = [
  { power: true, luck: 0 },
  { power: true, luck: 0.5 },
  { power: true, luck: 1 },
  { power: false, luck: 0.5 },
];

describe('G1', () => {
  test.for(histories)('%s: death at each operation', { timeout: 120_000 }, async ([, groups]) => {
    const whole = await live(new MemoryDisk(), new LogModel(), groups, {
      ...options,
      random: seededRandom(1),
    });
    expect(whole.wal?.stats().freed).toBeGreaterThan(2);
    expect(whole.wal?.stats().reused).toBeGreaterThan(0);
    let died = 0;
    let settled = 0;
    for (let after = 0; after < whole.operations; after++) {
      for (const [variant, death] of deaths.entries()) {
        const random = seededRandom(after * 10 + variant);
        const disk = new MemoryDisk();
        const life = await live(disk, new LogModel(), groups, {
          ...options,
          random,
          death: { ...death, after },
        });
        if (life.died) died++;
        // The next process dies as well, while it opens the log or cleans up behind the first.
        const again = { ...death, after: random.integer(0, 12) };
        await live(disk, new LogModel(), [], { ...options, random, death: again });
        const model = await survivor(disk, life, options);
        if (model === life.candidates[0]) settled++;
        // And the log goes on.
        const rest = await live(disk, model, groups, { ...options, random });
        await survivor(disk, rest, options);
        expect(disk.paths().filter((path) => path.endsWith('.wal')).length).toBeLessThan(6);
      }
    }
    expect(died).toBeGreaterThan(whole.operations * 3);
    expect(settled).toBeGreaterThan(0);
    expect(settled).toBeLessThan(died);
  });
});
