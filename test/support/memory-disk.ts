// A disk in memory that implements WalFiles: what was written and what is on stable storage are kept apart, so that a test
// can cut the power, tear the last write, fail any call and count them.
import type { WalFile, WalFileMode, WalFiles } from '../../src/storage/wal/wal-files.ts';

interface Content {
  /** What a reader sees. */
  bytes: Buffer;
  /** What survives a power cut. */
  durable: Buffer;
}

const SECTOR = 512;

/** What was written reaches the medium, and nothing else of the file does. */
function harden(content: Content, position: number, bytes: Uint8Array): void {
  const end = position + bytes.length;
  if (end > content.durable.length) {
    const more = Buffer.alloc(end - content.durable.length);
    content.durable = Buffer.concat([content.durable, more]);
  }
  content.durable.set(bytes, position);
}

/** One call to the disk, as a fault may see it. */
export interface DiskCall {
  readonly action: 'write' | 'sync' | 'open' | 'read' | 'rename' | 'syncDirectory';
  readonly path: string;
  /** Writes only. */
  readonly bytes?: Uint8Array;
  readonly position?: number;
}

export class MemoryDisk implements WalFiles {
  #names = new Map<string, Content>();
  #durableNames = new Map<string, Content>();
  readonly directories = new Set<string>();
  readonly calls: DiskCall[] = [];
  /** Throws, or waits, to break a call; may change the disk first. */
  fault: (call: DiskCall) => void | Promise<void> = () => undefined;

  /** Everything that is not on stable storage is gone; files opened before are not to be used any more. `survives` may save
   * some of it: the names as they are (path ''), and of a file each sector that had not been synced. */
  cutPower(survives: (path: string) => boolean = () => false): void {
    if (survives('')) this.#durableNames = new Map(this.#names);
    else this.#names = new Map(this.#durableNames);
    for (const [path, content] of this.#names) {
      const { bytes, durable } = content;
      for (let at = 0; at < bytes.length; at += SECTOR) {
        const end = Math.min(at + SECTOR, bytes.length);
        const sector = bytes.subarray(at, end);
        if (sector.equals(durable.subarray(at, end)) || !survives(path)) continue;
        harden(content, at, sector);
      }
      content.bytes = Buffer.from(content.durable);
    }
  }

  /** The bytes of a file; changing them is rot. */
  bytesOf(path: string): Buffer {
    return this.#content(path).bytes;
  }

  /** Puts bytes on the disk as a torn write does: into memory and medium, unacknowledged. */
  scribble(path: string, position: number, bytes: Uint8Array): void {
    const content = this.#content(path);
    content.bytes.set(bytes, position);
    harden(content, position, bytes);
  }

  replace(path: string, bytes: Uint8Array): void {
    const content = { bytes: Buffer.from(bytes), durable: Buffer.from(bytes) };
    this.#names.set(path, content);
    this.#durableNames.set(path, content);
  }

  drop(path: string): void {
    this.#names.delete(path);
    this.#durableNames.delete(path);
  }

  /** An independent disk with the same files. */
  copy(): MemoryDisk {
    const other = new MemoryDisk();
    for (const [path, content] of this.#names) other.replace(path, content.bytes);
    return other;
  }

  paths(): readonly string[] {
    return [...this.#names.keys()].toSorted();
  }

  async makeDirectory(directory: string): Promise<void> {
    this.directories.add(directory);
  }

  async list(directory: string): Promise<readonly string[]> {
    const prefix = `${directory}/`;
    return this.paths()
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
  }

  async open(path: string, mode: WalFileMode): Promise<WalFile> {
    await this.#call({ action: 'open', path });
    if (mode === 'create') {
      if (this.#names.has(path)) throw new Error(`EEXIST: ${path}`);
      this.#names.set(path, { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) });
    }
    const content = this.#content(path);
    return {
      size: content.bytes.length,
      read: async (target, position) => {
        await this.#call({ action: 'read', path });
        return content.bytes.copy(target, 0, position, position + target.length);
      },
      write: async (bytes, position) => {
        // As the kernel does: the bytes may still change in the caller's hands once the call has returned.
        const copy = Buffer.from(bytes);
        await this.#call({ action: 'write', path, bytes: copy, position });
        const end = position + copy.length;
        if (end > content.bytes.length) {
          content.bytes = Buffer.concat([content.bytes, Buffer.alloc(end - content.bytes.length)]);
        }
        copy.copy(content.bytes, position);
        if (mode === 'durable') harden(content, position, copy);
      },
      sync: async () => {
        await this.#call({ action: 'sync', path });
        content.durable = Buffer.from(content.bytes);
      },
      close: async () => undefined,
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call({ action: 'rename', path: to });
    this.#names.set(to, this.#content(from));
    this.#names.delete(from);
  }

  async remove(path: string): Promise<void> {
    this.#names.delete(path);
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.#call({ action: 'syncDirectory', path: directory });
    const prefix = `${directory}/`;
    for (const path of this.#durableNames.keys()) {
      if (path.startsWith(prefix) && !this.#names.has(path)) this.#durableNames.delete(path);
    }
    for (const [path, content] of this.#names) {
      if (path.startsWith(prefix)) this.#durableNames.set(path, content);
    }
  }

  async #call(call: DiskCall): Promise<void> {
    this.calls.push(call);
    await this.fault(call);
  }

  #content(path: string): Content {
    const content = this.#names.get(path);
    if (content === undefined) {
      throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    }
    return content;
  }
}
