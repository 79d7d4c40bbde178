// check-data on a file system that takes no file, as one that a kernel has made read-only after an error. It is a real one, so the test
// needs the right to mount.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, type TestContext, test } from 'vitest';
import { checkData, isSound } from '../../src/storage/data-check.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { makeDataDir, options } from '../support/data-dirs.ts';

let root: string;
let directory: string;
let frozen: string | undefined;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'rollcall-read-only-'));
  directory = join(root, 'n1');
  await makeDataDir(directory, { instances: 20, flushedAt: 10 });
});
afterEach(() => {
  if (frozen !== undefined) execFileSync('umount', [frozen]);
  frozen = undefined;
  rmSync(root, { recursive: true });
});

/** The same directory, seen through a mount that takes no writes. */
function readOnly(context: TestContext): string {
  const place = join(root, 'frozen');
  mkdirSync(place);
  try {
    execFileSync('mount', ['--bind', directory, place], { stdio: 'pipe' });
  } catch (error) {
    const reason = `nothing can be mounted here: ${String(error)}`;
    process.stderr.write(`${reason}\n`);
    return context.skip(reason);
  }
  frozen = place;
  execFileSync('mount', ['-o', 'remount,ro,bind', place]);
  return place;
}

test('what is read-only is read without the lock, and that is said', async (context) => {
  const check = await checkData(readOnly(context));
  expect(check.findings[0]).toMatchObject({
    part: 'directory',
    verdict: 'note',
    text: expect.stringMatching(/read-only.*without the lock/),
  });
  expect(isSound(check)).toBe(true);
  expect(check.rebuilt?.registry.instanceCount).toBe(20);
});

test('what is read-only and in use is refused as ever', async (context) => {
  const dataDir = await openDataDir(directory, options);
  const place = readOnly(context);
  await expect(checkData(place)).rejects.toMatchObject({
    exitCode: 14,
    message: expect.stringContaining(`in use by process ${process.pid}`),
  });
  await dataDir.release();
  expect(isSound(await checkData(place))).toBe(true);
});
