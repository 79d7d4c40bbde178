// The directory of one node: lock, identity, and the places of the log and the state store. Nothing here is ever guessed:
// a directory that does not add up is refused with the reason.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { LostLog } from '../node/peer-protocol.ts';
import { lockDataDir, type DataDirLock } from './data-dir-lock.ts';
import { EPOCH_BUILT } from './epoch-place.ts';
import { DataDirError, DiskError, replaceAdvice } from './errors.ts';
import { readIdentity, writeIdentity, type Identity } from './identity.ts';
import { DAMAGED_LOG, dropDamaged, giveUpLog, setAside } from './lost-data.ts';
import { stateFiles, statePaths } from './state-files.ts';
import { makeDurableDirectory } from './wal/wal-files.ts';

export interface DataDirOptions {
  readonly nodeId: string;
  readonly clusterId: string;
  /** Random bytes for the incarnation and the lock's name. Default: the operating system's. */
  readonly entropy?: (bytes: number) => Uint8Array;
}

/** An open data-dir. Held until release() or the end of the process, however it ends. */
export interface DataDir {
  readonly identity: Identity;
  readonly walPath: string;
  readonly statePath: string;
  /** Notes the cluster this node belongs to: its own log makes it a member. Durable when it resolves; again with the same uuid does
   * nothing. */
  markFormed(clusterUuid: string): Promise<void>;
  /** The log is lost. Resolves with a new identity, and with log and state set aside (lost-data.ts); the stores are closed meanwhile.
   * @throws DataDirError 11: nobody is known who could take it back, or it has nowhere to return to. Nothing is changed then. */
  giveUpLog(damage: Pick<LostLog, 'found' | 'members'>): Promise<void>;
  /** This node has its place again: what was set aside goes. */
  dropDamaged(): Promise<void>;
  release(): Promise<void>;
}

/** Creates or opens the directory, takes its lock, and reads or makes its identity.
 * @throws DataDirError 14: in use, or of another node or cluster. 11: identity damaged or lost.
 * @throws UnknownFormatError 14: of a later version.
 * @throws DiskError 10: the directory cannot be made, read or written. */
export async function openDataDir(path: string, options: DataDirOptions): Promise<DataDir> {
  const directory = resolve(path);
  const entropy = options.entropy ?? randomBytes;
  try {
    await makeDurableDirectory(directory);
    const lock = await lockDataDir(directory, hex(entropy(8)));
    try {
      return await openLocked(directory, options, entropy, lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    const isNamed = error instanceof DataDirError || error instanceof DiskError;
    if (isNamed || error instanceof UnknownFormatError) throw error;
    throw new DiskError(`Opening the data-dir ${directory}`, error);
  }
}

async function openLocked(
  directory: string,
  options: DataDirOptions,
  entropy: (bytes: number) => Uint8Array,
  lock: DataDirLock,
): Promise<DataDir> {
  const walPath = join(directory, 'wal');
  const statePath = join(directory, 'state');
  const { nodeId, clusterId } = options;
  let identity = await readIdentity(directory);
  if (identity === undefined) {
    if ((await readdir(directory)).includes(EPOCH_BUILT)) throw interrupted(directory);
    const { current, incoming, old } = statePaths(statePath);
    for (const path of [walPath, current, incoming, old, join(directory, DAMAGED_LOG)]) {
      if (!(await isEmptyOrAbsent(path))) throw lost(directory);
    }
    identity = {
      formatVersion: 1,
      nodeId,
      clusterId,
      incarnation: hex(entropy(16)),
      clusterUuid: '',
    };
    await writeIdentity(directory, identity);
  }
  checkOwner(directory, identity, options);
  // A recovery that never took effect: it takes room, and must not take the place of what is written from now on.
  await stateFiles.remove(join(directory, EPOCH_BUILT));
  let current = await setAside(directory, identity);
  const onDisk = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      if (error instanceof DataDirError) throw error;
      throw new DiskError(`Writing the data-dir ${directory}`, error);
    }
  };
  return {
    get identity() {
      return current;
    },
    walPath,
    statePath,
    markFormed: async (clusterUuid) => {
      if (current.clusterUuid === clusterUuid) return;
      if (current.clusterUuid !== '') {
        throw new DataDirError(14, `The data-dir ${directory} already belongs to another cluster`);
      }
      if (current.replaces !== undefined && current.replaces.clusterUuid !== clusterUuid) {
        throw new DataDirError(14, `The data-dir ${directory} belonged to another cluster before`);
      }
      const { incarnation } = current;
      const formed = { formatVersion: 1, nodeId, clusterId, incarnation, clusterUuid } as const;
      await onDisk(() => writeIdentity(directory, formed));
      current = formed;
    },
    giveUpLog: async (damage) => {
      current = await onDisk(() => giveUpLog(directory, current, damage, hex(entropy(16))));
    },
    dropDamaged: () => onDisk(() => dropDamaged(directory)),
    release: () => lock.release(),
  };
}

const ownAdvice =
  'Start it with a data-dir of its own, or restore identity.json if another one has taken its place.';

function checkOwner(directory: string, identity: Identity, options: DataDirOptions): void {
  if (identity.nodeId !== options.nodeId) {
    throw new DataDirError(
      14,
      `The data-dir ${directory} belongs to node ${identity.nodeId}, not to ${options.nodeId}. ${ownAdvice}`,
    );
  }
  if (identity.clusterId !== options.clusterId) {
    throw new DataDirError(
      14,
      `The data-dir ${directory} belongs to cluster ${identity.clusterId}, not to ${options.clusterId}. ${ownAdvice}`,
    );
  }
}

function interrupted(directory: string): DataDirError {
  return new DataDirError(
    11,
    `In the data-dir ${directory} a \`rollcall recover\` or \`rollcall snapshot restore\` was interrupted: run the same command ` +
      'again, it goes on where it was.',
  );
}

function lost(directory: string): DataDirError {
  return new DataDirError(
    11,
    `The data-dir ${directory} holds data but no identity file. Who this node is cannot be guessed: restore ` +
      `identity.json. ${replaceAdvice}`,
  );
}

/** There is no such directory, or nothing in it. */
export async function isEmptyOrAbsent(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return true;
    throw error;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
