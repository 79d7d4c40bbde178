// Recovering a survivor: nothing of its log or state is left behind, nothing happens without a yes, and a crash at any step leaves
// the former data, or a directory that no server starts on, or the new cluster.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeClusterRecord } from '../../src/node/cluster-record.ts';
import { imageHasher } from '../../src/registry/index.ts';
import { checkData, isSound } from '../../src/storage/data-check.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { buildEpoch, enterEpoch } from '../../src/storage/epoch.ts';
import { type StateFiles, stateFiles } from '../../src/storage/state-files.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { recoverSurvivor, type Survivor } from '../../src/storage/survivor.ts';
import { inspectLog } from '../../src/storage/wal/inspect.ts';
import { contentOf } from '../support/backups.ts';
import { copyDataDir, type DataPlan, makeDataDir, options } from '../support/data-dirs.ts';

let root: string;
let pristine: string;
let directory: string;
const shape: DataPlan = { instances: 40, flushedAt: 30, uncommitted: 3 };
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'rollcall-survivor-'));
  pristine = join(root, 'pristine');
  await makeDataDir(pristine, shape);
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  directory = copyDataDir(pristine, root);
});
afterEach(() => rmSync(directory, { recursive: true }));

const now = 1_800_000_500_000;
const plan = {
  peerAddress: undefined,
  clientAddress: undefined,
  aboveRevision: 0,
  unixNowMs: now,
  confirm: () => Promise.resolve(true),
};
const whole = contentOf(40);
const sorted = (
  records: Iterable<{ readonly key: string; readonly value: Uint8Array | undefined }>,
) =>
  [...records]
    .map(({ key, value }) => `${key} ${Buffer.from(value ?? []).toString('hex')}`)
    .toSorted();

async function recordsOf(path: string): Promise<readonly string[]> {
  const dataDir = await openDataDir(path, options);
  const owner = dataDir.identity.incarnation;
  const store = await openStateStore(dataDir.statePath, { imageHasher, owner });
  const records = sorted(store.image.records);
  await store.close();
  await dataDir.release();
  return records;
}

const identityOf = (path: string): string => readFileSync(join(path, 'identity.json'), 'utf8');

/** What is said before a data-dir of this plan is recovered. */
const tellsOf = async (made: DataPlan) => {
  const path = join(root, 'tail');
  await makeDataDir(path, made);
  const recovered = await recoverSurvivor(path, plan);
  rmSync(path, { recursive: true });
  return recovered.kind === 'recovered' ? recovered.survivor : undefined;
};

