// Golden files: what any version has written opens in every later one, and holds what it held (docs/compatibility.md). Each folder
// beside this file was written once, by `npm run golden`, and never again.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { logIndex } from '../../src/lib/ids.ts';
import { createRegistryLoader, imageHasher } from '../../src/registry/index.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import type { GoldenBook } from './book.ts';
import { unpack } from './pack.ts';
import { portraitOf, portraitOfBackup } from './portrait.ts';
import { samples, samplesInHex } from './samples.ts';

const golden = join(repositoryRoot(), 'test/golden');
const root = mkdtempSync(join(tmpdir(), 'rollcall-golden-'));
afterAll(() => rmSync(root, { recursive: true }));

const versions = readdirSync(golden, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({
    name,
    book: JSON.parse(readFileSync(join(golden, name, 'book.json'), 'utf8')) as GoldenBook,
  }));
const dataDirs = versions.flatMap(({ name, book }) =>
  Object.entries(book.dataDirs).map(([which, portrait]) => ({ name, which, portrait })),
);
const backups = versions.flatMap(({ name, book }) =>
  Object.entries(book.backups).map(([which, portrait]) => ({ name, which, portrait })),
);
const texts = versions.flatMap(({ name, book }) =>
  Object.entries(book.samples).map(([which, hex]) => ({ name, which, hex })),
);

test('there are files of the first version, of the first release and of this format', () => {
  expect(versions.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['5c4543f', 'dd80a71', 'v1']),
  );
  expect(dataDirs.length).toBeGreaterThanOrEqual(7);
  expect(texts.length).toBeGreaterThanOrEqual(10);
});

function unpacked(name: string, which: string): string {
  const directory = mkdtempSync(join(root, `${which}-`));
  unpack(readFileSync(join(golden, name, `${which}.data-dir.br`)), directory);
  return directory;
}

describe.for(dataDirs)('the data-dir "$which" of $name', ({ name, which, portrait }) => {
  test('is sound, and holds what it held, to the state hash', async () => {
    expect(await portraitOf(unpacked(name, which))).toEqual(portrait);
  });

  test('is opened as a start opens it, and nothing of it is thrown away', async () => {
    const directory = unpacked(name, which);
    const { nodeId, clusterId } = portrait;
    const dataDir = await openDataDir(directory, { nodeId, clusterId });
    const owner = dataDir.identity.incarnation;
    const wal = await openWal(dataDir.walPath, { owner, formed: true });
    const { floor, lastIndex } = wal.image;
    const state = await openStateStore(dataDir.statePath, {
      imageHasher,
      createLoader: createRegistryLoader,
      owner,
      floorIndex: floor.index,
    });
    expect([floor.index + 1, lastIndex]).toEqual([portrait.firstIndex, portrait.lastIndex]);
    expect(state.discarded).toBeUndefined();
    expect(state.image.appliedIndex).toBe(portrait.appliedIndex);
    // The log goes on behind it: every entry can be read.
    const next = logIndex(floor.index + 1);
    const entries = next > lastIndex ? [] : await wal.read(next, lastIndex, 1 << 30);
    expect(entries.length).toBe(lastIndex - floor.index);
    await state.close();
    await wal.close();
    await dataDir.release();
  });
});

test.for(backups)('the backup "$which" of $name is whole', async ({ name, which, portrait }) => {
  const path = join(root, `${name}-${which}.backup`);
  const bytes = readFileSync(join(golden, name, `${which}.backup.br`));
  writeFileSync(path, brotliDecompressSync(bytes));
  expect(await portraitOfBackup(path)).toEqual(portrait);
});

test.for(texts)('"$which" of $name means what it meant', async ({ which, hex }) => {
  const sample = samples.find(({ name }) => name === which);
  expect(await sample?.decode(Buffer.from(hex, 'hex'))).toEqual(sample?.value);
});

test('this version writes what the newest of the files hold', async () => {
  const newest = versions.filter(({ name }) => /^v\d+$/.test(name)).at(-1);
  expect(await samplesInHex()).toEqual(newest?.book.samples);
});
