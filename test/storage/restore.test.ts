// A restored data-dir: one voter of a cluster that was never there before, with exactly what the backup holds.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeClusterRecord } from '../../src/node/cluster-record.ts';
import { imageHasher } from '../../src/registry/index.ts';
import { writeBackup } from '../../src/storage/backup-file.ts';
import { checkData, isSound } from '../../src/storage/data-check.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { restoreBackup } from '../../src/storage/restore.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import { backupParts, contentOf } from '../support/backups.ts';
import { options } from '../support/data-dirs.ts';

let root: string;
let file: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'rollcall-restore-'));
  file = join(root, 'backup');
  await writeBackup(file, backupParts(content), 'x');
});
afterEach(() => rmSync(root, { recursive: true }));

const content = contentOf(30);
const later = 1_800_000_500_000;
const plan = {
  ...options,
  peerAddress: '10.0.0.1:7401',
  clientAddress: '10.0.0.1:7400',
  aboveRevision: 0,
  unixNowMs: later,
};
const sorted = (
  records: Iterable<{ readonly key: string; readonly value: Uint8Array | undefined }>,
) =>
  [...records]
    .map(({ key, value }) => `${key} ${Buffer.from(value ?? []).toString('hex')}`)
    .toSorted();

/** As a server opens it. */
async function opened(directory: string) {
  const dataDir = await openDataDir(directory, options);
  const owner = dataDir.identity.incarnation;
  const wal = await openWal(dataDir.walPath, { owner, formed: true });
  const { floor } = wal.image;
  const store = await openStateStore(dataDir.statePath, {
    imageHasher,
    owner,
    floorIndex: floor.index,
  });
  const { image, discarded } = store;
  const found = {
    identity: dataDir.identity,
    log: wal.image,
    state: image,
    discarded,
    records: sorted(image.records),
  };
  await store.close();
  await wal.close();
  await dataDir.release();
  return found;
}

/** What happens to the file once it is verified: the clock is asked then. */
const meanwhile = (change: () => void) => ({
  ...plan,
  get unixNowMs() {
    change();
    return later;
  },
});

