// Golden files: what any version has written opens in every later one, and holds what it held (docs/compatibility.md). Each folder
// beside this file was written once, by `npm run golden`, and never again.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { logIndex } from '../../src/lib/ids.ts';
import { decodeClusterRecord } from '../../src/node/cluster-record.ts';
import { createRegistryLoader, imageHasher } from '../../src/registry/index.ts';
import { checkData } from '../../src/storage/data-check.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { readDiskMark } from '../../src/storage/disk-mark.ts';
import { readIdentity } from '../../src/storage/identity.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { recoverSurvivor } from '../../src/storage/survivor.ts';
import { inspectLog } from '../../src/storage/wal/inspect.ts';
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
const givenUp = versions.flatMap(({ name, book }) =>
  Object.entries(book.givenUp ?? {}).map(([which, portrait]) => ({ name, which, portrait })),
);
const entering = versions.flatMap(({ name, book }) =>
  Object.entries(book.entering ?? {}).map(([which, portrait]) => ({ name, which, portrait })),
);
const backups = versions.flatMap(({ name, book }) =>
  Object.entries(book.backups).map(([which, portrait]) => ({ name, which, portrait })),
);
const texts = versions.flatMap(({ name, book }) =>
  Object.entries(book.samples).map(([which, hex]) => ({ name, which, hex })),
);

test('there are files of the first version, of the first release and of this format', () => {
  expect(versions.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['5c4543f', 'dd80a71', 'v1', 'v2', 'v3']),
  );
  expect(dataDirs.length).toBeGreaterThanOrEqual(14);
  expect(givenUp.length).toBeGreaterThanOrEqual(1);
  expect(entering.length).toBeGreaterThanOrEqual(1);
  expect(texts.length).toBeGreaterThanOrEqual(33);
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

test.for(givenUp)('what "$which" of $name has given up can be put back', async (one) => {
  const directory = unpacked(one.name, one.which);
  const { identity, former } = one.portrait;
  expect(await readIdentity(directory)).toEqual(identity);
  expect(await portraitOf(join(directory, 'damaged-log'))).toEqual(former);
  const { findings } = await checkData(directory);
  expect(findings.map(({ verdict }) => verdict)).not.toContain('damaged');
  const { nodeId, clusterId } = identity;
  const dataDir = await openDataDir(directory, { nodeId, clusterId });
  expect(dataDir.identity).toEqual(identity);
  expect(identity.replaces?.incarnations).toEqual([former.incarnation]);
  await dataDir.release();
  expect(await portraitOf(join(directory, 'damaged-log'))).toEqual(former);
});

test.for(entering)('the interrupted recovery "$which" of $name goes on', async (one) => {
  const directory = unpacked(one.name, one.which);
  const { nodeId, clusterId } = one.portrait;
  await expect(openDataDir(directory, { nodeId, clusterId })).rejects.toThrow(/interrupted/);
  const { kind } = await recoverSurvivor(directory, {
    peerAddress: undefined,
    clientAddress: undefined,
    aboveRevision: 0,
    unixNowMs: 1_800_000_000_000,
    confirm: () => Promise.reject(new Error('it was confirmed before')),
  });
  expect(kind).toBe('completed');
  expect(await portraitOf(directory)).toEqual(one.portrait);
});

test('the mark of a failed disk is read, and the log of a return tells who was on the way', async () => {
  expect(await readDiskMark(unpacked('v3', 'marked'))).toContain('EIO');
  const directory = unpacked('v3', 'returned');
  const identity = present(await readIdentity(directory), 'it says who it is');
  const log = await inspectLog(join(directory, 'wal'), identity.incarnation);
  const { floor, lastIndex } = log.image;
  const entries = await log.read(logIndex(floor.index + 1), lastIndex, Number.MAX_SAFE_INTEGER);
  const records = entries
    .filter(({ kind }) => kind === 'membership')
    .map(({ payload }) => decodeClusterRecord(payload));
  expect(records.map(({ replacing = [] }) => replacing.map(({ member }) => member.nodeId))).toEqual(
    [['n3'], ['n3'], []],
  );
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
