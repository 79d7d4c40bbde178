// The state machine on LevelDB (docs/adr/0005): a copy that saves replaying the log, and holds what the log has let go
// of. It is believed only as far as it can be verified; what cannot is thrown away.
import type { Logger } from 'pino';
import { assert, InvariantError } from '../lib/assert.ts';
import { type LogIndex, logIndex } from '../lib/ids.ts';
import { OutOfSpace } from '../lib/out-of-space.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type {
  SnapshotHeader,
  SnapshotStage,
  StateBatch,
  StateImage,
  StateSnapshot,
  StateStore,
} from '../node/ports.ts';
import type { ImageHasher, RegistryLoader } from '../registry/index.ts';
import { DiskError, isOutOfSpace } from './errors.ts';
import { decodeMeta, encodeMeta, metaKey, recordKey } from './keys.ts';
import { discardStaged, type LevelStage, openStage, type StageHost } from './snapshot-stage.ts';
import { type Database, databaseAt, openVerified } from './state-database.ts';
import { bytesUnder, stateFiles, type StateFiles, statePaths } from './state-files.ts';
import { crashOf as crashInProcess } from './state-probe.ts';
import { openRecovered } from './state-recovery.ts';
import { openSnapshot } from './state-snapshot.ts';

export interface StateStoreOptions {
  /** The order-independent hash over all records, the revision and the registry time (src/registry). */
  readonly imageHasher: () => ImageHasher;
  /** Where given, the image comes with the content built, in place of the records. */
  readonly createLoader?: () => RegistryLoader;
  /** Incarnation of the node: the content of another one is discarded. Default ''. */
  readonly owner?: string;
  /** Where the log on disk begins: a snapshot that was received for this point and not yet in use takes its place. Default 0. */
  readonly floorIndex?: LogIndex;
  readonly log?: Logger;
  /** Default: the real ones. */
  readonly files?: StateFiles;
  /** What happens to a process that reads the directory, before this one does. Default: one is started to see. */
  readonly crashOf?: (directory: string) => Promise<string | undefined>;
}

// Each keeps LevelDB from dropping what was overwritten since.
const maxSnapshots = 5;

/** Opens the state in `directory`, or an empty one if what is there cannot be verified.
 * @throws DiskError when not even an empty one can be made; UnknownFormatError, having changed nothing, when a later version wrote it. */
export async function openStateStore(
  directory: string,
  options: StateStoreOptions,
): Promise<StateStore> {
  const { owner = '', floorIndex = logIndex(0), files = stateFiles, log } = options;
  const { imageHasher, createLoader, crashOf = crashInProcess } = options;
  const paths = statePaths(directory);
  const base = { owner, files, imageHasher, paths, crashOf };
  try {
    await files.makeDirectory(paths.parent);
    const first = await openRecovered(paths, { ...base, createLoader, floorIndex, log });
    if (first.kind === 'verified') {
      return new LevelStateStore(base, first.database, first.image, undefined);
    }
    log?.warn({ directory, reason: first.reason }, 'the stored state is discarded');
    await files.remove(directory);
    await files.makeDirectory(directory);
    const second = await openVerified(directory, { ...base, createLoader });
    if (second.kind === 'verified') {
      return new LevelStateStore(base, second.database, second.image, first.reason);
    }
    throw new Error(second.reason);
  } catch (error) {
    if (error instanceof InvariantError || error instanceof UnknownFormatError) throw error;
    throw new DiskError('Opening the state store', error);
  }
}

function outOfSpace(action: string, cause: unknown): OutOfSpace {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new OutOfSpace(`${action} found no disk space: ${reason}`, { cause });
}

type Base = Pick<StageHost, 'paths' | 'files' | 'owner' | 'imageHasher'>;

class LevelStateStore implements StateStore {
  readonly image: StateImage;
  readonly discarded: string | undefined;
  readonly #base: Base;
  #database: Database;
  /** Of the last batch that was written. */
  #appliedIndex: LogIndex;
  #writing = false;
  #installing: Promise<void> | undefined;
  #settling: Promise<void> | undefined;
  #stage: LevelStage | undefined;
  /** The database has to be opened anew before it is written to. */
  #stale = false;
  #snapshots = 0;
  /** Rises when other content takes the place of this one, which ends the views of it. */
  #content = 0;
  #failure: DiskError | undefined;

  constructor(base: Base, database: Database, image: StateImage, discarded: string | undefined) {
    this.#base = base;
    this.#database = database;
    this.#appliedIndex = image.appliedIndex;
    this.image = image;
    this.discarded = discarded;
  }

