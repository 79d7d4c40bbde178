// What the state store in memory forgets, as LevelDB on a disk would: the simulator's power cuts and kills go through this.
import { describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { logIndex } from '../../src/lib/ids.ts';
import type { SnapshotStage } from '../../src/node/ports.ts';
import {
  type DiskStep,
  emptyMemoryState,
  loseUnsettled,
  type MemoryState,
  MemoryStateStore,
} from '../support/memory-state-store.ts';
import { contentOf, headerOf, StateModel, testHash } from '../support/state-batches.ts';

const open = (state: MemoryState, floor = 0, dieAt?: DiskStep): MemoryStateStore =>
  new MemoryStateStore(state, {
    floorIndex: logIndex(floor),
    hashOfImage: testHash,
    beforeStep: (step) =>
      step === dieAt ? Promise.reject(new Error('killed')) : Promise.resolve(),
  });

const contentIn = (state: MemoryState): Readonly<Record<string, string>> =>
  contentOf([...state.records].map(([key, value]) => ({ key, value })));

describe('a power cut', () => {
  test('takes batches back to the last settle, newest first, whole', async () => {
    const state = emptyMemoryState();
    const store = open(state);
    const model = new StateModel();
    await store.write(model.next({ put: { a: '1', b: '1' } }));
    expect(await store.settle()).toBe(3);
    await store.write(model.next({ put: { a: '2', c: '2' }, remove: ['b'] }));
    await store.write(model.next({ put: { a: '3' }, remove: ['c'] }));
    const other = structuredClone(state);
    loseUnsettled(state, 1);
    expect(contentIn(state)).toEqual({ a: '2', c: '2' });
    expect(state.last?.appliedIndex).toBe(6);
    loseUnsettled(other, 0);
    expect(contentIn(other)).toEqual({ a: '1', b: '1' });
    expect(open(other).image.appliedIndex).toBe(3);
    loseUnsettled(other, 0);
    expect(contentIn(other)).toEqual({ a: '1', b: '1' });
  });

  test('takes nothing that was written before a settle began, and may take what came during it', async () => {
    const state = emptyMemoryState();
    const store = open(state);
    const model = new StateModel();
    await store.write(model.next({ put: { a: '1' } }));
    const settling = store.settle();
    await store.write(model.next({ put: { a: '2' } }));
    expect(await settling).toBe(3);
    loseUnsettled(state, 0);
    expect(['1', '2']).toContain(contentIn(state)['a']);
  });

  test('leaves an installed snapshot', async () => {
    const state = emptyMemoryState();
    const { stage, theirs } = await staged(open(state));
    await stage.seal();
    await stage.install();
    loseUnsettled(state, 0);
    expect(contentIn(state)).toEqual(contentOf(theirs.stored()));
  });
});

/** A store with content of its own and everything of a snapshot staged. */
async function staged(
  store: MemoryStateStore,
): Promise<{ stage: SnapshotStage; theirs: StateModel; index: number }> {
  await store.write(new StateModel().next({ put: { mine: 'old' } }));
  const theirs = new StateModel();
  theirs.next({ put: { x: '1' } });
  theirs.next({ put: { y: '2' } });
  const header = headerOf(present(theirs.last, 'it has a state'));
  const stage = await store.stage(header);
  await stage.add(theirs.stored());
  return { stage, theirs, index: header.index };
}

describe('a process killed while', () => {
  test('a snapshot is sealed keeps the old content', async () => {
    const state = emptyMemoryState();
    const { stage, index } = await staged(open(state, 0, 'seal'));
    await expect(stage.seal()).rejects.toThrow('killed');
    expect(contentOf(open(state, index).image.records)).toEqual({ mine: 'old' });
  });

  test('a snapshot is installed has it at the next start, if the log begins there', async () => {
    const state = emptyMemoryState();
    const { stage, theirs, index } = await staged(open(state, 0, 'install'));
    await stage.seal();
    await expect(stage.install()).rejects.toThrow('killed');
    expect(contentIn(state)).toEqual({ mine: 'old' });
    const other = structuredClone(state);
    expect(contentOf(open(other, index - 1).image.records)).toEqual({ mine: 'old' });
    const { image } = open(state, index);
    expect(contentOf(image.records)).toEqual(contentOf(theirs.stored()));
    expect(image.appliedIndex).toBe(index);
  });

  test('it does anything is heard of no more', async () => {
    const state = emptyMemoryState();
    const store = open(state, 0, 'settle');
    await expect(store.settle()).rejects.toThrow('killed');
    await expect(store.write(new StateModel().next({}))).rejects.toThrow('killed');
    expect(state.last).toBeUndefined();
  });
});