describe('a recovered survivor', () => {
  test('holds everything that its log and its state held, uncommitted entries included', async () => {
    const recovered = await recoverSurvivor(directory, plan);
    expect(recovered.kind).toBe('recovered');
    expect(await recordsOf(directory)).toEqual(sorted(whole.records));
    const check = await checkData(directory);
    expect(isSound(check)).toBe(true);
    expect(check.rebuilt?.registry.revision).toBe(now * 1024);
  });

  test.for([
    ['no state was ever written', { instances: 40, flushedAt: 0 }],
    ['the state has everything', { instances: 40, flushedAt: 40 }],
    ['the log begins late', { instances: 40, flushedAt: 30, trimmed: true }],
  ] as const)('the same where %s', async ([, other]) => {
    const path = join(root, 'other');
    await makeDataDir(path, other);
    await recoverSurvivor(path, plan);
    expect(await recordsOf(path)).toEqual(sorted(whole.records));
    rmSync(path, { recursive: true });
  });

  test('has what the log replaced and removed since the state was written, each once', async () => {
    const path = join(root, 'changed');
    await makeDataDir(path, { instances: 20, changes: 9, flushedAt: 22 });
    await recoverSurvivor(path, plan);
    expect(await recordsOf(path)).toEqual(sorted(contentOf(20, 9).records));
    rmSync(path, { recursive: true });
  });

  test('names what was registered by entries that are not known to be committed, as far as it still is', async () => {
    const last = ['default/i38', 'default/i39', 'default/i40'];
    expect(await tellsOf(shape)).toMatchObject({ unsettled: last, unsettledCount: 3 });
    // The state goes further than what the log knows to be committed: that is committed, too.
    const further = { ...shape, flushedAt: 39 };
    expect(await tellsOf(further)).toMatchObject({ unsettled: ['default/i40'], unsettledCount: 1 });
    const none = { ...shape, uncommitted: 0 };
    expect(await tellsOf(none)).toMatchObject({ unsettled: [], unsettledCount: 0 });
    const many = await tellsOf({ instances: 80, flushedAt: 0, uncommitted: 60 });
    expect(many?.unsettled).toHaveLength(50);
    expect(many?.unsettledCount).toBe(60);
  });

  test('is the only voter of another cluster, at the address it had', async () => {
    const before = JSON.parse(identityOf(directory)) as Record<string, string>;
    await recoverSurvivor(directory, plan);
    const after = JSON.parse(identityOf(directory)) as Record<string, string>;
    expect(after['clusterUuid']).not.toBe(before['clusterUuid']);
    expect(after['incarnation']).not.toBe(before['incarnation']);
    const { image } = await inspectLog(join(directory, 'wal'), after['incarnation'] ?? '');
    const { members, clusterUuid } = decodeClusterRecord(image.floor.configuration.payload);
    expect(clusterUuid).toBe(after['clusterUuid']);
    expect(members).toMatchObject([{ nodeId: 'n1', peerAddress: '10.0.0.1:7401', learner: false }]);
  });

  test('keeps what it was beside it', async () => {
    const before = identityOf(directory);
    const recovered = await recoverSurvivor(directory, plan);
    const former = recovered.kind === 'recovered' ? recovered.former : '';
    expect(identityOf(join(directory, former))).toBe(before);
    expect(readdirSync(join(directory, former)).toSorted()).toEqual([
      'identity.json',
      'state',
      'wal',
    ]);
    expect(isSound(await checkData(join(directory, former)))).toBe(true);
  });

  test('is told what it holds first, and without a yes nothing is changed', async () => {
    let told: Survivor | undefined;
    const before = identityOf(directory);
    const confirm = (survivor: Survivor): Promise<boolean> => {
      told = survivor;
      return Promise.resolve(false);
    };
    expect(await recoverSurvivor(directory, { ...plan, confirm })).toEqual({ kind: 'refused' });
    expect(told).toMatchObject({
      lastIndex: 41,
      commitIndex: 38,
      revision: 40,
      instances: 40,
      lastWriteMs: 1_800_000_000_040,
    });
    expect(told?.members.map(({ nodeId }) => nodeId)).toEqual(['n1', 'n2', 'n3']);
    expect(identityOf(directory)).toBe(before);
    expect(readdirSync(directory).toSorted()).toEqual(['identity.json', 'state', 'wal']);
  });

  test('is not made of a log that begins behind its state, nor of one that lost its end', async () => {
    const path = join(root, 'late');
    await makeDataDir(path, { instances: 40, flushedAt: 30, trimmed: true });
    rmSync(join(path, 'state'), { recursive: true });
    await expect(recoverSurvivor(path, plan)).rejects.toMatchObject({ exitCode: 11 });
    rmSync(path, { recursive: true });
    const older = join(root, 'older');
    await makeDataDir(older, { instances: 20, flushedAt: 0 });
    rmSync(join(directory, 'wal'), { recursive: true });
    copyDataDir(join(older, 'wal'), directory, 'wal');
    await expect(recoverSurvivor(directory, plan)).rejects.toMatchObject({ exitCode: 11 });
    rmSync(older, { recursive: true });
  });

  test('whose log is damaged is refused, unchanged, with what else there is to take', async () => {
    const path = join(directory, 'wal', '0000000001.wal');
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(600) ^ 4, 600);
    writeFileSync(path, bytes);
    await expect(recoverSurvivor(directory, plan)).rejects.toMatchObject({
      exitCode: 11,
      message: expect.stringMatching(/byte 512: .* Take another survivor, or a backup\.$/),
    });
    expect(readFileSync(path)).toEqual(bytes);
  });

  test('whose state is damaged is made of its whole log', async () => {
    const table =
      readdirSync(join(directory, 'state')).find((name) => name.startsWith('MANIFEST')) ?? '';
    rmSync(join(directory, 'state', table));
    await recoverSurvivor(directory, plan);
    expect(await recordsOf(directory)).toEqual(sorted(whole.records));
  });
});

/** The files, of which the process dies at step `left`: that one is not done. */
function crashingAt(left: number): StateFiles {
  let steps = left;
  const step = (): Promise<void> =>
    steps-- > 0 ? Promise.resolve() : Promise.reject(new Error('crash'));
  return {
    ...stateFiles,
    rename: (from, to) => step().then(() => stateFiles.rename(from, to)),
    remove: (path) => step().then(() => stateFiles.remove(path)),
    makeDirectory: (path) => step().then(() => stateFiles.makeDirectory(path)),
  };
}

