// Whom a node whose log is lost can still ask (docs/adr/0018): the members named by the part of the log that is whole, and by the state.
// Only names and addresses to try: who answers is known by the uuid of the cluster.
import { logIndex } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { decodeClusterRecord } from '../node/cluster-record.ts';
import type { LostLog, Member } from '../node/peer-protocol.ts';
import type { Configuration } from '../raft/index.ts';
import { surveyState } from './data-survey.ts';
import type { DataDir } from './data-dir.ts';
import { replayAll } from './wal/open-wal.ts';
import { emptyReplay } from './wal/replay.ts';
import { diskFiles } from './wal/wal-files.ts';

/** The other members, as the newest record that can be read has them. The stores are closed. */
export async function knownMembers(
  dataDir: Pick<DataDir, 'identity' | 'walPath' | 'statePath'>,
): Promise<LostLog['members']> {
  const { identity, walPath, statePath } = dataDir;
  const found = [
    ...(await ofLog(walPath, identity.incarnation)),
    ...(await ofState(statePath, identity.incarnation)),
  ];
  const ofThisCluster = found.flatMap(({ index, payload }) => {
    const members = membersIn(payload, identity.clusterUuid);
    return members === undefined ? [] : [{ index, members }];
  });
  const newest = ofThisCluster.toSorted((a, b) => a.index - b.index).at(-1);
  return (newest?.members ?? [])
    .filter(({ nodeId }) => nodeId !== identity.nodeId)
    .map(({ nodeId, peerAddress }) => ({ nodeId, peerAddress }));
}

/** Frames up to the damage have right checksums. */
async function ofLog(directory: string, owner: string): Promise<readonly Configuration[]> {
  const replay = emptyReplay(owner);
  try {
    await replayAll({ directory, files: diskFiles }, replay);
  } catch {
    // What was read before stays.
  }
  return [replay.floor.configuration, ...replay.configurations];
}

/** A state that cannot even be looked at names nobody. One of a later version is not set aside with the log, but refused. */
async function ofState(directory: string, owner: string): Promise<readonly Configuration[]> {
  try {
    const { state } = await surveyState(directory, owner, logIndex(0));
    const configuration = state.kind === 'verified' ? state.image.configuration : undefined;
    return configuration === undefined ? [] : [configuration];
  } catch (error) {
    if (error instanceof UnknownFormatError) throw error;
    return [];
  }
}

function membersIn(payload: Uint8Array, clusterUuid: string): readonly Member[] | undefined {
  if (payload.length === 0) return undefined;
  const record = decodeClusterRecord(payload);
  return record.clusterUuid === clusterUuid ? record.members : undefined;
}
