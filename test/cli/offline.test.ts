// With which code a command ends that works on files.
import { expect, test } from 'vitest';
import { CommandFailed } from '../../src/cli/context.ts';
import { offline } from '../../src/cli/offline.ts';
import { DataDirError } from '../../src/storage/errors.ts';

const failure = (code: string): Error => Object.assign(new Error(`${code}: refused`), { code });

test.each([
  [failure('ENOSPC'), 10],
  [failure('EROFS'), 10],
  [failure('EIO'), 10],
  [failure('ENOENT'), 1],
  [new Error('the clock is wrong'), 1],
  [new DataDirError(14, 'in use'), 14],
])('%s ends a command with %i', async (error, exitCode) => {
  const ended = await offline(() => Promise.reject(error)).catch((caught: unknown) => caught);
  expect(ended).toBeInstanceOf(CommandFailed);
  expect(ended).toMatchObject({ message: error.message, exitCode });
});
