// A directory as one small file: what is not zero of every file, compressed. A log is mostly zeros, set aside for later.
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';

interface PackedFile {
  readonly path: string;
  readonly bytes: number;
  /** Where there is something: offset and length. */
  readonly blocks: readonly (readonly [number, number])[];
}

const blockBytes = 4096;
const zeros = Buffer.alloc(blockBytes);

/** Sockets and LevelDB's diary are left out; `leaves` says what else. */
export function pack(directory: string, leaves: (path: string) => boolean = () => false): Buffer {
  const files: PackedFile[] = [];
  const content: Buffer[] = [];
  for (const path of filesIn(directory)) {
    if (/(^|\/)LOG(\.old)?$/.test(path) || leaves(path)) continue;
    const bytes = readFileSync(join(directory, path));
    const blocks: [number, number][] = [];
    for (let at = 0; at < bytes.length; at += blockBytes) {
      const block = bytes.subarray(at, at + blockBytes);
      if (block.equals(zeros.subarray(0, block.length))) continue;
      blocks.push([at, block.length]);
      content.push(block);
    }
    files.push({ path, bytes: bytes.length, blocks });
  }
  const head = Buffer.from(`${JSON.stringify(files)}\n`);
  return brotliCompressSync(Buffer.concat([head, ...content]));
}

function filesIn(directory: string): readonly string[] {
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
  return paths.toSorted();
}

export function unpack(packed: Uint8Array, into: string): void {
  const bytes = brotliDecompressSync(packed);
  const headEnd = bytes.indexOf('\n');
  const files = JSON.parse(bytes.toString('utf8', 0, headEnd)) as readonly PackedFile[];
  let from = headEnd + 1;
  for (const file of files) {
    const path = join(into, file.path);
    mkdirSync(dirname(path), { recursive: true });
    const descriptor = openSync(path, 'wx');
    ftruncateSync(descriptor, file.bytes);
    for (const [at, length] of file.blocks) {
      writeSync(descriptor, bytes, from, length, at);
      from += length;
    }
    closeSync(descriptor);
  }
}
