// Work on the files of a node that does not run: the errors of storage say with which code the command ends.
import { CommandFailed } from './context.ts';
import { EXIT } from './exit-codes.ts';

export async function offline<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = 'exitCode' in error ? Number(error.exitCode) : EXIT.failed;
    throw new CommandFailed(error.message, code);
  }
}
