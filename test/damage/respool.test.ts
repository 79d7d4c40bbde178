// A log that is written anew for the matrix: several segments whatever its size, and the same content.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkData, isSound } from '../../src/storage/data-check.ts';
import { makeDataDir } from '../support/data-dirs.ts';
import { respool } from './respool.ts';
import { filesOf, logBytes } from './situations.ts';
import { readTree } from './stored-file.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rollcall-respool-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test.for([
  ['short', { instances: 30, flushedAt: 10 }],
  ['shortened', { instances: 50, flushedAt: 20, trimmed: true, uncommitted: 2 }],
  ['long', { instances: 300, flushedAt: 200 }],
] as const)('a %s log gets an oldest segment, and loses nothing', async ([, plan]) => {
  const directory = join(root, 'n1');
  await makeDataDir(directory, plan);
  const before = await checkData(directory);
  await respool(directory, logBytes(readTree(directory)));
  expect(filesOf('segment-oldest', readTree(directory))).toHaveLength(1);
  const after = await checkData(directory);
  expect(isSound(after)).toBe(true);
  expect(after.log?.image).toEqual(before.log?.image);
  expect(after.rebuilt?.registry.meta()).toEqual(before.rebuilt?.registry.meta());
});
