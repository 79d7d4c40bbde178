// What every StateStore must do about snapshots (port: src/node/ports.ts): views that stand still, and content that is
// staged, sealed and installed, and what of it outlives a process.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { type LogIndex, logIndex } from '../../src/lib/ids.ts';
import type { SnapshotStage, StateSnapshot, StateStore } from '../../src/node/ports.ts';
import type { StoredRecord } from '../../src/registry/index.ts';
import { contentOf, headerOf, StateModel } from '../support/state-batches.ts';
import type { StateStoreHarness } from './state-store.ts';

/** Walks a snapshot to its end; what it says of `done` is true of every part. */
async function readAll(view: StateSnapshot, maxBytes: number): Promise<StoredRecord[][]> {
  const parts: StoredRecord[][] = [];
  let after = '';
  for (;;) {
    const { records, done } = await view.read(after, maxBytes);
    if (records.length > 0) parts.push([...records]);
    const last = records.at(-1);
    if (done || last === undefined) {
      expect(done).toBe(true);
      return parts;
    }
    after = last.key;
  }
}

const many = (count: number, text = 'v'): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, `${text}${at}`]));

export function describeStateSnapshots(
  name: string,
  create: () => Promise<StateStoreHarness>,
): void {
  let harness: StateStoreHarness;
  let store: StateStore;
  /** Of the store itself. */
  let model: StateModel;
  /** Of the peer whose snapshot comes in. */
  let other: StateModel;

  beforeEach(async () => {
    harness = await create();
    store = await harness.open(logIndex(0));
    model = new StateModel();
    other = new StateModel();
  });
  afterEach(async () => {
    await store.close();
    await harness.dispose?.();
  });

  const reopen = async (floorIndex: number): Promise<void> => {
    await store.close();
    store = await harness.open(logIndex(floorIndex));
  };
  const expectImage = (expected: StateModel): void => {
    expect(store.discarded).toBeUndefined();
    const { last } = expected;
    expect(store.image.appliedIndex).toBe(last?.appliedIndex ?? 0);
    if (last !== undefined) {
      expect(store.image).toMatchObject({ appliedTerm: last.appliedTerm, meta: last.meta });
      const { index, payload } = present(store.image.configuration, 'it is stored');
      expect(index).toBe(last.configuration.index);
      expect(Buffer.from(payload)).toEqual(Buffer.from(last.configuration.payload));
    }
    expect(contentOf(store.image.records)).toEqual(contentOf(expected.stored()));
  };
  const contentNow = async (): Promise<Readonly<Record<string, string>>> => {
    const view = await store.snapshot();
    const parts = await readAll(view, 1000);
    await view.close();
    return contentOf(parts.flat());
  };
  /** Sealed content of `other`, beside content of `model`. */
  const sealed = async (): Promise<SnapshotStage> => {
    await store.write(model.next({ put: { mine: 'old' } }));
    other.next({ put: many(20) });
    other.next({ put: { theirs: 'new' }, remove: ['k3'] });
    const stage = await store.stage(headerOf(present(other.last, 'it has a state')));
    await stage.add(other.stored().slice(0, 12));
    await stage.add(other.stored().slice(12));
    await stage.seal();
    return stage;
  };
  const sealedIndex = (): LogIndex => present(other.last, 'it has a state').appliedIndex;

  describe(`${name}: a snapshot`, () => {
    test('of an empty store is refused', async () => {
      await expect(store.snapshot()).rejects.toThrow('no content yet');
    });

    test('has the header of the last batch and its records in the order of their keys', async () => {
      const ofRegistry = { 'd/register/r1': 'answer', 'i/default/a': 'one', 's/default/p': 'two' };
      const put = { b: '2', a: '1', zürich: '4', 'a/c': '3', ...ofRegistry };
      const batch = model.next({ put });
      await store.write(batch);
      const view = await store.snapshot();
      expect(view.header).toMatchObject({ index: batch.appliedIndex, term: 2, meta: batch.meta });
      const { index, payload } = view.header.configuration;
      expect(index).toBe(batch.configuration.index);
      expect(Buffer.from(payload)).toEqual(Buffer.from(batch.configuration.payload));
      const { records, done } = await view.read('', 1000);
      const keys = ['a', 'a/c', 'b', ...Object.keys(ofRegistry), 'zürich'];
      expect(records.map(({ key }) => key)).toEqual(keys);
      expect(done).toBe(true);
      await view.close();
    });

    test('stands still while batches are written', async () => {
      await store.write(model.next({ put: many(500) }));
      const before = contentOf(model.stored());
      const view = await store.snapshot();
      const reading = readAll(view, 400);
      await store.write(model.next({ put: { ...many(300, 'changed'), extra: 'x' } }));
      await store.write(model.next({ remove: ['k1', 'k400'] }));
      expect(contentOf((await reading).flat())).toEqual(before);
      expect(contentOf((await readAll(view, 5000)).flat())).toEqual(before);
      await view.close();
      expect(await contentNow()).toEqual(contentOf(model.stored()));
    });

    test('comes in parts of about the bytes asked for, at least one record each', async () => {
      await store.write(model.next({ put: { ...many(400), k200x: 'x'.repeat(5000) } }));
      const view = await store.snapshot();
      const parts = await readAll(view, 500);
      expect(contentOf(parts.flat())).toEqual(contentOf(model.stored()));
      expect(parts.length).toBeGreaterThan(5);
      for (const part of parts) {
        // One record beyond the limit may come along, or be the reason for it.
        const bytes = part.slice(0, -2).reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
        expect(bytes).toBeLessThan(500);
      }
      expect((await readAll(view, 1)).flat()).toHaveLength(401);
      await view.close();
    });

    test('gives the same part for the same question', async () => {
      await store.write(model.next({ put: many(200) }));
      const view = await store.snapshot();
      const first = await view.read('k150', 300);
      await store.write(model.next({ put: many(200, 'changed'), remove: ['k151'] }));
      expect(await view.read('k150', 300)).toEqual(first);
      expect(first.records[0]?.key).toBe('k151');
      await view.close();
    });

    test('ends with nothing after the last key', async () => {
      await store.write(model.next({ put: { a: '1' } }));
      const view = await store.snapshot();
      expect(await view.read('a', 100)).toEqual({ records: [], done: true });
      await view.close();
    });

    test('is refused beyond five, and possible again after a close', async () => {
      await store.write(model.next({ put: { a: '1' } }));
      const open = [];
      for (let count = 0; count < 5; count++) open.push(await store.snapshot());
      await expect(store.snapshot()).rejects.toThrow('5 snapshots');
      await open[0]?.close();
      await open[0]?.close();
      const again = await store.snapshot();
      await expect(store.snapshot()).rejects.toThrow('5 snapshots');
      for (const view of [...open, again]) await view.close();
      await (await store.snapshot()).close();
    });

    test('cannot be read when it is closed', async () => {
      await store.write(model.next({ put: { a: '1' } }));
      const view = await store.snapshot();
      await view.close();
      await expect(view.read('', 100)).rejects.toThrow();
    });
  });

  describe(`${name}: what is durable`, () => {
    test('settle gives the index of the last batch', async () => {
      expect(await store.settle()).toBe(0);
      const batch = model.next({ put: { a: '1' } });
      await store.write(batch);
      expect(await store.settle()).toBe(batch.appliedIndex);
      await reopen(0);
      expect(await store.settle()).toBe(batch.appliedIndex);
    });

    test('bytes grow with what is written and what is staged', async () => {
      const empty = await store.bytes();
      await store.write(model.next({ put: { a: 'x'.repeat(50_000) } }));
      const written = await store.bytes();
      expect(written).toBeGreaterThanOrEqual(empty + 50_000);
      await sealed();
      expect(await store.bytes()).toBeGreaterThan(written);
    });
  });

  describe(`${name}: a staged snapshot`, () => {
    test('takes the place of the content when it is installed, and is what writes go on from', async () => {
      const stage = await sealed();
      await stage.install();
      expect(await contentNow()).toEqual(contentOf(other.stored()));
      expect(await store.settle()).toBe(sealedIndex());
      await store.write(other.next({ put: { after: 'install' }, remove: ['k5'] }));
      await reopen(0);
      expectImage(other);
    });

    test('is invisible until it is installed', async () => {
      const stage = await sealed();
      expect(await contentNow()).toEqual({ mine: 'old' });
      await store.write(model.next({ put: { mine: 'newer' } }));
      expect(await contentNow()).toEqual({ mine: 'newer' });
      await stage.install();
      expect(await contentNow()).toEqual(contentOf(other.stored()));
    });

    test('ends the views of the content whose place it takes, and closing them is no error', async () => {
      await store.write(model.next({ put: many(50) }));
      const view = await store.snapshot();
      await view.read('', 100);
      const stage = await sealed();
      await stage.install();
      await expect(view.read('', 100)).rejects.toThrow();
      await view.close();
      const further = [];
      for (let count = 0; count < 4; count++) further.push(await store.snapshot());
      for (const one of further) await one.close();
      expect(await contentNow()).toEqual(contentOf(other.stored()));
    });

    test('that lacks a record, or has a changed one, is refused as a mismatch', async () => {
      await store.write(model.next({ put: { mine: 'old' } }));
      const header = headerOf(other.next({ put: many(10) }));
      const records = other.stored();
      const wrong: readonly (readonly StoredRecord[])[] = [
        records.slice(1),
        [...records.slice(1), { key: 'k0', value: Buffer.from('wrong') }],
        [],
      ];
      for (const given of wrong) {
        const stage = await store.stage(header);
        await stage.add(given);
        await expect(stage.seal()).rejects.toMatchObject({ name: 'SnapshotMismatch' });
        await expect(stage.install()).rejects.toThrow('sealed');
        await stage.discard();
      }
      const stage = await store.stage(header);
      await stage.add(records);
      await stage.seal();
      await stage.install();
      expect(await contentNow()).toEqual(contentOf(records));
    });

    test('that is discarded leaves nothing, and another can be staged', async () => {
      const stage = await sealed();
      await stage.discard();
      await stage.discard();
      await reopen(sealedIndex());
      expectImage(model);
    });

    test('is discarded by the next one', async () => {
      await sealed();
      const header = headerOf(other.next({ put: { more: 'records' } }));
      const stage = await store.stage(header);
      await stage.add(other.stored());
      await reopen(sealedIndex());
      expectImage(model);
    });

    test('that was not sealed when the process died is gone', async () => {
      await store.write(model.next({ put: { mine: 'old' } }));
      const header = headerOf(other.next({ put: many(10) }));
      const stage = await store.stage(header);
      await stage.add(other.stored());
      await reopen(header.index);
      expectImage(model);
    });

    test('that was sealed is put in place at open if the log begins there', async () => {
      await sealed();
      await reopen(sealedIndex());
      expectImage(other);
      await reopen(sealedIndex());
      expectImage(other);
    });

    test('that was sealed is gone if the log begins elsewhere', async () => {
      await sealed();
      await reopen(sealedIndex() - 1);
      expectImage(model);
      await reopen(sealedIndex());
      expectImage(model);
    });

    test('that was sealed is gone if the content has moved past it', async () => {
      await sealed();
      while ((model.last?.appliedIndex ?? 0) <= sealedIndex()) {
        await store.write(model.next({ put: { mine: `at ${model.last?.appliedIndex}` } }));
      }
      await reopen(sealedIndex());
      expectImage(model);
    });
  });
}
