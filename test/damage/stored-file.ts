// Files of a data-dir in memory, to be damaged, put back, or given to somebody else. Segments are zero behind what was written, so
// only their beginning is kept.
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { closeSync, openSync, readSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface StoredFile {
  /** Up to the last byte that is not zero, and no less than what lies before the first zeros of 1 MiB. */
  readonly used: Buffer;
  readonly size: number;
}

/** Relative path to content. Sockets are there as empty files of size -1. */
export type StoredTree = ReadonlyMap<string, StoredFile>;

const windowBytes = 1 << 20;
const zeros = Buffer.alloc(windowBytes);

const socket: StoredFile = { used: Buffer.alloc(0), size: -1 };

/** Without the zeros at its end. */
function trimmed(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

export function readStored(path: string): StoredFile {
  const { size } = lstatSync(path);
  const fd = openSync(path, 'r');
  const windows: Buffer[] = [];
  try {
    for (let at = 0; at < size; at += windowBytes) {
      const window = Buffer.alloc(Math.min(windowBytes, size - at));
      readSync(fd, window, 0, window.length, at);
      if (window.equals(zeros)) break;
      windows.push(window);
    }
  } finally {
    closeSync(fd);
  }
  return { used: trimmed(Buffer.concat(windows)), size };
}

export function writeStored(path: string, { used, size }: StoredFile): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, used);
  truncateSync(path, size);
}

/** Paths of all files below, relative to the directory, sorted. */
export function listTree(directory: string, below = ''): readonly string[] {
  const entries = readdirSync(join(directory, below), { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      return entry.isDirectory() ? listTree(directory, path) : [path];
    })
    .toSorted();
}

export function readTree(directory: string): StoredTree {
  const isSocket = (path: string): boolean => lstatSync(join(directory, path)).isSocket();
  return new Map(
    listTree(directory).map((path) => [
      path,
      isSocket(path) ? socket : readStored(join(directory, path)),
    ]),
  );
}

/** Makes the files below `part` those of the tree, and no others; '' is the whole directory. Sockets are left out. */
export function putBack(directory: string, tree: StoredTree, part: string): void {
  rmSync(join(directory, part), { recursive: true, force: true });
  for (const [path, file] of tree) {
    const within = path === part || path.startsWith(`${part}/`);
    if (within && file !== socket) writeStored(join(directory, path), file);
  }
}
