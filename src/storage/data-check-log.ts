// What `rollcall check-data` says of the log: every frame verified, and that it tells of the cluster that the identity names.
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { counted } from '../lib/counted.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { decodeClusterRecord } from '../node/cluster-record.ts';
import { type Add, addingTo, advice, type Finding } from './data-finding.ts';
import { DamagedLogError } from './errors.ts';
import type { Identity } from './identity.ts';
import { type InspectedLog, inspectLog, ownerOfLog } from './wal/inspect.ts';
import { unfinishedSuffix } from './wal/segment.ts';

/** undefined where it cannot be read to its end. */
export async function checkLog(
  walPath: string,
  identity: Identity | undefined,
  found: Finding[],
): Promise<InspectedLog | undefined> {
  const add = addingTo(found, 'log');
  let log: InspectedLog;
  try {
    log = await inspectLog(walPath, identity?.incarnation ?? (await ownerOfLog(walPath)) ?? '');
  } catch (error) {
    if (error instanceof UnknownFormatError) {
      add('later', `${error.message}.`, advice.useThat);
      return undefined;
    }
    if (!(error instanceof DamagedLogError)) throw error;
    add('damaged', `${error.damage}.`, advice.byItself);
    return undefined;
  }
  const { floor, lastIndex, hardState } = log.image;
  if (lastIndex === 0) {
    const lost = identity !== undefined && identity.clusterUuid !== '';
    const joined =
      identity?.replaces === undefined ? 'joined a cluster' : 'come back to its cluster';
    if (lost)
      add('damaged', 'The log is empty, but this node has joined a cluster.', advice.byItself);
    else add('sound', `The log is empty: the node has not ${joined} yet.`);
    return lost ? undefined : log;
  }
  const first = floor.index + 1;
  const entries =
    first > lastIndex
      ? `no entry after ${floor.index}`
      : first === lastIndex
        ? `entry ${first}`
        : `entries ${first} to ${lastIndex}`;
  add(
    'sound',
    `The log is whole: ${log.segments === 1 ? 'one segment' : counted(log.segments, 'segment')} with ${entries}, term ${hardState.term}, known to be committed up to ${hardState.commitIndex}.`,
  );
  if (log.torn !== undefined) {
    const { file, offset, bytes } = log.torn;
    const text = `The last write was torn and never acknowledged: ${counted(bytes, 'byte')} at byte ${offset} of ${basename(file)}.`;
    add(
      'note',
      text,
      'Nothing to do: the next start cuts it. It is expected after a power cut, not otherwise.',
    );
  }
  const unfinished = (await readdir(walPath)).filter((name) => name.endsWith(unfinishedSuffix));
  if (unfinished.length > 0) {
    add(
      'note',
      `A segment was being prepared: ${unfinished.join(', ')}.`,
      'Nothing to do: the next start removes it.',
    );
  }
  checkCluster(log, identity, add);
  return log;
}

/** The log and the identity tell of one cluster. */
function checkCluster({ image }: InspectedLog, identity: Identity | undefined, add: Add): void {
  const { payload } = image.configurations.at(-1) ?? image.floor.configuration;
  try {
    const record = decodeClusterRecord(payload);
    const members = record.members.map(
      (member) => member.nodeId + (member.learner ? ' (learner)' : ''),
    );
    const other =
      identity !== undefined &&
      (identity.clusterId !== record.clusterId ||
        (identity.clusterUuid !== '' && identity.clusterUuid !== record.clusterUuid));
    if (other) {
      add(
        'damaged',
        `The log is of cluster ${record.clusterId} (${record.clusterUuid}), identity.json is of another one.`,
        advice.replace,
      );
    } else add('sound', `Its members, as of the end of the log: ${members.join(', ')}.`);
  } catch (error) {
    if (error instanceof UnknownFormatError) add('later', `${error.message}.`, advice.useThat);
    else add('damaged', 'The log does not say who the members of the cluster are.', advice.replace);
  }
}
