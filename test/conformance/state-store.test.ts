// LevelDB and the store in memory behave alike.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStateStore } from '../../src/storage/state-store.ts';
import { emptyMemoryState, MemoryStateStore } from '../support/memory-state-store.ts';
import { testHash, testHasher } from '../support/state-batches.ts';
import { describeStateSnapshots } from './state-snapshots.ts';
import { describeStateStore, type StateStoreHarness } from './state-store.ts';

async function onDisk(): Promise<StateStoreHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-state-'));
  const state = join(directory, 'state');
  return {
    open: (floorIndex) => openStateStore(state, { imageHasher: testHasher, floorIndex }),
    dispose: () => rm(directory, { recursive: true }),
  };
}

async function inMemory(): Promise<StateStoreHarness> {
  const state = emptyMemoryState();
  return {
    open: async (floorIndex) => new MemoryStateStore(state, { floorIndex, hashOfImage: testHash }),
  };
}

describeStateStore('LevelDB', onDisk);
describeStateStore('the state in memory', inMemory);
describeStateSnapshots('LevelDB', onDisk);
describeStateSnapshots('the state in memory', inMemory);
