// Whole data-dirs of one node, made with the real stores and without a node: a log of registrations, and a state some way
// behind it.
import { cpSync, mkdtempSync } from 'node:fs';
import { basename, join } from 'node:path';
import { logIndex, nodeId, term, type LogIndex } from '../../src/lib/ids.ts';
import { clusterRecordOf, encodeClusterRecord } from '../../src/node/cluster-record.ts';
import type { LogEntry, LogFloor } from '../../src/raft/index.ts';
import {
  type Command,
  type CommandBody,
  createRegistry,
  decodeCommand,
  encodeCommand,
  fingerprintOf,
  imageHasher,
  registryDefaults,
} from '../../src/registry/index.ts';
import { type DataDir, openDataDir } from '../../src/storage/data-dir.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import { deregister, register } from '../registry/fixtures.ts';

export const options = { nodeId: 'n1', clusterId: 'rollcall' } as const;
const segmentBytes = 1 << 17;

export interface DataPlan {
  /** Registrations, one entry each, all with the request_id of their number. */
  readonly instances: number;
  /** Entries after those, which take turns in replacing and in removing one of the first instances. Default 0. */
  readonly changes?: number;
  /** After how many of them the state was written last; 0: never. */
  readonly flushedAt: number;
  /** Entries at the end that the log does not know to be committed. Default 0. */
  readonly uncommitted?: number;
  /** The log begins after what the state has. */
  readonly trimmed?: boolean;
}

function bodyOf(number: number): CommandBody {
  return register({ instanceId: `i${number}`, metadata: new Map([['number', `${number}`]]) });
}

function changeOf(number: number): CommandBody {
  if (number % 2 === 0) return deregister(`i${number}`);
  return register({ instanceId: `i${number}`, metadata: new Map([['changed', `${number}`]]) });
}

function commandOf(number: number, body: CommandBody): Command {
  return {
    header: {
      registryTimeMs: number * 10,
      unixTimeMs: 1_800_000_000_000 + number,
      actor: '',
      requestId: `r${number}`,
      limits: registryDefaults,
    },
    fingerprint: fingerprintOf(body),
    body,
  };
}

const entryOf = (number: number, body = bodyOf(number)): LogEntry => ({
  index: logIndex(number + 1),
  term: term(2),
  kind: 'command',
  payload: encodeCommand(commandOf(number, body)),
});

/** The commands of a plan, in order, from entry 2 on. */
export function entriesOf({ instances, changes = 0 }: Pick<DataPlan, 'instances' | 'changes'>) {
  const registrations = Array.from({ length: instances }, (_, at) => entryOf(at + 1));
  const later = Array.from({ length: changes }, (_, at) =>
    entryOf(instances + at + 1, changeOf(at + 1)),
  );
  return [...registrations, ...later];
}

/** Three members, of which this is n1. */
function recordFor({ identity }: DataDir) {
  return clusterRecordOf(identity.clusterId, [
    memberOf('n1', identity.incarnation),
    memberOf('n2', 'b'.repeat(32)),
    memberOf('n3', 'c'.repeat(32)),
  ]);
}

function memberOf(id: string, incarnation: string) {
  const host = `10.0.0.${id.slice(1)}`;
  return {
    nodeId: nodeId(id),
    incarnation,
    peerAddress: `${host}:7401`,
    clientAddress: `${host}:7400`,
  };
}

export async function makeDataDir(directory: string, plan: DataPlan): Promise<void> {
  const { flushedAt, uncommitted = 0, trimmed = false } = plan;
  const dataDir = await openDataDir(directory, options);
  const record = recordFor(dataDir);
  const configuration = { index: logIndex(1), payload: encodeClusterRecord(record) };
  const first: LogEntry = {
    index: logIndex(1),
    term: term(1),
    kind: 'bootstrap',
    payload: configuration.payload,
  };
  const entries = [first, ...entriesOf(plan)];
  const committed = logIndex(entries.length - uncommitted);
  const owner = dataDir.identity.incarnation;
  const wal = await openWal(dataDir.walPath, { owner, segmentBytes });
  await append(wal, entries, committed);
  await dataDir.markFormed(record.clusterUuid);
  if (flushedAt > 0) {
    await flush(dataDir, entries, logIndex(flushedAt + 1));
    const floor: LogFloor = { index: logIndex(flushedAt + 1), term: term(2), configuration };
    if (trimmed) await append(wal, [], committed, floor);
  }
  await wal.close();
  await dataDir.release();
}

function append(
  wal: Awaited<ReturnType<typeof openWal>>,
  entries: readonly LogEntry[],
  commitIndex: LogIndex,
  floor?: LogFloor,
): Promise<void> {
  const hardState = { term: term(2), votedFor: nodeId('n1'), commitIndex };
  return wal.append({
    sequence: 0,
    term: term(2),
    hardState,
    truncateAfter: undefined,
    floor,
    entries,
  });
}

/** The state store gets what these entries amount to up to `index`. */
async function flush(
  dataDir: DataDir,
  entries: readonly LogEntry[],
  index: LogIndex,
): Promise<void> {
  const registry = createRegistry(registryDefaults);
  for (const entry of entries) {
    if (entry.kind === 'command' && entry.index <= index)
      registry.apply(decodeCommand(entry.payload));
  }
  const owner = dataDir.identity.incarnation;
  const store = await openStateStore(dataDir.statePath, { imageHasher, owner });
  const payload = encodeClusterRecord(recordFor(dataDir));
  await store.write({
    records: registry.takeDirty(),
    appliedIndex: index,
    appliedTerm: 2,
    configuration: { index: logIndex(1), payload },
    meta: registry.meta(),
  });
  await store.close();
}

/** So many more registrations, in the log and in the state. */
export async function writeMore(directory: string, count: number): Promise<void> {
  const dataDir = await openDataDir(directory, options);
  const owner = dataDir.identity.incarnation;
  const wal = await openWal(dataDir.walPath, { owner, segmentBytes });
  const { lastIndex } = wal.image;
  const added = Array.from({ length: count }, (_, at) => entryOf(lastIndex + at));
  await append(wal, added, logIndex(lastIndex + count));
  const all = await wal.read(logIndex(1), logIndex(lastIndex + count), Number.MAX_SAFE_INTEGER);
  await wal.close();
  // Written anew from the whole log, so that no record is missing.
  await flush(dataDir, all, logIndex(lastIndex + count));
  await dataDir.release();
}

/** A copy beside others, or under a name of its own. */
export function copyDataDir(from: string, into: string, name?: string): string {
  const to = name === undefined ? mkdtempSync(join(into, 'copy-')) : join(into, name);
  cpSync(from, to, {
    recursive: true,
    preserveTimestamps: true,
    filter: (path) => !basename(path).endsWith('.sock'),
  });
  return to;
}
