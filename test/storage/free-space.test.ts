// How much room is left, as a number that peers and callers take.
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { freeSpaceAt } from '../../src/storage/free-space.ts';
import { frameFromArray, frameToArray } from '../../src/transport/frame-wire.ts';

test('is what the file system says', async () => {
  const asked: string[] = [];
  const bytes = await freeSpaceAt('somewhere', (path) => {
    asked.push(path);
    return Promise.resolve({ bavail: 1000, bsize: 4096 });
  });
  expect([bytes, asked]).toEqual([4_096_000, ['somewhere']]);
  expect(await freeSpaceAt(tmpdir())).toBeGreaterThanOrEqual(0);
});

// Amazon EFS is one that does.
test('of a file system that says it has no end is a count that a peer takes all the same', async () => {
  const freeBytes = await freeSpaceAt('somewhere', () =>
    Promise.resolve({ bavail: 2 ** 53 - 1, bsize: 1 << 20 }),
  );
  const report = { kind: 'diskReport', freeBytes, short: false } as const;
  expect(frameFromArray(frameToArray(report))).toEqual(report);
});
