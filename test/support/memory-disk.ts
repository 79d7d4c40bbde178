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

/** A change to the names that its directory's sync has not made durable yet. */
interface NameChange {
  readonly removed: string;
  readonly added: { readonly path: string; readonly content: Content } | undefined;
}

/** One call to the disk, as a fault may see it. */
export interface DiskCall {
  readonly action: 'write' | 'sync' | 'open' | 'read' | 'rename' | 'remove' | 'syncDirectory';
  /** Of a rename: the new name. */
  readonly path: string;
  /** Writes only. */
  readonly bytes?: Uint8Array;
  /** Of a write or a read. */
  readonly position?: number;
}

export class MemoryDisk implements WalFiles {
  #names = new Map<string, Content>();
  #durableNames = new Map<string, Content>();
  #pending: NameChange[] = [];
  readonly directories = new Set<string>();
  readonly calls: DiskCall[] = [];
  /** Throws, or waits, to break a call; may change the disk first. */
  fault: (call: DiskCall) => void | Promise<void> = () => undefined;

  /** Everything that is not on stable storage is gone; files opened before are not to be used any more. `survives` may save
   * some of it: each change to the names by itself (path ''), and of a file each sector that had not been synced. */
  cutPower(survives: (path: string) => boolean = () => false): void {
    for (const change of this.#pending.splice(0)) if (survives('')) this.#settleName(change);
    this.#names = new Map(this.#durableNames);
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
      this.#rename({
        removed: path,
        added: { path, content: { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) } },
      });
    }
    const content = this.#content(path);
    return {
      size: content.bytes.length,
      read: async (target, position) => {
        await this.#call({ action: 'read', path, position });
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
    this.#rename({ removed: from, added: { path: to, content: this.#content(from) } });
  }

  async remove(path: string): Promise<void> {
    await this.#call({ action: 'remove', path });
    if (this.#names.has(path)) this.#rename({ removed: path, added: undefined });
  }

  async syncDirectory(directory: string): Promise<void> {
    const prefix = `${directory}/`;
    const covered = this.#pending.filter(({ removed }) => removed.startsWith(prefix));
    await this.#call({ action: 'syncDirectory', path: directory });
    // Another sync, or a power cut, may have settled some of them meanwhile.
    const settled = new Set(covered.filter((change) => this.#pending.includes(change)));
    for (const change of settled) this.#settleName(change);
    this.#pending = this.#pending.filter((change) => !settled.has(change));
  }

  #rename(change: NameChange): void {
    this.#names.delete(change.removed);
    if (change.added !== undefined) this.#names.set(change.added.path, change.added.content);
    this.#pending.push(change);
  }

  #settleName({ removed, added }: NameChange): void {
    this.#durableNames.delete(removed);
    if (added !== undefined) this.#durableNames.set(added.path, added.content);
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
