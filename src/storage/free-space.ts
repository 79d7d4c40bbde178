// How much room the file system of the data-dir has left, for the reserve (docs/adr/0019). A quota of a user or a directory does
// not show in it.
import { statfs } from 'node:fs/promises';

/** Bytes that a process without privileges may still write. */
export async function freeSpaceAt(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
