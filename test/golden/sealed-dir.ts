// A data-dir in which a snapshot from a peer has been received and sealed, the log begins after it, and the process died before it took the
// place of the state: the rarest files that a start may meet.
import { logIndex, term } from '../../src/lib/ids.ts';
import {
  createRegistry,
  decodeCommand,
  imageHasher,
  registryDefaults,
} from '../../src/registry/index.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import { entriesOf, makeDataDir, options } from '../support/data-dirs.ts';

const received = 40;

export async function makeSealedDir(directory: string): Promise<void> {
  await makeDataDir(directory, { instances: 8, flushedAt: 5 });
  const dataDir = await openDataDir(directory, options);
  const owner = dataDir.identity.incarnation;
  const wal = await openWal(dataDir.walPath, { owner, segmentBytes: 1 << 17 });
  const [configuration] = wal.image.configurations;
  if (configuration === undefined) throw new Error('the log begins with the members');
  const registry = createRegistry(registryDefaults);
  for (const { payload } of entriesOf({ instances: received })) {
    registry.apply(decodeCommand(payload));
  }
  const index = logIndex(received + 1);
  const state = await openStateStore(dataDir.statePath, { imageHasher, owner });
  const stage = await state.stage({ index, term: term(2), configuration, meta: registry.meta() });
  await stage.add(registry.takeDirty().toSorted((a, b) => (a.key < b.key ? -1 : 1)));
  await stage.seal();
  await wal.append({
    sequence: 0,
    term: term(2),
    hardState: { ...wal.image.hardState, commitIndex: index },
    truncateAfter: undefined,
    floor: { index, term: term(2), configuration },
    entries: [],
  });
  await state.close();
  await wal.close();
  await dataDir.release();
}
