// Work on the files of a node that does not run: the errors of storage say with which code the command ends.
import { isRefusedByDisk } from '../storage/errors.ts';
import { CommandFailed } from './context.ts';
import { EXIT } from './exit-codes.ts';

export async function offline<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CommandFailed(error.message, codeOf(error));
  }
}

/** Files that are no part of a data-dir, as a backup, have no error of their own. */
function codeOf(error: Error): number {
  if ('exitCode' in error) return Number(error.exitCode);
  return isRefusedByDisk(error) ? EXIT.diskError : EXIT.failed;
}
