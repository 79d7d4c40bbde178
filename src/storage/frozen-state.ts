// Looks at a LevelDB directory without changing it. LevelDB cannot open one for reading only: it writes a new manifest and
// moves its log into a table. So it is given a directory of its own that holds links to the files, which it only ever reads:
// what it writes, renames and removes there is that directory's alone.
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** LevelDB makes these anew; a link would hand it the original to write to. */
const OWN_FILES = new Set(['LOCK', 'LOG', 'LOG.old']);

/** Runs `work` with the path of the view, and removes that afterwards. */
export async function withFrozen<T>(
  directory: string,
  work: (view: string) => Promise<T>,
): Promise<T> {
  const view = await mkdtemp(join(tmpdir(), 'rollcall-view-'));
  try {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const { name } = entry;
      if (!entry.isFile() || OWN_FILES.has(name)) continue;
      const original = resolve(directory, name);
      // Replaced by a rename, so a copy is as good, and a link would be a way back to the original.
      if (name === 'CURRENT') await writeFile(join(view, name), await readFile(original));
      else await symlink(original, join(view, name));
    }
    return await work(view);
  } finally {
    await rm(view, { recursive: true, force: true });
  }
}