describe('a restored data-dir', () => {
  test('opens as the only voter of a new cluster, and holds every record of the backup', async () => {
    const directory = join(root, 'n1');
    const restored = await restoreBackup(file, directory, plan);
    expect(isSound(await checkData(directory))).toBe(true);
    const { identity, log, state, discarded, records } = await opened(directory);
    expect(discarded).toBeUndefined();
    expect(records).toEqual(sorted(content.records));
    expect(identity).toMatchObject({ ...options, clusterUuid: restored.clusterUuid });
    expect(log).toMatchObject({ lastIndex: 1, hardState: { commitIndex: 1, votedFor: undefined } });
    const record = decodeClusterRecord(log.floor.configuration.payload);
    expect(record.members).toEqual([
      {
        nodeId: 'n1',
        incarnation: identity.incarnation,
        peerAddress: plan.peerAddress,
        clientAddress: plan.clientAddress,
        learner: false,
      },
    ]);
    expect(record.clusterUuid).toBe(identity.clusterUuid);
    expect(state.meta).toMatchObject({
      revision: later * 1024,
      registryTimeMs: content.meta.registryTimeMs,
    });
    expect(state.appliedIndex).toBe(1);
    expect(readdirSync(directory).toSorted()).toEqual(['identity.json', 'state', 'wal']);
  });

  test('is another cluster and another incarnation each time, also from one file in one moment (G14)', async () => {
    const restored = await Promise.all(
      ['a', 'b', 'c'].map((name) => restoreBackup(file, join(root, name), plan)),
    );
    expect(new Set(restored.map(({ clusterUuid }) => clusterUuid)).size).toBe(3);
    expect(new Set(restored.map(({ incarnation }) => incarnation)).size).toBe(3);
    const { clusterUuid } = restored[0]?.backup.header ?? {};
    expect(restored.map((one) => one.clusterUuid)).not.toContain(clusterUuid);
  });

  test('is not made of a damaged file: nothing is written', async () => {
    const bytes = readFileSync(file);
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const directory = join(root, 'n1');
    await expect(restoreBackup(file, directory, plan)).rejects.toMatchObject({ exitCode: 11 });
    expect(readdirSync(root)).toEqual(['backup']);
  });

  test('holds what was verified, though another backup takes the name of the file meanwhile', async () => {
    const next = join(root, 'next');
    await writeBackup(next, backupParts(contentOf(40)), 'x');
    const replaced = meanwhile(() => {
      if (existsSync(next)) renameSync(next, file);
    });
    const directory = join(root, 'n1');
    const restored = await restoreBackup(file, directory, replaced);
    expect(restored.backup.header.meta).toEqual(content.meta);
    expect((await opened(directory)).records).toEqual(sorted(content.records));
  });

  test('is not made of a file that is written to meanwhile: nothing is put in place', async () => {
    const next = join(root, 'next');
    await writeBackup(next, backupParts(contentOf(40)), 'x');
    const rewritten = meanwhile(() => writeFileSync(file, readFileSync(next)));
    const directory = join(root, 'n1');
    await expect(restoreBackup(file, directory, rewritten)).rejects.toMatchObject({
      exitCode: 11,
      message: expect.stringContaining('not what was verified'),
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('is read back before it takes its place: records that no registry reads are not put there', async () => {
    const [first, ...others] = content.records;
    const strange = { key: first?.key ?? '', value: Buffer.from('no record') };
    const hasher = imageHasher();
    const records = [strange, ...others];
    for (const record of records) hasher.add(record);
    const { revision, registryTimeMs } = content.meta;
    const meta = { ...content.meta, hash: hasher.hash(revision, registryTimeMs) };
    await writeBackup(file, backupParts({ records, meta }), 'x');
    const directory = join(root, 'n1');
    await expect(restoreBackup(file, directory, plan)).rejects.toMatchObject({ exitCode: 11 });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('is not made where something is already, and what is there stays', async () => {
    const directory = join(root, 'n1');
    await restoreBackup(file, directory, plan);
    const before = (await opened(directory)).identity;
    await expect(restoreBackup(file, directory, plan)).rejects.toMatchObject({ exitCode: 14 });
    expect((await opened(directory)).identity).toEqual(before);
    const other = join(root, 'other');
    mkdirSync(join(other, 'wal'), { recursive: true });
    await expect(restoreBackup(file, other, plan)).rejects.toThrow('is not empty: it holds wal');
  });

  test('may be the first directory of a file system, with what that has in it', async () => {
    const directory = join(root, 'disk');
    mkdirSync(join(directory, 'lost+found'), { recursive: true });
    await restoreBackup(file, directory, plan);
    expect(readdirSync(directory).toSorted()).toEqual([
      'identity.json',
      'lost+found',
      'state',
      'wal',
    ]);
  });

  test('is made anew after an interrupted restore, and no server starts on what that left', async () => {
    const directory = join(root, 'n1');
    await restoreBackup(file, directory, plan);
    // As if the process had died before the last rename.
    mkdirSync(join(directory, 'epoch.new'));
    rmSync(join(directory, 'identity.json'));
    await expect(openDataDir(directory, options)).rejects.toMatchObject({
      exitCode: 11,
      message: expect.stringContaining('run the same command again'),
    });
    expect(isSound(await checkData(directory))).toBe(false);
    await restoreBackup(file, directory, plan);
    expect((await opened(directory)).records).toEqual(sorted(content.records));
  });

  test('is not made by a clock that lies before the backup: revisions would be given twice', async () => {
    const early = { ...plan, unixNowMs: 1_700_000_000_000 };
    await expect(restoreBackup(file, join(root, 'n1'), early)).rejects.toThrow(
      /set the clock right/,
    );
  });

  test('begins above a revision that is known otherwise', async () => {
    const above = { ...plan, aboveRevision: 2 ** 52 };
    const { revision } = await restoreBackup(file, join(root, 'n1'), above);
    expect(revision).toBe(2 ** 52 + 2 ** 40);
  });
});
