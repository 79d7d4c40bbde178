// What a data-dir or a backup holds, as plain values that can be written down and compared.
import { createRegistryLoader, type StoredRecord } from '../../src/registry/index.ts';
import { VerifiedBackup } from '../../src/storage/backup-file.ts';
import { checkData } from '../../src/storage/data-check.ts';
import type { Finding } from '../../src/storage/data-finding.ts';
import { decodeClusterRecord } from '../../src/node/cluster-record.ts';
import { present } from '../../src/lib/assert.ts';

export interface DataDirPortrait {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly clusterUuid: string;
  readonly incarnation: string;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly term: number;
  readonly members: readonly string[];
  /** Of the state store, before the log behind it is applied. */
  readonly appliedIndex: number;
  readonly revision: number;
  /** Of the whole state, with every committed entry. */
  readonly stateHash: string;
  /** Namespace, service, id, generation, sorted. */
  readonly instances: readonly string[];
}

/** Throws, with what was found, unless all of it is sound. */
export async function portraitOf(directory: string): Promise<DataDirPortrait> {
  const check = await checkData(directory);
  const wrong = check.findings.filter(isWrong);
  if (wrong.length > 0) throw new Error(wrong.map(({ text }) => text).join('\n'));
  const identity = present(check.identity, 'a sound data-dir has an identity');
  const { image } = present(check.log, 'a sound data-dir has a log');
  const { registry } = present(check.rebuilt, 'a sound data-dir has a state');
  const { payload } = image.configurations.at(-1) ?? image.floor.configuration;
  const { revision, hash } = registry.meta();
  const rows = [...registry.records()].map(
    ({ namespace, serviceName, instanceId, generation }) =>
      `${namespace} ${serviceName} ${instanceId} ${generation}`,
  );
  return {
    nodeId: identity.nodeId,
    clusterId: identity.clusterId,
    clusterUuid: identity.clusterUuid,
    incarnation: identity.incarnation,
    firstIndex: image.floor.index + 1,
    lastIndex: image.lastIndex,
    term: image.hardState.term,
    members: decodeClusterRecord(payload).members.map(({ nodeId }) => nodeId),
    appliedIndex: check.state.kind === 'verified' ? check.state.image.appliedIndex : 0,
    revision,
    stateHash: hash,
    instances: rows.toSorted(),
  };
}

const isWrong = ({ verdict }: Finding): boolean => verdict !== 'sound' && verdict !== 'note';

export interface BackupPortrait {
  readonly savedAtMs: number;
  readonly nodeId: string;
  readonly softwareVersion: string;
  readonly clusterId: string;
  readonly clusterUuid: string;
  readonly index: number;
  readonly revision: number;
  readonly stateHash: string;
  readonly records: number;
  readonly instances: number;
}

export async function portraitOfBackup(path: string): Promise<BackupPortrait> {
  const backup = await VerifiedBackup.open(path);
  const { preface, header, records } = backup.summary;
  const all: StoredRecord[] = [];
  for await (const part of backup.records()) all.push(...part);
  await backup.close();
  const loader = createRegistryLoader();
  loader.add(all);
  const loaded = present(loader.finish(header.meta), 'a verified backup has its hash');
  return {
    ...preface,
    clusterId: header.clusterId,
    clusterUuid: header.clusterUuid,
    index: header.index,
    revision: header.meta.revision,
    stateHash: header.meta.hash,
    records,
    instances: loaded.instanceCount,
  };
}
