// The disk's part of a node: data-dir with its lock and identity, write-ahead log, state store. A log that is lost is given up here,
// and the node begins anew in the place of the former one.
import { type NodeConfig, requireInitialMembers } from '../../config/load-config.ts';
import { nodeId as toNodeId } from '../../lib/ids.ts';
import type { LogStore, StateStore } from '../../node/ports.ts';
import { createRegistryLoader, imageHasher } from '../../registry/index.ts';
import { type DataDir, isEmptyOrAbsent, openDataDir } from '../../storage/data-dir.ts';
import { readDiskMark, removeDiskMark } from '../../storage/disk-mark.ts';
import { DamagedLogError } from '../../storage/errors.ts';
import { knownMembers } from '../../storage/known-members.ts';
import { openStateStore } from '../../storage/state-store.ts';
import { openWal, walIsEmpty } from '../../storage/wal/open-wal.ts';
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
  const storageLog = componentLogger(log, 'storage');
  try {
    const mark = await readDiskMark(config.dataDir);
    if (mark !== undefined) {
      storageLog.warn(
        { event: 'disk_suspect', detail: mark },
        'the disk failed the last run: everything is verified before anything is served',
      );
    }
    const stores = await openStores(dataDir, config, storageLog).catch(async (error: unknown) => {
      if (!(error instanceof DamagedLogError) || config.repair === 'never') throw error;
      await giveUp(dataDir, config, error, storageLog);
      return openStores(dataDir, config, storageLog);
    });
    // Both are read whole at every start, each byte against a checksum or a hash.
    if (mark !== undefined) await clearMark(config.dataDir, stores, storageLog);
    return { dataDir, ...stores, release: () => dataDir.release() };
  } catch (error) {
    await dataDir.release();
    throw error;
  }
}

async function openStores(
  { identity, walPath, statePath }: DataDir,
  config: NodeConfig,
  log: Logger,
): Promise<Pick<Storage, 'logStore' | 'stateStore'>> {
  const { incarnation: owner, clusterUuid, replaces } = identity;
  const formed = clusterUuid !== '';
  if (!formed && replaces === undefined) requireInitialMembers(config);
  if (formed && (await walIsEmpty(walPath))) {
    const reason = `the log is missing or empty, but this node has joined cluster ${config.clusterId}`;
    throw new DamagedLogError(walPath, 0, reason);
  }
  const logStore = await openWal(walPath, { owner, formed, log });
  const stateIsMissing = await isEmptyOrAbsent(statePath);
  const stateStore = await openStateStore(statePath, {
    imageHasher,
    createLoader: createRegistryLoader,
    owner,
    floorIndex: logStore.image.floor.index,
    log,
  });
  const { appliedIndex } = stateStore.image;
  const { lastIndex, floor } = logStore.image;
  // It is made before the first entry is written. What an interrupted install had moved aside is back by now.
  if (stateIsMissing && lastIndex > 0 && appliedIndex === 0) {
    const from = floor.index === 0 ? 'the log' : 'a snapshot of the leader';
    log.warn(
      {
        event: 'state_missing',
        directory: statePath,
        first_index: floor.index + 1,
        last_index: lastIndex,
      },
      `the state directory is missing or empty, though the log has entries: the state is made again from ${from}`,
    );
  }
  if (appliedIndex <= lastIndex) return { logStore, stateStore };
  await Promise.all([logStore.close(), stateStore.close()]);
  // A state batch is written only once the log holds all of it.
  const reason = `the log ends at entry ${lastIndex}, and the state holds everything up to entry ${appliedIndex}`;
  throw new DamagedLogError(walPath, 0, `${reason}: it has lost acknowledged entries`);
}

async function giveUp(
  dataDir: DataDir,
  config: NodeConfig,
  { damage, file, offset }: DamagedLogError,
  log: Logger,
): Promise<void> {
  const { incarnation } = dataDir.identity;
  const listed = (config.initialMembers ?? []).map((member) => ({
    nodeId: toNodeId(member.nodeId),
    peerAddress: member.peerAddress,
  }));
  const others = listed.filter(({ nodeId }) => nodeId !== config.nodeId);
  const members = [...others, ...(await knownMembers(dataDir))];
  await dataDir.giveUpLog({ found: damage, members });
  log.warn({
    event: 'log_given_up',
    file,
    offset,
    detail: damage,
    former: incarnation,
    incarnation: dataDir.identity.incarnation,
    members: [...new Set(members.map(({ nodeId }) => nodeId))],
  });
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
