// How much room the file system of the data-dir has left, for the reserve (docs/adr/0019). A quota of a user or a directory does
// not show in it.
import { statfs } from 'node:fs/promises';

/** Bytes that a process without privileges may still write, Number.MAX_SAFE_INTEGER at most: file systems without an end, as some on a
 * network, say 2^63, which no peer and no caller would take for a count. */
export async function freeSpaceAt(
  directory: string,
  ask: (path: string) => Promise<{ readonly bavail: number; readonly bsize: number }> = statfs,
): Promise<number> {
  const { bavail, bsize } = await ask(directory);
  return Math.min(bavail * bsize, Number.MAX_SAFE_INTEGER);
}
