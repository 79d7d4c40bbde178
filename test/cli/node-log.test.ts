// The log files of a development cluster stay bounded, whatever a node says.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openNodeLog } from '../../src/cli/dev/node-log.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-log-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const end = (log: NodeJS.WritableStream): Promise<void> =>
  new Promise((resolve) => {
    log.end(() => resolve());
  });

test('a node log keeps the newest lines in two files of at most the limit', async () => {
  const path = join(directory, 'node.log');
  const log = openNodeLog(path, 100);
  for (let line = 0; line < 100; line++) log.write(`line ${line}\n`);
  await end(log);
  expect(readdirSync(directory).toSorted()).toEqual(['node.log', 'node.log.1']);
  for (const name of readdirSync(directory)) {
    expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(100);
  }
  expect(readFileSync(path, 'utf8')).toMatch(/line 99\n$/);
});

test('a node log is continued by the next start', async () => {
  const path = join(directory, 'node.log');
  for (const text of ['first\n', 'second\n']) {
    const log = openNodeLog(path, 100);
    log.write(text);
    await end(log);
  }
  expect(readFileSync(path, 'utf8')).toBe('first\nsecond\n');
});
