// LevelDB and the store in memory behave alike.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStateStore } from '../../src/storage/state-store.ts';
import { emptyMemoryState, MemoryStateStore } from '../support/memory-state-store.ts';
import { testHash } from '../support/state-batches.ts';
import { describeStateStore } from './state-store.ts';

describeStateStore('LevelDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-state-'));
  return {
    open: () => openStateStore(directory, { hashOfImage: testHash }),
    dispose: () => rm(directory, { recursive: true }),
  };
});

describeStateStore('the state in memory', async () => {
  const state = emptyMemoryState();
  return { open: () => Promise.resolve(new MemoryStateStore(state)) };
});
