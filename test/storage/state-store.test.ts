// What the state store on LevelDB refuses to believe, and that it lets go of its image.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { logIndex, revision } from '../../src/lib/ids.ts';
import type { StateStore } from '../../src/node/ports.ts';
import {
  createRegistry,
  createRegistryLoader,
  imageHasher,
  registryDefaults,
} from '../../src/registry/index.ts';
import { decodeMeta, encodeMeta, type StateMeta } from '../../src/storage/keys.ts';
import { databaseAt } from '../../src/storage/state-database.ts';
import { openSnapshot } from '../../src/storage/state-snapshot.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { deregister, register, type Session, sessionOf } from '../registry/fixtures.ts';
import { contentOf, StateModel, testHasher } from '../support/state-batches.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-state-'));
});
afterEach(() => rm(directory, { recursive: true }));

const open = (owner = 'a') => openStateStore(directory, { imageHasher: testHasher, owner });

async function writeSome(): Promise<StateModel> {
  const model = new StateModel();
  const store = await open();
  await store.write(model.next({ put: { a: 'one', b: 'two' } }));
  await store.close();
  return model;
}

/** Changes the database behind the store's back. */
async function tamper(change: (level: ClassicLevel) => Promise<void>): Promise<void> {
  const level = new ClassicLevel(directory);
  await change(level);
  await level.close();
}

async function expectDiscarded(reason: RegExp, owner = 'a'): Promise<void> {
  const store = await open(owner);
  expect(store.discarded).toMatch(reason);
  expect(store.image.appliedIndex).toBe(0);
  expect(contentOf(store.image.records)).toEqual({});
  const model = new StateModel();
  await store.write(model.next({ put: { fresh: 'start' } }));
  await store.close();
  const again = await open(owner);
  expect(again.discarded).toBeUndefined();
  expect(contentOf(again.image.records)).toEqual({ fresh: 'start' });
  await again.close();
}

describe('content that does not add up is discarded, with the reason', () => {
  test('a changed value', async () => {
    await writeSome();
    await tamper((level) => level.put('r/a', 'ane'));
    await expectDiscarded(/2 records have the hash [0-9a-f]{16} instead of [0-9a-f]{16}/);
  });
  test('a lost record', async () => {
    await writeSome();
    await tamper((level) => level.del('r/b'));
    await expectDiscarded(/1 records have the hash/);
  });
  test('a changed index, which the hash of the state does not cover', async () => {
    await writeSome();
    await tamper(async (level) => {
      const meta = await level.get('!meta');
      await level.put('!meta', String(meta).replace('[2,3,', '[2,4,'));
    });
    await expectDiscarded(/metadata does not match its checksum/);
  });
  test('lost metadata', async () => {
    await writeSome();
    await tamper((level) => level.del('!meta'));
    await expectDiscarded(/records without metadata/);
  });
  test('a key of another program', async () => {
    await writeSome();
    await tamper((level) => level.put('x', 'y'));
    await expectDiscarded(/a key that no version/);
  });
  test('the state of another node', async () => {
    await writeSome();
    await expectDiscarded(/another node/, 'b');
  });
  test('a directory full of something else', async () => {
    await writeSome();
    for (const name of await readdir(directory))
      await writeFile(join(directory, name), 'not a database');
    await expectDiscarded(/LevelDB failed: LEVEL_/);
  });
});

test('a directory that cannot be made is a disk error', async () => {
  const file = join(directory, 'file');
  await writeFile(file, '');
  const opened = openStateStore(join(file, 'state'), { imageHasher: testHasher });
  await expect(opened).rejects.toMatchObject({ name: 'DiskError', exitCode: 10 });
});

test('a second handle on an open store is refused, and deletes nothing', async () => {
  const model = await writeSome();
  const store = await open();
  await expect(open()).rejects.toThrow('opened once');
  await store.write(model.next({ put: { c: 'three' } }));
  await store.close();
  const again = await open();
  expect(contentOf(again.image.records)).toEqual({ a: 'one', b: 'two', c: 'three' });
  await again.close();
});

test('the image is handed over once, and not kept', async () => {
  await writeSome();
  const store = await open();
  const iterator = store.image.records[Symbol.iterator]();
  const first = iterator.next().value;
  expect(first?.key).toBe('a');
  iterator.next();
  iterator.next();
  expect(() => [...store.image.records]).toThrow('read once');
  await store.close();
});

