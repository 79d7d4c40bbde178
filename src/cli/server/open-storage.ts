// The disk's part of a node: data-dir with its lock and identity, write-ahead log, state store.
import { type NodeConfig, requireInitialMembers } from '../../config/load-config.ts';
import type { LogStore, StateStore } from '../../node/ports.ts';
import { createRegistryLoader, imageHasher } from '../../registry/index.ts';
import { type DataDir, openDataDir } from '../../storage/data-dir.ts';
import { readDiskMark, removeDiskMark } from '../../storage/disk-mark.ts';
import { openStateStore } from '../../storage/state-store.ts';
import { openWal } from '../../storage/wal/open-wal.ts';
import { componentLogger, type Logger } from '../../telemetry/logger.ts';

export interface Storage {
  readonly dataDir: DataDir;
  readonly logStore: LogStore;
  readonly stateStore: StateStore;
  /** Lets go of the data-dir; the node closes the stores when it stops. */
  release(): Promise<void>;
}

/** Throws ConfigError (exit 2), or an error of storage that carries its exit code: 10, 11 or 14. */
export async function openStorage(config: NodeConfig, log: Logger): Promise<Storage> {
  const { nodeId, clusterId } = config;
  const dataDir = await openDataDir(config.dataDir, { nodeId, clusterId });
  const owner = dataDir.identity.incarnation;
  const formed = dataDir.identity.clusterUuid !== '';
  try {
    if (!formed) requireInitialMembers(config);
    const storageLog = componentLogger(log, 'storage');
    const mark = await readDiskMark(config.dataDir);
    if (mark !== undefined) {
      storageLog.warn(
        { event: 'disk_suspect', detail: mark },
        'the disk failed the last run: everything is verified before anything is served',
      );
    }
    const logStore = await openWal(dataDir.walPath, { owner, formed, log: storageLog });
    const stateStore = await openStateStore(dataDir.statePath, {
      imageHasher,
      createLoader: createRegistryLoader,
      owner,
      floorIndex: logStore.image.floor.index,
      log: storageLog,
    });
    // Both are read whole at every start, each byte against a checksum or a hash.
    if (mark !== undefined) await clearMark(config.dataDir, { logStore, stateStore }, storageLog);
    return { dataDir, logStore, stateStore, release: () => dataDir.release() };
  } catch (error) {
    await dataDir.release();
    throw error;
  }
}

async function clearMark(
  directory: string,
  { logStore, stateStore }: Pick<Storage, 'logStore' | 'stateStore'>,
  log: Logger,
): Promise<void> {
  await removeDiskMark(directory);
  log.info(
    {
      event: 'disk_verified',
      last_index: logStore.image.lastIndex,
      applied_index: stateStore.image.appliedIndex,
      state_discarded: stateStore.discarded,
    },
    stateStore.discarded === undefined
      ? 'the log and the state are whole: the mark of the failed disk is taken away'
      : 'the log is whole and the state is made again: the mark of the failed disk is taken away',
  );
}