const asked = (): Promise<boolean> => Promise.reject(new Error('asked'));

async function buildIn(path: string): Promise<void> {
  await buildEpoch(path, {
    ...options,
    peerAddress: 'a:1',
    clientAddress: 'a:2',
    source: {
      meta: whole.meta,
      async *records() {
        yield whole.records;
      },
    },
    aboveRevision: 0,
    unixNowMs: now,
  });
}

describe('a crash while the new cluster takes its place', () => {
  test('at any step leaves the former node, or nothing that starts, or the new one; then it goes on', async () => {
    const former = identityOf(directory);
    await buildIn(directory);
    const built = identityOf(join(directory, 'epoch.new'));
    let finished = false;
    let refusedStarts = 0;
    for (let step = 0; !finished; step++) {
      const copy = copyDataDir(directory, root);
      finished = await enterEpoch(copy, crashingAt(step)).then(
        () => true,
        () => false,
      );
      const has = existsSync(join(copy, 'identity.json')) ? identityOf(copy) : 'none';
      if (has === 'none') {
        refusedStarts++;
        await expect(openDataDir(copy, options)).rejects.toMatchObject({ exitCode: 11 });
        await enterEpoch(copy);
      } else if (has === former) {
        expect(readdirSync(copy)).toEqual(expect.arrayContaining(['wal', 'state']));
        await enterEpoch(copy);
      }
      expect(identityOf(copy)).toBe(built);
      const [kept = ''] = readdirSync(copy).filter((name) => name.startsWith('former-'));
      expect(identityOf(join(copy, kept))).toBe(former);
      expect(readdirSync(join(copy, kept)).toSorted()).toEqual(['identity.json', 'state', 'wal']);
      const owner = (JSON.parse(built) as { readonly incarnation: string }).incarnation;
      expect((await inspectLog(join(copy, 'wal'), owner)).image.lastIndex).toBe(1);
      rmSync(copy, { recursive: true });
    }
    expect(refusedStarts).toBeGreaterThan(4);
  });

  test('takes along the log that the former node had given up: a start of the new one removes what it finds', async () => {
    await makeDataDir(join(directory, 'damaged-log'), shape);
    await recoverSurvivor(directory, plan);
    const names = readdirSync(directory);
    expect(names).not.toContain('damaged-log');
    const former = join(directory, names.find((name) => name.startsWith('former-')) ?? '');
    expect(readdirSync(join(former, 'damaged-log'))).toContain('wal');
  });

  test('is completed by recover without another question, once the former data is on its way out', async () => {
    await buildIn(directory);
    const built = identityOf(join(directory, 'epoch.new'));
    await expect(enterEpoch(directory, crashingAt(4))).rejects.toThrow('crash');
    expect((await recoverSurvivor(directory, { ...plan, confirm: asked })).kind).toBe('completed');
    expect(identityOf(directory)).toBe(built);
    expect(await recordsOf(directory)).toEqual(sorted(whole.records));
  });

  test('before that leaves nothing to the former node once it starts', async () => {
    await buildIn(directory);
    const before = identityOf(directory);
    await (await openDataDir(directory, options)).release();
    expect(readdirSync(directory).toSorted()).toEqual(['identity.json', 'state', 'wal']);
    expect(identityOf(directory)).toBe(before);
  });

  test('before that is as if nothing had been begun', async () => {
    await buildIn(directory);
    const built = identityOf(join(directory, 'epoch.new'));
    const before = await checkData(directory);
    expect(isSound(before)).toBe(true);
    expect((await recoverSurvivor(directory, plan)).kind).toBe('recovered');
    expect(identityOf(directory)).not.toBe(built);
  });
});

test('a disk that is full in the middle leaves the former node, and the room it had', async () => {
  let walks = 0;
  const source = {
    meta: whole.meta,
    async *records() {
      walks += 1;
      yield whole.records;
      if (walks > 1) throw new Error('ENOSPC');
    },
  };
  const epoch = { ...options, ...plan, peerAddress: 'a:1', clientAddress: 'a:2', source };
  await expect(buildEpoch(directory, epoch)).rejects.toThrow('ENOSPC');
  expect(walks).toBe(2);
  expect(readdirSync(directory).toSorted()).toEqual(['identity.json', 'state', 'wal']);
});
