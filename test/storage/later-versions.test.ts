// What a later version wrote is refused by name, is not taken for damage, and is left as it is (docs/compatibility.md). Each file of a
// data-dir is given the next format, with checksums that are right.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ClassicLevel } from 'classic-level';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logIndex } from '../../src/lib/ids.ts';
import { UnknownFormatError } from '../../src/lib/unknown-format.ts';
import { imageHasher } from '../../src/registry/index.ts';
import { checkData } from '../../src/storage/data-check.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import { runProgram } from '../../src/cli/program.ts';
import { FakeContext } from '../support/cli-context.ts';
import { copyDataDir, makeDataDir, options } from '../support/data-dirs.ts';

let root: string;
let pristine: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'rollcall-later-'));
  pristine = join(root, 'pristine');
  await makeDataDir(pristine, { instances: 20, flushedAt: 15 });
});
afterAll(() => rmSync(root, { recursive: true }));

const checksumOf = (fields: unknown): string =>
  crc32(JSON.stringify(fields)).toString(16).padStart(8, '0');
const sealedRow = (fields: readonly unknown[]): string =>
  JSON.stringify([...fields, checksumOf(fields)]);

function laterIdentity(directory: string): void {
  const path = join(directory, 'identity.json');
  const { checksum: _, ...fields } = JSON.parse(readFileSync(path, 'utf8'));
  const later = { ...fields, formatVersion: 3, incarnation: { of: 'another kind' } };
  const text = JSON.stringify({ ...later, checksum: checksumOf(later) }, undefined, 2);
  writeFileSync(path, `${text}\n`);
}

const segmentOf = (directory: string): string => join(directory, 'wal', '0000000001.wal');

function laterSegment(directory: string): void {
  const bytes = readFileSync(segmentOf(directory));
  bytes.writeUInt32LE(2, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(16, 512), crc32(bytes.subarray(0, 12))), 12);
  writeFileSync(segmentOf(directory), bytes);
}

/** Changes the first frame, and makes its checksums right again. */
function inFirstFrame(change: (frame: Buffer) => void): (directory: string) => void {
  return (directory) => {
    const bytes = readFileSync(segmentOf(directory));
    const frame = bytes.subarray(512);
    change(frame);
    const previous = frame.readUInt32LE(12);
    const body = frame.readUInt32LE(16);
    const sectors = body <= 472 ? 1 : 1 + Math.ceil((body - 472) / 508);
    frame.writeUInt32LE(crc32(frame.subarray(40, sectors * 512), previous), 8);
    const header = crc32(frame.subarray(8, 40), crc32(frame.subarray(0, 4), previous));
    frame.writeUInt32LE(header, 4);
    writeFileSync(segmentOf(directory), bytes);
  };
}

async function laterState(directory: string): Promise<void> {
  const level = new ClassicLevel<string, Uint8Array>(join(directory, 'state'), {
    valueEncoding: 'view',
  });
  const row = JSON.parse(Buffer.from((await level.get('!meta')) ?? []).toString()) as unknown[];
  const later = [3, 'a new first field', ...row.slice(1, -1)];
  await level.put('!meta', Buffer.from(sealedRow(later)));
  await level.close();
}

function laterMarker(directory: string): void {
  writeFileSync(join(directory, 'state.sealed'), sealedRow([2, 'what it is', 15]));
}

/** As a start opens it. */
async function open(directory: string): Promise<void> {
  const dataDir = await openDataDir(directory, options);
  const owner = dataDir.identity.incarnation;
  try {
    const wal = await openWal(dataDir.walPath, { owner, formed: true });
    await wal.close();
    const state = await openStateStore(dataDir.statePath, {
      imageHasher,
      owner,
      floorIndex: logIndex(0),
    });
    await state.close();
  } finally {
    await dataDir.release();
  }
}

/** All files but those that LevelDB writes anew whenever it opens a directory. */
function contentOf(directory: string): ReadonlyMap<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('state'))
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((path) => [path, readFileSync(path).toString('base64')]));
}

const body = 40;
const cases: readonly {
  readonly part: string;
  readonly change: (directory: string) => void | Promise<void>;
  readonly file: string;
  readonly says: RegExp;
}[] = [
  {
    part: 'identity',
    change: laterIdentity,
    file: 'identity.json',
    says: /identity\.json has format 3, this version reads formats 1 and 2/,
  },
  {
    part: 'log',
    change: laterSegment,
    file: '0000000001.wal',
    says: /log format 2, this version reads log format 1/,
  },
  {
    part: 'log',
    change: inFirstFrame((frame) => frame.writeUInt8(3, 32)),
    file: '0000000001.wal',
    says: /a frame of type 3/,
  },
  {
    part: 'log',
    change: inFirstFrame((frame) => frame.writeUInt32LE(1, 36)),
    file: '0000000001.wal',
    says: /reserved bytes/,
  },
  {
    part: 'log',
    change: inFirstFrame((frame) => frame.writeUInt8(frame.readUInt8(body) | 16, body)),
    file: '0000000001.wal',
    says: /a batch with flags \d+, this version reads flags 15/,
  },
  {
    part: 'log',
    change: inFirstFrame((frame) => {
      const name = frame.readUInt8(body + 1);
      frame.writeUInt8(9, body + 38 + name + 8);
    }),
    file: '0000000001.wal',
    says: /an entry of kind 9/,
  },
  {
    part: 'state',
    change: laterState,
    file: 'state',
    says: /the state store in .* has format 3, this version reads formats 1 and 2/,
  },
  {
    part: 'state',
    change: laterMarker,
    file: 'state.sealed',
    says: /state\.sealed has format 2, this version reads format 1/,
  },
];

describe.for(cases)('$part: $says', ({ part, change, file, says }) => {
  test('a start is refused by name with exit code 14, and changes nothing', async () => {
    const directory = copyDataDir(pristine, root);
    await change(directory);
    const before = contentOf(directory);
    const error: unknown = await open(directory).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnknownFormatError);
    expect(error).toMatchObject({ exitCode: 14, message: expect.stringMatching(says) });
    expect(error).toMatchObject({ message: expect.stringContaining(file) });
    expect(contentOf(directory)).toEqual(before);
    // What was there of the state is there still.
    if (part === 'state') await expect(open(directory)).rejects.toBeInstanceOf(UnknownFormatError);
  });

  test('check-data names it, calls nothing damaged, and ends with 14', async () => {
    const directory = copyDataDir(pristine, root);
    await change(directory);
    const { findings } = await checkData(directory);
    const later = findings.filter(({ verdict }) => verdict === 'later');
    expect(later.map((finding) => finding.part)).toEqual([part]);
    expect(later[0]?.text).toMatch(says);
    expect(findings.filter(({ verdict }) => verdict === 'damaged')).toEqual([]);
    const context = new FakeContext();
    expect(await runProgram(['check-data', '--data-dir', directory], context, '0.0.0')).toBe(14);
    expect(context.out.join('\n')).toContain('is of a later version.');
  });
});
