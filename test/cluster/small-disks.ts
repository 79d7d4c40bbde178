// A small disk for each server: a tmpfs of its own where the server's data-dir will be, and a ballast that fills it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEBIBYTE = 1 << 20;
const CHUNK = Buffer.alloc(MEBIBYTE, 1);

/** Why no disk can be made here; undefined where it can. */
export function mountProblem(): string | undefined {
  const place = mkdtempSync(join(tmpdir(), 'rollcall-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'rollcall-test', place], {
      stdio: 'pipe',
    });
    execFileSync('umount', [place]);
    return undefined;
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer };
    return `no file system may be mounted here: ${stderr?.toString().trim() ?? String(error)}`;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

export class SmallDisks {
  /** For the cluster; each node's data-dir is on a disk of its own. */
  readonly directory: string;
  readonly #places: readonly string[];

  constructor(nodes: readonly string[], sizeMiB: number) {
    this.directory = mkdtempSync(join(tmpdir(), 'rollcall-disks-'));
    this.#places = nodes.map((node) => join(this.directory, node));
    for (const place of this.#places) {
      mkdirSync(place);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'rollcall-test', place]);
    }
  }

  freeBytes(node: string): number {
    const { bavail, bsize } = statfsSync(join(this.directory, node));
    return bavail * bsize;
  }

  /** Takes all that is left. */
  fill(node: string): void {
    const ballast = join(this.directory, node, 'ballast');
    for (const chunk of [CHUNK, CHUNK.subarray(0, 4096)]) {
      try {
        for (;;) writeFileSync(ballast, chunk, { flag: 'a' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  }

  makeRoom(node: string): void {
    rmSync(join(this.directory, node, 'ballast'), { force: true });
  }

  /** Once no server runs on them. */
  remove(): void {
    for (const place of this.#places) execFileSync('umount', [place]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
