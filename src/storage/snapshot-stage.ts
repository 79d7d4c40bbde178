// A snapshot from a peer on its way into the state store (ports.ts, SnapshotStage): a LevelDB directory of its own beside the
// one in use, a marker once it is whole and durable, and the exchange of the two by renames.
import { join } from 'node:path';
import { assert } from '../lib/assert.ts';
import type { SnapshotHeader, SnapshotStage } from '../node/ports.ts';
import type { ImageHasher, StoredRecord } from '../registry/index.ts';
import { encodeMeta, metaKey, recordKey } from './keys.ts';
import { removeMarker, writeMarker } from './sealed-marker.ts';
import { databaseAt, type Database } from './state-database.ts';
import type { StateFiles, StatePaths } from './state-files.ts';
import { verifySnapshot } from './state-verdict.ts';

export interface StageHost {
  readonly paths: StatePaths;
  readonly files: StateFiles;
  readonly owner: string;
  readonly imageHasher: () => ImageHasher;
  /** Runs what must not fail: an error is the disk's, and the store is not to be trusted any more. */
  readonly onDisk: <T>(action: string, run: () => Promise<T>) => Promise<T>;
  /** Lets go of the content in use, runs `exchange`, and goes on with what is there then. */
  readonly reopen: (exchange: () => Promise<void>, header: SnapshotHeader) => Promise<void>;
}

/** Removes what was staged. The marker goes first: it must never speak of something else than what it was written for. */
export async function discardStaged(files: StateFiles, paths: StatePaths): Promise<void> {
  await removeMarker(files, paths);
  await files.remove(paths.incoming);
}

/** Puts sealed content in the place of the current one. A crash in between leaves what the next open completes: as long as the
 * marker is there, the content is at `incoming` or at `current`. */
export async function exchangeStates(files: StateFiles, paths: StatePaths): Promise<void> {
  await files.remove(paths.old);
  await files.rename(paths.current, paths.old);
  await files.syncDirectory(paths.parent);
  await files.rename(paths.incoming, paths.current);
  await files.syncDirectory(paths.parent);
  await removeMarker(files, paths);
  await files.remove(paths.old);
}

/** What was staged before has been discarded. */
export async function openStage(host: StageHost, header: SnapshotHeader): Promise<LevelStage> {
  const database = databaseAt(host.paths.incoming);
  await host.onDisk('Making room for a snapshot', async () => {
    await host.files.makeDirectory(host.paths.incoming);
    await database.open();
  });
  return new LevelStage(host, header, database);
}

export class LevelStage implements SnapshotStage {
  readonly #host: StageHost;
  readonly #header: SnapshotHeader;
  readonly #database: Database;
  readonly #hasher: ImageHasher;
  #count = 0;
  #phase: 'open' | 'busy' | 'sealed' | 'ended' = 'open';
  /** What is under way, to be waited for before the files are let go of. */
  #running: Promise<void> = Promise.resolve();

  constructor(host: StageHost, header: SnapshotHeader, database: Database) {
    this.#host = host;
    this.#header = header;
    this.#database = database;
    this.#hasher = host.imageHasher();
  }

  add(records: readonly StoredRecord[]): Promise<void> {
    return this.#run('open', 'open', async () => {
      // Put one by one: a list of operations costs twice as much, most of it in the crossing to LevelDB. Nothing is synced
      // before the seal.
      const batch = this.#database.batch();
      for (const record of records) {
        assert(record.value !== undefined, 'a snapshot holds no deletions');
        batch.put(recordKey(record.key), record.value);
        this.#hasher.add(record);
      }
      this.#count += records.length;
      await this.#host.onDisk('Staging a snapshot', () => batch.write());
    });
  }

  seal(): Promise<void> {
    return this.#run('open', 'sealed', async () => {
      const { index, term, configuration, meta } = this.#header;
      verifySnapshot(this.#hasher, this.#count, meta);
      const { files, paths, owner, onDisk } = this.#host;
      await onDisk('Sealing a snapshot', async () => {
        const state = { appliedIndex: index, appliedTerm: term, owner, configuration, meta };
        await this.#database.put(metaKey, encodeMeta(state));
        await this.#database.close();
        // LevelDB syncs what it thinks it needs; here nothing but the disk may be needed.
        for (const name of await files.list(paths.incoming)) {
          await files.syncFile(join(paths.incoming, name));
        }
        await files.syncDirectory(paths.incoming);
        await writeMarker(files, paths, { index, term, hash: meta.hash, owner });
      });
    });
  }

  install(): Promise<void> {
    const { files, paths, reopen } = this.#host;
    return this.#run('sealed', 'ended', () =>
      reopen(() => exchangeStates(files, paths), this.#header),
    );
  }

  async discard(): Promise<void> {
    if (!(await this.abandon())) return;
    const { files, paths, onDisk } = this.#host;
    await onDisk('Removing a snapshot', () => discardStaged(files, paths));
  }

  /** Lets go of the files without removing any: the next open decides. False when there is nothing to let go of. */
  async abandon(): Promise<boolean> {
    await this.#running.catch(() => undefined);
    if (this.#phase === 'ended') return false;
    this.#phase = 'ended';
    await this.#database.close();
    return true;
  }

  /** A mismatch leaves the phase as it was; an error of the disk ends the whole store. */
  async #run(
    from: 'open' | 'sealed',
    to: 'open' | 'sealed' | 'ended',
    step: () => Promise<void>,
  ): Promise<void> {
    assert(this.#phase === from, `a snapshot that is ${this.#phase} is not taken as ${from}`);
    this.#phase = 'busy';
    this.#running = step();
    let next: 'open' | 'sealed' | 'ended' = from;
    try {
      await this.#running;
      next = to;
    } finally {
      this.#phase = next;
    }
  }
}
