// What the state store does with whole files and directories, beside LevelDB's own work: as a port, so that a test can stop
// it at each step and see what a crash leaves.
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { diskFiles, makeDurableDirectory } from './wal/wal-files.ts';

export interface StateFiles {
  /** Creates the directory and its missing parents; their directory entries are durable when it resolves. */
  makeDirectory(directory: string): Promise<void>;
  /** Names in the directory. */
  list(directory: string): Promise<readonly string[]>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or a directory with all it holds. What is not there is no error. */
  remove(path: string): Promise<void>;
  /** A new file; its bytes are durable when it resolves, its name once the directory is synced. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Makes the bytes of an existing file durable, whoever wrote them. */
  syncFile(path: string): Promise<void>;
  /** Makes created, renamed and removed names of the directory durable. */
  syncDirectory(directory: string): Promise<void>;
}

export const stateFiles: StateFiles = {
  makeDirectory: makeDurableDirectory,
  list: (directory) => readdir(directory),
  rename: (from, to) => diskFiles.rename(from, to),
  remove: (path) => rm(path, { recursive: true, force: true }),
  async write(path, bytes) {
    const file = await diskFiles.open(path, 'create');
    try {
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async syncFile(path) {
    const file = await diskFiles.open(path, 'read');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  },
  syncDirectory: (directory) => diskFiles.syncDirectory(directory),
};

/** Where things are; all in one directory, so that each takes the place of another by one rename. */
export interface StatePaths {
  readonly parent: string;
  /** The content in use. */
  readonly current: string;
  /** A snapshot that is coming in, or has. */
  readonly incoming: string;
  /** A file: what came in is whole. */
  readonly marker: string;
  /** The content that was in use until a snapshot took its place. */
  readonly old: string;
}

export function statePaths(directory: string): StatePaths {
  return {
    parent: dirname(directory),
    current: directory,
    incoming: `${directory}.incoming`,
    marker: `${directory}.sealed`,
    old: `${directory}.old`,
  };
}

/** Which of the paths exist. */
export async function presentPaths(
  files: StateFiles,
  paths: StatePaths,
): Promise<ReadonlySet<string>> {
  const names = await files.list(paths.parent);
  return new Set(names.map((name) => join(paths.parent, name)));
}

/** The bytes of a small file, or undefined. */
export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch((error: unknown) => {
    if (isAbsence(error)) return undefined;
    throw error;
  });
}

/** Bytes of all files at the path and below it; about, because files come and go meanwhile. */
export async function bytesUnder(path: string): Promise<number> {
  try {
    const found = await stat(path);
    if (!found.isDirectory()) return found.size;
    const sizes = await Promise.all(
      (await readdir(path)).map((name) => bytesUnder(join(path, name))),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch (error) {
    if (isAbsence(error)) return 0;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
