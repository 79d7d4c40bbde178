// What every StateStore must do (port: src/node/ports.ts). Run for LevelDB and for the store in memory.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LogIndex, logIndex, revision } from '../../src/lib/ids.ts';
import type { StateBatch, StateStore } from '../../src/node/ports.ts';
import { contentOf, StateModel } from '../support/state-batches.ts';

/** How the suite gets its stores: each call opens what the one before, closed, has left. They hash as testHasher does. */
export interface StateStoreHarness {
  /** `floorIndex`: where the log begins. */
  open(floorIndex: LogIndex): Promise<StateStore>;
  dispose?(): Promise<void>;
}

export function describeStateStore(name: string, create: () => Promise<StateStoreHarness>): void {
  describe(`${name} is a StateStore`, () => {
    let harness: StateStoreHarness;
    let store: StateStore;
    let model: StateModel;

    beforeEach(async () => {
      harness = await create();
      store = await harness.open(logIndex(0));
      model = new StateModel();
    });
    afterEach(async () => {
      await store.close();
      await harness.dispose?.();
    });

    const reopen = async (): Promise<void> => {
      await store.close();
      store = await harness.open(logIndex(0));
    };
    const expectModel = (): void => {
      expect(store.discarded).toBeUndefined();
      expect(store.image.appliedIndex).toBe(model.last?.appliedIndex);
      expect(store.image.appliedTerm).toBe(model.last?.appliedTerm);
      expect(store.image.configuration?.index).toBe(model.last?.configuration.index);
      const payload = Buffer.from(store.image.configuration?.payload ?? []).toString();
      expect(payload).toBe(Buffer.from(model.last?.configuration.payload ?? []).toString());
      expect(store.image.meta).toEqual(model.last?.meta);
      expect(contentOf(store.image.records)).toEqual(contentOf(model.stored()));
    };

    test('opens empty, at index 0 and revision 0', () => {
      expect(store.discarded).toBeUndefined();
      expect(store.image.appliedIndex).toBe(0);
      expect(store.image.meta).toMatchObject({ revision: 0, registryTimeMs: 0 });
      expect(contentOf(store.image.records)).toEqual({});
    });

    test('what was written is there after a restart, with its metadata', async () => {
      await store.write(model.next({ put: { a: 'first', b: '', 'c/d': 'x'.repeat(10_000) } }));
      await reopen();
      expectModel();
    });

    test('later batches change and delete records', async () => {
      await store.write(model.next({ put: { a: 'first', b: 'second', c: 'third' } }));
      await store.write(model.next({ put: { a: 'changed' }, remove: ['b', 'never there'] }));
      await reopen();
      await store.write(model.next({ put: { b: 'back' }, remove: ['c'] }));
      await reopen();
      expectModel();
    });

    test('a batch without records moves the index alone', async () => {
      await store.write(model.next({ put: { a: 'first' } }));
      await store.write(model.next({}));
      await reopen();
      expectModel();
    });

    test('names beyond ASCII are kept', async () => {
      await store.write(model.next({ put: { 'zürich/支付': 'x', '!meta': 'y', 'r/': 'z' } }));
      await reopen();
      expectModel();
    });

    test('2000 records in one batch come back', async () => {
      const put = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`k${at}`, `v${at}`]));
      await store.write(model.next({ put }));
      await reopen();
      expectModel();
    });

    test('a second write at the same time is refused', async () => {
      const first = store.write(model.next({ put: { a: 'first' } }));
      const other = new StateModel().next({ put: { b: 'second' } });
      await expect(store.write(other)).rejects.toThrow('at a time');
      await first;
      await reopen();
      expectModel();
    });

    test('a closed store refuses to write', async () => {
      await store.write(model.next({ put: { a: 'first' } }));
      await store.close();
      const late: StateBatch = { ...new StateModel().next({ put: { a: 'late' } }) };
      await expect(store.write({ ...late, appliedIndex: logIndex(9) })).rejects.toThrow();
      store = await harness.open(logIndex(0));
      expectModel();
      expect(store.image.meta.revision).toBe(revision(1));
    });
  });
}
