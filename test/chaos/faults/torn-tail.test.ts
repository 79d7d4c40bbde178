// The torn write of the chaos harness against the real log: it is seen and cut, and nothing that was written before is touched.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededRandom } from '../../../src/lib/random.ts';
import { openWal } from '../../../src/storage/wal/open-wal.ts';
import { LogModel, payload } from '../../support/log-batches.ts';
import { expectEntries, expectLog } from '../../support/wal-fixtures.ts';
import { tearTail } from './torn-tail.ts';

let dataDir = '';
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'torn-tail-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

// Each seed leaves out another sector of the frame, the first one too.
test.for([1, 2, 3, 4, 5, 6, 7, 8])(
  'a torn tail is cut and nothing else (seed %i)',
  async (seed) => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    const options = { segmentBytes: 64 * 1024, log };
    const directory = join(dataDir, 'wal');
    const model = new LogModel();
    const wal = await openWal(directory, options);
    for (let write = 0; write < 5; write++)
      await wal.append(model.next({ rise: 1, payloads: [payload(100), payload(700, 2)] }));
    await wal.close();

    await tearTail(dataDir, seededRandom(seed));

    const again = await openWal(directory, options);
    await expectLog(again, model);
    await again.append(model.next({ payloads: [payload(50)] }));
    await expectEntries(again, model);
    await again.close();
    expect(lines.join('')).toContain('torn and never acknowledged: cut');
  },
);
