// Backups made without a node: of a registry with some instances and remembered answers.
import { logIndex, nodeId, term } from '../../src/lib/ids.ts';
import { BackupEncoder } from '../../src/node/backup-stream.ts';
import { clusterRecordOf, encodeClusterRecord } from '../../src/node/cluster-record.ts';
import { encodeChunk } from '../../src/node/snapshot-stream.ts';
import {
  createRegistry,
  decodeCommand,
  type RegistryMeta,
  registryDefaults,
  type StoredRecord,
} from '../../src/registry/index.ts';
import { entriesOf } from './data-dirs.ts';

export interface BackupContent {
  readonly records: readonly StoredRecord[];
  readonly meta: RegistryMeta;
  /** As the file says; the number of records by default. */
  readonly total?: number;
  readonly savedAtMs?: number;
}

/** What a data-dir of this plan (data-dirs.ts) amounts to. */
export function contentOf(instances: number, changes = 0): BackupContent {
  const registry = createRegistry(registryDefaults);
  for (const { payload } of entriesOf({ instances, changes }))
    registry.apply(decodeCommand(payload));
  const records = registry.takeDirty().filter(({ value }) => value !== undefined);
  return { records, meta: registry.meta() };
}

const record = clusterRecordOf('rollcall', [
  { nodeId: nodeId('n1'), incarnation: 'a'.repeat(32), peerAddress: 'a:1', clientAddress: 'a:2' },
]);

export async function* backupParts(content: BackupContent): AsyncGenerator<Uint8Array> {
  const { records, meta, total = records.length, savedAtMs = 1_800_000_000_000 } = content;
  const encoder = new BackupEncoder();
  yield encoder.preface({ savedAtMs, nodeId: 'n1', softwareVersion: '1.2.3' });
  const header = {
    clusterId: 'rollcall',
    clusterUuid: record.clusterUuid,
    index: logIndex(100),
    term: term(2),
    configuration: { index: logIndex(1), payload: encodeClusterRecord(record) },
    meta,
  };
  const middle = records.length >> 1;
  const first = { header, records: records.slice(0, middle), total: undefined };
  const last = { header: undefined, records: records.slice(middle), total };
  yield encoder.chunk(encodeChunk(first), false);
  yield encoder.chunk(encodeChunk(last), true);
}
