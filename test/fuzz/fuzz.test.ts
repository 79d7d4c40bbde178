// Bytes that are not what they should be, at every reader: an answer, or an error of the type that the part has for them. `npm run fuzz`
// does the same for longer (docs/testing.md).
import * as fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { removeScratch } from './file-targets.ts';
import { targets } from './targets.ts';

const casesInAll = 5500;
const casesOfEach = Math.ceil(casesInAll / targets.length);

afterAll(removeScratch);

test('every reader of bytes is a target', () => {
  expect(targets.map(({ name }) => name)).toEqual([
    'log',
    'log-frames',
    'small-files',
    'snapshot',
    'backup',
    'records',
    'peer-messages',
    'entries',
    'tokens',
    'requests',
    'configuration',
  ]);
});

// The small files go through the file system: a thousand cases take long on a machine that has much else to do.
test.for(targets)(
  '$name: bad input is refused by type, and costs no memory',
  { timeout: 180_000 },
  async ({ property }) => {
    let cases = 0;
    await fc.assert(
      property(() => cases++),
      { numRuns: casesOfEach },
    );
    expect(cases).toBe(casesOfEach);
  },
);
