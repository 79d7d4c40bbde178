// The file layer of the log as a port, so that a simulator can replace the disk and a test can break it; and its
// implementation on node:fs.
import { close, constants, fdatasync, fstat, fsync, open, read, write } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';

/** `read`: reading only. `create`: a new file, `overwrite`: an existing one, their writes durable after sync(). `durable`:
 * an existing file, reading and writing, each write on stable storage when it resolves. */
export type WalFileMode = 'read' | 'create' | 'overwrite' | 'durable';

export interface WalFile {
  /** Bytes, as found when the file was opened. */
  readonly size: number;
  /** Fills `target` from `position`; resolves with fewer bytes only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes` or rejects. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface WalFiles {
  /** Creates the directory and its missing parents; their directory entries are durable when it resolves. */
  makeDirectory(directory: string): Promise<void>;
  /** Names of the files in the directory. */
  list(directory: string): Promise<readonly string[]>;
  open(path: string, mode: WalFileMode): Promise<WalFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes created, renamed and removed names of the directory durable. */
  syncDirectory(directory: string): Promise<void>;
}

const openFd = promisify(open);
const closeFd = promisify(close);
const syncFd = promisify(fsync);
const syncDataFd = promisify(fdatasync);
const statFd = promisify(fstat);

// Linux writes and syncs in one call, which is one trip through the thread pool instead of two. Elsewhere O_DSYNC is
// missing or (macOS) does not reach the medium, while fdatasync there asks the drive to flush.
const dsync = process.platform === 'linux' ? constants.O_DSYNC : 0;

const flags: Record<WalFileMode, number> = {
  read: constants.O_RDONLY,
  create: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
  overwrite: constants.O_WRONLY,
  durable: constants.O_RDWR | dsync,
};

function writeOnce(fd: number, bytes: Uint8Array, from: number, position: number): Promise<number> {
  return new Promise((resolved, rejected) => {
    write(fd, bytes, from, bytes.length - from, position, (error, written) => {
      if (error) rejected(error);
      else resolved(written);
    });
  });
}

function readOnce(fd: number, target: Uint8Array, from: number, position: number): Promise<number> {
  return new Promise((resolved, rejected) => {
    read(fd, target, from, target.length - from, position, (error, got) => {
      if (error) rejected(error);
      else resolved(got);
    });
  });
}

async function openFile(path: string, mode: WalFileMode): Promise<WalFile> {
  const fd = await openFd(path, flags[mode], 0o640);
  const { size } = await statFd(fd);
  const syncAfterWrite = mode === 'durable' && dsync === 0;
  return {
    size,
    read: async (target, position) => {
      let done = 0;
      while (done < target.length) {
        const got = await readOnce(fd, target, done, position + done);
        if (got === 0) break;
        done += got;
      }
      return done;
    },
    write: async (bytes, position) => {
      let done = 0;
      while (done < bytes.length) {
        const written = await writeOnce(fd, bytes, done, position + done);
        if (written === 0) throw new Error('the disk took no byte of a write');
        done += written;
      }
      if (syncAfterWrite) await syncDataFd(fd);
    },
    sync: () => syncFd(fd),
    close: () => closeFd(fd),
  };
}

async function syncDirectory(directory: string): Promise<void> {
  const fd = await openFd(directory, constants.O_RDONLY, 0);
  try {
    await syncFd(fd);
  } finally {
    await closeFd(fd);
  }
}

/** Creates `directory` with its missing parents and makes each new directory entry durable. */
export async function makeDurableDirectory(directory: string): Promise<void> {
  const path = resolve(directory);
  const first = await mkdir(path, { recursive: true, mode: 0o750 });
  // `first` is the topmost directory that was missing: the entries from its parent down to `path` are new. When none was
  // missing, an earlier start may have died between mkdir and sync, so the last entry is synced in any case.
  const top = dirname(first ?? path);
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    await syncDirectory(parent);
    if (parent === top || parent === dirname(parent)) return;
  }
}

/** The real disk. */
export const diskFiles: WalFiles = {
  makeDirectory: makeDurableDirectory,
  list: (directory) => readdir(directory),
  open: openFile,
  rename,
  remove: (path) => rm(path, { force: true }),
  syncDirectory,
};