  async write(batch: StateBatch): Promise<void> {
    assert(!this.#writing, 'one state batch is written at a time');
    assert(this.#installing === undefined, 'nothing is written while a snapshot is installed');
    this.#writing = true;
    try {
      const { appliedIndex, appliedTerm, configuration, meta } = batch;
      const operations = batch.records.map(({ key, value }) =>
        value === undefined
          ? { type: 'del' as const, key: recordKey(key) }
          : { type: 'put' as const, key: recordKey(key), value },
      );
      const { owner } = this.#base;
      const value = encodeMeta({ appliedIndex, appliedTerm, owner, configuration, meta });
      await this.#onDisk('Writing the state store', async () => {
        if (this.#stale) await this.#refresh();
        const all = [...operations, { type: 'put' as const, key: metaKey, value }];
        await this.#database.batch(all, { sync: true });
      });
      this.#appliedIndex = appliedIndex;
    } catch (error) {
      this.#stale = true;
      throw error;
    } finally {
      this.#writing = false;
    }
  }

  /** What LevelDB could not write whole ends its log as a torn write would, and it refuses what follows a failed compaction.
   * Opened anew it drops the one and forgets the other; nothing that it had acknowledged may be gone then. */
  async #refresh(): Promise<void> {
    this.#content += 1;
    await this.#database.close();
    this.#database = databaseAt(this.#base.paths.current);
    await this.#database.open();
    const value = await this.#database.get(metaKey);
    const found = value === undefined ? undefined : decodeMeta(value);
    if ((found?.appliedIndex ?? 0) < this.#appliedIndex) {
      throw new Error(`after a full disk it lacks what was written up to ${this.#appliedIndex}`);
    }
    this.#stale = false;
  }

  // LevelDB syncs the file it writes to, and the names in its directory only when it begins a new manifest: a power cut
  // could take a whole file with batches that were written durably.
  async settle(): Promise<LogIndex> {
    while (this.#installing !== undefined) await this.#installing;
    const settled = this.#appliedIndex;
    const { files, paths } = this.#base;
    this.#settling = this.#onDisk('Settling the state store', () =>
      files.syncDirectory(paths.current),
    );
    await this.#settling;
    return settled;
  }

  async bytes(): Promise<number> {
    const { current, incoming, old } = this.#base.paths;
    const sizes = await Promise.all([current, incoming, old].map(bytesUnder));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  async snapshot(): Promise<StateSnapshot> {
    while (this.#installing !== undefined) await this.#installing;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#snapshots >= maxSnapshots) {
      throw new Error(`no more than ${maxSnapshots} snapshots of the state are open at a time`);
    }
    this.#snapshots += 1;
    let counted = true;
    const uncount = (): void => {
      if (counted) this.#snapshots -= 1;
      counted = false;
    };
    try {
      const content = this.#content;
      const ended = (): boolean => content !== this.#content;
      const view = await openSnapshot(this.#database);
      return {
        header: view.header,
        get ended() {
          return ended();
        },
        read: (after, maxBytes) => view.read(after, maxBytes),
        close: () => view.close().finally(uncount),
      };
    } catch (error) {
      uncount();
      throw error;
    }
  }

  async stage(header: SnapshotHeader): Promise<SnapshotStage> {
    while (this.#installing !== undefined) await this.#installing;
    await this.#stage?.abandon();
    const { files, paths } = this.#base;
    await this.#onDisk('Removing a snapshot', () => discardStaged(files, paths));
    const stage = await openStage(
      {
        ...this.#base,
        onDisk: (action, run) => this.#onDisk(action, run),
        reopen: (exchange, installed) => this.#reopen(exchange, installed),
      },
      header,
    );
    this.#stage = stage;
    return stage;
  }

  async #reopen(exchange: () => Promise<void>, { index }: SnapshotHeader): Promise<void> {
    assert(!this.#writing, 'nothing is written while a snapshot is installed');
    this.#installing = this.#onDisk('Installing a snapshot', async () => {
      await this.#settling;
      // Closing ends the views of the content that goes, too.
      this.#content += 1;
      await this.#database.close();
      await exchange();
      this.#database = databaseAt(this.#base.paths.current);
      this.#appliedIndex = index;
      // Opening takes some room; what is in place stays there meanwhile.
      this.#stale = await this.#database.open().then(
        () => false,
        (error: unknown) => {
          if (isOutOfSpace(error)) return true;
          throw error;
        },
      );
    });
    await this.#installing;
    this.#installing = undefined;
  }

  /** After a failure nothing is tried again: what the disk holds is unknown. A full disk is none. */
  async #onDisk<T>(action: string, run: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await run();
    } catch (error) {
      if (isOutOfSpace(error)) throw outOfSpace(action, error);
      this.#failure ??= new DiskError(action, error);
      throw this.#failure;
    }
  }

  async close(): Promise<void> {
    await this.#installing?.catch(() => undefined);
    await this.#stage?.abandon();
    await this.#database.close();
  }
}
