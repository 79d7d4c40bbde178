// A view of the state store as of one batch (ports.ts, StateSnapshot), on LevelDB's explicit snapshots. Each read is a scan of its
// own, so that the same question has the same answer however often it is asked.
import { term } from '../lib/ids.ts';
import type { StateSnapshot } from '../node/ports.ts';
import type { StoredRecord } from '../registry/index.ts';
import { decodeMeta, metaKey, recordKey, recordsEnd, registryKey } from './keys.ts';
import type { Database } from './state-database.ts';

// A part ends by its bytes; a row is never smaller than some tens of bytes.
const maxRows = 16_384;

/** Rejects when nothing has been written since the store was made, or since the version that kept no configuration. */
export async function openSnapshot(database: Database): Promise<Omit<StateSnapshot, 'ended'>> {
  const view = database.snapshot();
  try {
    const value = await database.get(metaKey, { snapshot: view });
    const state = value === undefined ? undefined : decodeMeta(value);
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

function recordOf([key, value]: readonly [string, Uint8Array]): StoredRecord {
  return { key: registryKey(key) ?? key, value };
}
