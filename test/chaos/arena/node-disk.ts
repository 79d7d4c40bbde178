// The disk of one node. Where the host allows it, an ext4 of its own in a file: its power can be cut, and it comes back with
// what had reached the medium. Else a directory.
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pollUntil } from '../../support/poll.ts';
import type { ArenaNode, NodeDisk } from './arena.ts';
import { run, whyNoProgram } from './command.ts';
import type { ControlPage } from './control-page.ts';
import { compile } from './native-code.ts';

/** Sparse: it takes what was ever written to it. */
const imageBytes = 1024 ** 3;
// A rename over a file would otherwise sync that file on its own, and the journal would be committed every 5 s: mercies
// that hide a missing sync.
const mountOptions = 'loop,noatime,noauto_da_alloc,commit=60';

/** Appends until there is no room for a block. */
const drain = ['if=/dev/zero', 'bs=4096', 'oflag=append', 'conv=notrunc', 'status=none'];

/** An ext4 in a file, mounted where its node has its data. */
export class Volume {
  readonly directory: string;
  readonly #image: string;
  readonly #powerCut: string;

  private constructor(directory: string, powerCut: string) {
    this.directory = directory;
    this.#image = `${directory}.img`;
    this.#powerCut = powerCut;
  }

  static async create(directory: string, powerCut: string): Promise<Volume> {
    const volume = new Volume(directory, powerCut);
    const file = openSync(volume.#image, 'wx');
    ftruncateSync(file, imageBytes);
    closeSync(file);
    // Everything is laid out now: nothing is left for the kernel to do in the background of a run.
    const layout = ['-N', '16384', '-m', '0', '-J', 'size=32'];
    layout.push('-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard');
    await run('mkfs.ext4', ['-q', '-F', ...layout, volume.#image]);
    mkdirSync(directory);
    await volume.#mount();
    return volume;
  }

  #mount(): Promise<string> {
    return run('mount', ['-t', 'ext4', '-o', mountOptions, this.#image, this.directory]);
  }

  /** Whoever wrote to it must be gone already. */
  async cutPower(): Promise<void> {
    await run(this.#powerCut, [this.directory]);
    await this.#unmount();
    await this.#mount();
  }

  /** Blocks are taken without being written: at once, and nothing of it reaches the host's disk. */
  async fill(leaveBytes: number): Promise<void> {
    await this.clear();
    const { bavail, bsize } = await statfs(this.directory);
    const bytes = bavail * bsize - leaveBytes;
    if (bytes <= 0) return;
    // The file system needs a few blocks to keep account of the file itself.
    const account = 64 * bsize;
    await run('fallocate', ['-l', String(Math.max(bsize, bytes - account)), this.#filler]);
    if (leaveBytes === 0) await run('dd', [...drain, `of=${this.#filler}`]).catch(() => undefined);
  }

  async clear(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.directory, 'filler');
  }

  async remove(): Promise<void> {
    await this.#unmount();
    rmSync(this.#image);
  }

  async #unmount(): Promise<void> {
    const busyMs = 10_000;
    await pollUntil(() => run('umount', [this.directory]).then(() => true), {
      what: `${this.directory} to be unmounted`,
      timeoutMs: busyMs,
      everyMs: 20,
    });
    // A container that starts just now has a copy of all mounts for a moment. As long as one is left, the file system is
    // in use: mounted again it would be the one without power.
    await pollUntil(async () => (await run('losetup', ['--associated', this.#image])) === '', {
      what: `the last mount of ${this.#image} to go`,
      timeoutMs: busyMs,
      everyMs: 20,
    });
  }
}

/** Compiles what cuts the power and tries it on a volume. Rejects with the reason why this host cannot. */
export async function preparePowerCut(directory: string): Promise<string> {
  if (process.getuid?.() !== 0) throw new Error('mounting needs root');
  const missing = ['mkfs.ext4', 'mount', 'umount', 'losetup', 'fallocate']
    .map(whyNoProgram)
    .find(Boolean);
  if (missing !== undefined) throw new Error(missing);
  const powerCut = await compile('power-cut.c', directory);
  const volume = await Volume.create(join(directory, 'probe'), powerCut);
  try {
    const synced = join(volume.directory, 'synced');
    writeFileSync(synced, 'stays', { flush: true });
    const lost = await loses(volume, () => volume.cutPower());
    if (!lost) throw new Error('what was not synced outlived a power cut');
    if (readFileSync(synced, 'utf8') !== 'stays') throw new Error('what was synced was lost');
    return powerCut;
  } finally {
    await volume.remove();
  }
}

/** Whether a file that was written and not synced just before is gone, or has lost what it held. */
async function loses(volume: Volume, cut: () => Promise<void>): Promise<boolean> {
  const file = join(volume.directory, 'unsynced');
  const bytes = randomBytes(64 * 1024);
  writeFileSync(file, bytes);
  await cut();
  const left = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  rmSync(file, { force: true });
  return !left.equals(bytes);
}

/** Makes a directory as whoever sets up a host does: it is there for good before a server uses it. */
export function makeDataDir(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true });
  syncDirectory(join(dataDir, '..'));
}

function syncDirectory(directory: string): void {
  const file = openSync(directory, 'r');
  fsyncSync(file);
  closeSync(file);
}

export interface DiskParts {
  readonly node: ArenaNode;
  readonly volume: Volume | undefined;
  readonly page: ControlPage | undefined;
  /** Why there is no volume, and no page. */
  readonly reasons: { readonly power: string; readonly slowDisk: string };
}

export function createDisk({ node, volume, page, reasons }: DiskParts): NodeDisk {
  return {
    cutPower: () => {
      if (volume === undefined) return Promise.reject(new Error(reasons.power));
      return loses(volume, async () => {
        await node.kill();
        await volume.cutPower();
      });
    },
    slow: (delayMs) => {
      if (page === undefined) return Promise.reject(new Error(reasons.slowDisk));
      if (!(delayMs >= 0 && delayMs <= 60_000)) {
        return Promise.reject(new RangeError(`a write waits 0 to 60000 ms, not ${delayMs}`));
      }
      page.write('syncDelayUs', Math.round(delayMs * 1000));
      return Promise.resolve();
    },
    fail: () => {
      if (page === undefined) return Promise.reject(new Error(reasons.slowDisk));
      page.write('failsWrites', 1);
      return Promise.resolve();
    },
    normal: () => {
      page?.write('syncDelayUs', 0);
      page?.write('failsWrites', 0);
      return Promise.resolve();
    },
    delayed: () => Promise.resolve(page?.read('delayedSyncs') ?? 0),
    failed: () => Promise.resolve(page?.read('failedWrites') ?? 0),
    fill: (leaveBytes) => volume?.fill(leaveBytes) ?? Promise.reject(new Error(reasons.power)),
    clear: () => volume?.clear() ?? Promise.resolve(),
    wipe: () => {
      if (node.running) return Promise.reject(new Error(`${node.id} runs: its disk is in use`));
      for (const name of readdirSync(node.dataDir)) {
        rmSync(join(node.dataDir, name), { recursive: true, force: true });
      }
      // A power cut later on does not bring it back.
      syncDirectory(node.dataDir);
      return Promise.resolve();
    },
  };
}
