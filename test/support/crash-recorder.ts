// The file layer of the state store on a real disk, which keeps a copy of the directory at each step: as a killed process
// would leave it, and as a power cut would, that takes every byte and name that nobody has synced.
import { cp, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stateFiles, type StateFiles } from '../../src/storage/state-files.ts';

export interface CrashCopy {
  /** `before rename state.incoming`, with `, power` after it for a power cut. */
  readonly label: string;
  /** What the test was doing, in its own words. */
  readonly phase: string;
  readonly directory: string;
}

export class CrashRecorder implements StateFiles {
  phase = '';
  readonly copies: CrashCopy[] = [];
  readonly #root: string;
  readonly #target: string;
  /** Inode and size of what was synced, and inodes whose names were. */
  readonly #bytes = new Map<number, number>();
  readonly #names = new Set<number>();
  /** LevelDB keeps its own open store durable; only what is staged is asked to be. */
  readonly #staged = new Set<number>();

  /** Copies of `root` go below `target`. */
  constructor(root: string, target: string) {
    this.#root = root;
    this.#target = target;
  }

  makeDirectory(directory: string): Promise<void> {
    return this.#at(`make ${this.#short(directory)}`, () => stateFiles.makeDirectory(directory));
  }

  list(directory: string): Promise<readonly string[]> {
    return stateFiles.list(directory);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#at(`rename ${this.#short(from)}`, () => stateFiles.rename(from, to));
  }

  async remove(path: string): Promise<void> {
    await this.#at(`remove ${this.#short(path)}`, () => stateFiles.remove(path));
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.#at(`write ${this.#short(path)}`, () => stateFiles.write(path, bytes));
  }

  async syncFile(path: string): Promise<void> {
    await stateFiles.syncFile(path);
    const { ino, size } = await stat(path);
    this.#bytes.set(ino, size);
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.#at(`sync ${this.#short(directory)}`, () => stateFiles.syncDirectory(directory));
    for (const name of await readdir(directory)) {
      this.#names.add((await stat(join(directory, name))).ino);
    }
  }

  #short(path: string): string {
    return path === this.#root ? 'parent' : path.slice(this.#root.length + 1);
  }

  /** What a step leaves is what the next one finds. */
  async #at(step: string, run: () => Promise<void>): Promise<void> {
    await this.keep(`before ${step}`);
    await run();
  }

  /** Copies what is there now. */
  async keep(label: string): Promise<void> {
    await this.#noteStaged();
    await this.#copy(label);
    await this.#cutPower(await this.#copy(`${label}, power`));
  }

  async #copy(label: string): Promise<string> {
    for (;;) {
      const directory = await mkdtemp(join(this.#target, 'copy-'));
      try {
        await cp(this.#root, directory, { recursive: true });
        this.copies.push({ label, phase: this.phase, directory });
        return directory;
      } catch (error) {
        // LevelDB removes files it has no more use for in the background: then the copy is made anew.
        if (!isAbsence(error)) throw error;
      }
    }
  }

  async #noteStaged(): Promise<void> {
    for (const { path, ino } of await filesBelow(this.#root)) {
      if (dirname(path).endsWith('.incoming')) this.#staged.add(ino);
    }
  }

  async #cutPower(copy: string): Promise<void> {
    for (const { path, ino, size } of await filesBelow(this.#root)) {
      if (!this.#staged.has(ino)) continue;
      const copied = join(copy, path.slice(this.#root.length));
      if (!this.#names.has(ino)) await rm(copied, { force: true });
      else if (this.#bytes.get(ino) !== size) await truncate(copied, 0);
    }
  }
}

interface Found {
  readonly path: string;
  readonly ino: number;
  readonly size: number;
}

async function filesBelow(directory: string): Promise<readonly Found[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found: Found[] = [];
  for (const entry of entries.filter((candidate) => candidate.isFile())) {
    const path = join(entry.parentPath, entry.name);
    try {
      const { ino, size } = await stat(path);
      found.push({ path, ino, size });
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
  }
  return found;
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
