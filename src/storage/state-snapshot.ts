// A view of the state store as of one batch (ports.ts, StateSnapshot), on LevelDB's explicit snapshots. Each read is a scan of its
// own, so that the same question has the same answer however often it is asked.
import { term } from '../lib/ids.ts';
import type { StateSnapshot } from '../node/ports.ts';
import type { StoredRecord } from '../registry/index.ts';
import { DiskError } from './errors.ts';
import { decodeMeta, metaKey, recordKey, recordsEnd, registryKey, type StateMeta } from './keys.ts';
import type { Database } from './state-database.ts';

// A part ends by its bytes; a row is never smaller than some tens of bytes.
const maxRows = 16_384;

/** Rejects when nothing has been written since the store was made, or since the version that kept no configuration.
 * @throws DiskError when what the snapshot begins with cannot be read back, or is not what was written */
export async function openSnapshot(database: Database): Promise<Omit<StateSnapshot, 'ended'>> {
  const view = database.snapshot();
  try {
    const state = await metaIn(database, view);
    if (state?.configuration === undefined) {
      throw new Error('the state store has no content yet that a snapshot could be made of');
    }
    const { appliedIndex: index, appliedTerm, configuration, meta } = state;
    return {
      header: { index, term: term(appliedTerm), configuration, meta },
      read: async (after, maxBytes) => {
        const iterator = database.iterator({
          gt: recordKey(after),
          lt: recordsEnd,
          snapshot: view,
          highWaterMarkBytes: maxBytes,
          // One pass over everything would push out what LevelDB has at hand for others.
          fillCache: false,
        });
        try {
          const rows = await iterator.nextv(maxRows);
          const [further] = await iterator.nextv(1);
          if (further !== undefined) rows.push(further);
          return { records: rows.map(recordOf), done: further === undefined };
        } finally {
          await iterator.close();
        }
      },
      close: () => view.close(),
    };
  } catch (error) {
    await view.close();
    throw error;
  }
}

async function metaIn(
  database: Database,
  snapshot: ReturnType<Database['snapshot']>,
): Promise<StateMeta | undefined> {
  try {
    const value = await database.get(metaKey, { snapshot });
    if (value === undefined) return undefined;
    const state = decodeMeta(value);
    if (state === undefined) throw new Error('it does not match its checksum');
    return state;
  } catch (error) {
    // Closed meanwhile, to be opened anew or for other content.
    if (database.status !== 'open') throw error;
    throw new DiskError('Reading the metadata of the state', error);
  }
}

function recordOf([key, value]: readonly [string, Uint8Array]): StoredRecord {
  return { key: registryKey(key) ?? key, value };
}