describe('the metadata', () => {
  const first: StateMeta = {
    appliedIndex: logIndex(12),
    appliedTerm: 3,
    owner: 'a"b',
    configuration: undefined,
    meta: { revision: revision(7), registryTimeMs: 1.5, hash: '00ff' },
  };
  const payload = new Uint8Array([0, 200, 255, 7]);
  const second: StateMeta = { ...first, configuration: { index: logIndex(9), payload } };
  const formats = [
    ['1', first, '[1,12,3,"a\\"b",7,1.5,"00ff","45a02ae8"]'],
    ['2', second, '[2,12,3,"a\\"b",7,1.5,"00ff",9,"AMj/Bw==","2d7e5d26"]'],
  ] as const;

  test.for(formats)('of format %s is written as the golden vector', ([, state, golden]) => {
    expect(Buffer.from(encodeMeta(state)).toString()).toBe(golden);
    expect(decodeMeta(Buffer.from(golden))).toEqual(state);
  });
  test.for(formats)('of format %s with any bit flipped is not read', ([, , golden]) => {
    const bytes = Buffer.from(golden);
    for (let at = 0; at < bytes.length * 8; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
      expect(decodeMeta(flipped)).toBeUndefined();
    }
  });
  test('of a later format is not read', () => {
    const later = Buffer.from('[3,12,3,"a",7,1.5,"00ff",9,"AMj/Bw==","00000000"]');
    expect(decodeMeta(later)).toBeUndefined();
  });
});

test('a store of the version before opens, has no configuration, and makes snapshots after its next batch', async () => {
  const batch = new StateModel().next({ put: { a: 'one' } });
  const { appliedIndex, appliedTerm, meta } = batch;
  const level = databaseAt(directory);
  const before = { appliedIndex, appliedTerm, owner: 'a', configuration: undefined, meta };
  await level.put('r/a', Buffer.from('one'));
  await level.put('!meta', encodeMeta(before));
  await level.close();
  const store = await open();
  expect(store.discarded).toBeUndefined();
  expect(store.image).toMatchObject({ appliedIndex, appliedTerm, configuration: undefined, meta });
  expect(contentOf(store.image.records)).toEqual({ a: 'one' });
  await expect(store.snapshot()).rejects.toThrow('no content yet');
  await store.write({ ...batch, records: [] });
  await (await store.snapshot()).close();
  await store.close();
  const again = await open();
  expect(again.image.configuration?.index).toBe(batch.configuration.index);
  await again.close();
});

const reopened = (): Promise<StateStore> =>
  openStateStore(directory, { imageHasher, createLoader: createRegistryLoader, owner: 'a' });

/** What a registry has written, in a store that is closed. */
async function writeRegistry(): Promise<Session> {
  const session = sessionOf();
  for (const id of ['one', 'two', 'three']) {
    session.apply(register({ instanceId: id }), { requestId: `request-${id}` });
  }
  session.apply(deregister('two'));
  const store = await reopened();
  const batch = new StateModel().next({});
  const records = [...session.image().records];
  await store.write({ ...batch, records, meta: session.registry.meta() });
  await store.close();
  return session;
}

describe('with a loader', () => {
  test('the image comes with the content of the registry built', async () => {
    const { registry } = await writeRegistry();
    const store = await reopened();
    expect([...store.image.records]).toEqual([]);
    expect(store.image.loaded?.instanceCount).toBe(2);
    const built = createRegistry(registryDefaults, store.image);
    expect(built.meta()).toEqual(registry.meta());
    expect([...built.records()]).toEqual([...registry.records()]);
    expect(built.scrub(100)).toBe(0);
    await store.close();
  });

  test.for([
    ['a value that is no record', 'r/i/default/one', Buffer.from('garbage')],
    ['a record of another instance', 'r/i/default/two', undefined],
    ['a key of no record', 'r/nonsense', Buffer.from('x')],
    ['a departure of no service', 'r/s/default/nothing', undefined],
    ['an answer that is lost', 'r/d/register/request-one', 'lost'],
  ] as const)('%s is a reason to discard, not to stop', async ([, key, value]) => {
    await writeRegistry();
    const level = databaseAt(directory);
    const source = key.startsWith('r/s/') ? 'r/s/default/payments' : 'r/i/default/one';
    if (value === 'lost') await level.del(key);
    else await level.put(key, value ?? present(await level.get(source), 'it is stored'));
    await level.close();
    const store = await reopened();
    expect(store.discarded).toMatch(/cannot be read|do not have the hash/);
    expect(store.image.appliedIndex).toBe(0);
    expect(store.image.loaded).toBeUndefined();
    await store.close();
  });
});

test('G13: a view of a state whose metadata cannot be believed is refused as an error of the disk, of an empty one it is not', async () => {
  const level = databaseAt(directory);
  await level.open();
  await expect(openSnapshot(level)).rejects.not.toHaveProperty('exitCode');
  await level.put('!meta', Buffer.from('[2,7,"rot"]'));
  await expect(openSnapshot(level)).rejects.toMatchObject({ name: 'DiskError', exitCode: 10 });
  await level.close();
});
