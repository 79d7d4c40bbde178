// A mark that a node leaves in its data-dir when its disk has failed it: the next start verifies everything before it serves, says
// so, and takes the mark away. Whatever it holds, that it is there is what counts: it is written to a disk that fails.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskError } from './errors.ts';
import { diskFiles } from './wal/wal-files.ts';

export const DISK_MARK = 'disk-error.json';

const maxReasonCharacters = 4096;

/** Durable when it resolves. Rejects where the disk takes not even this. */
export async function writeDiskMark(
  directory: string,
  { reason, unixTimeMs }: { readonly reason: string; readonly unixTimeMs: number },
): Promise<void> {
  const path = join(directory, DISK_MARK);
  await diskFiles.remove(path);
  const file = await diskFiles.open(path, 'create');
  try {
    const at = new Date(unixTimeMs).toISOString();
    const text = JSON.stringify({ at, reason: reason.slice(0, maxReasonCharacters) });
    await file.write(Buffer.from(`${text}\n`), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await diskFiles.syncDirectory(directory);
}

/** What it says; undefined where there is none. */
export async function readDiskMark(directory: string): Promise<string | undefined> {
  try {
    const text = await readFile(join(directory, DISK_MARK), 'utf8');
    return text.slice(0, 2 * maxReasonCharacters).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    return 'it cannot be read';
  }
}

/** Durable when it resolves. @throws DiskError 10 */
export async function removeDiskMark(directory: string): Promise<void> {
  try {
    await rm(join(directory, DISK_MARK), { force: true });
    await diskFiles.syncDirectory(directory);
  } catch (error) {
    throw new DiskError(`Taking away ${join(directory, DISK_MARK)}`, error);
  }
}
