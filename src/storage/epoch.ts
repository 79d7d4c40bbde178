// A new cluster epoch on disk (docs/adr/0017): one member, the only voter, whose log begins after entry 1 with the record of a new
// cluster, and whose state at entry 1 is what was saved or has survived. To everything above the disk it is a cluster of one node
// that has cut its log.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { logIndex, nodeId, type Revision, revision, term } from '../lib/ids.ts';
import { SnapshotMismatch } from '../lib/snapshot-mismatch.ts';
import { clusterRecordOf, encodeClusterRecord } from '../node/cluster-record.ts';
import type { SnapshotHeader } from '../node/ports.ts';
import { imageHasher, type RegistryMeta, type StoredRecord } from '../registry/index.ts';
import { checkLocked, isSound } from './data-check.ts';
import { EPOCH_BUILT as BUILT } from './epoch-place.ts';
import { DataDirError, DiskError } from './errors.ts';
import { epochRevision } from './epoch-revision.ts';
import { readIdentity, writeIdentity } from './identity.ts';
import { DAMAGED_LOG } from './lost-data.ts';
import { exchangeStates, openStage } from './snapshot-stage.ts';
import { type StateFiles, stateFiles, statePaths } from './state-files.ts';
import { openWal } from './wal/open-wal.ts';

/** What the epoch begins with. */
export interface EpochSource {
  /** Of the records, with the revision that they had. */
  readonly meta: RegistryMeta;
  /** All records, the same ones at each call. */
  readonly records: () => AsyncIterable<readonly StoredRecord[]>;
}

export interface EpochPlan {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  readonly source: EpochSource;
  /** Another revision that the new ones must be above; 0: none is known. */
  readonly aboveRevision: number;
  readonly unixNowMs: number;
}

export interface Epoch {
  readonly clusterUuid: string;
  readonly incarnation: string;
  /** Of the first state. */
  readonly revision: Revision;
}

const UNCHANGED = 'Nothing was put in place: run the command again';
const FIRST = logIndex(1);
const FIRST_SEGMENT_BYTES = 1 << 20;

/** Builds the epoch beside what the directory holds, durable, read back and whole when it resolves; `enterEpoch` puts it in place. What an
 * interrupted call left is removed first, and what this one has made where it fails. The caller holds the lock of the directory.
 * @throws DataDirError 11: the source is not what its metadata says, or what was written does not read as it should. DiskError 10. */
export async function buildEpoch(directory: string, plan: EpochPlan): Promise<Epoch> {
  try {
    return await build(directory, plan);
  } catch (error) {
    // The disk may be full: a former node that goes on needs the room. A start removes what is left here.
    await discardBuilt(directory).catch(() => undefined);
    throw error;
  }
}

async function build(directory: string, plan: EpochPlan): Promise<Epoch> {
  const built = join(directory, BUILT);
  const { source } = plan;
  const at = epochRevision(
    { from: source.meta.revision, above: plan.aboveRevision },
    plan.unixNowMs,
  );
  const meta = await metaAt(source, at);
  // Drawn anew each time, so that two epochs are never the same one, whatever they are made of (G14).
  const incarnation = randomBytes(16).toString('hex');
  const { clusterId, peerAddress, clientAddress } = plan;
  const self = { nodeId: nodeId(plan.nodeId), incarnation, peerAddress, clientAddress };
  const record = clusterRecordOf(clusterId, [self]);
  const configuration = { index: FIRST, payload: encodeClusterRecord(record) };
  const header: SnapshotHeader = { index: FIRST, term: term(1), configuration, meta };
  await discardBuilt(directory);
  await stateFiles.makeDirectory(built);
  await writeState(join(built, 'state'), header, incarnation, source);
  await writeLog(join(built, 'wal'), header, incarnation);
  const { clusterUuid } = record;
  await writeIdentity(built, {
    formatVersion: 1,
    nodeId: plan.nodeId,
    clusterId,
    incarnation,
    clusterUuid,
  });
  await stateFiles.syncDirectory(directory);
  await confirmSound(built);
  return { clusterUuid, incarnation, revision: at };
}

/** The records are those that their metadata describes; the same records with the new revision have the hash that is returned. */
async function metaAt({ meta, records }: EpochSource, at: Revision): Promise<RegistryMeta> {
  const hasher = imageHasher();
  for await (const batch of records()) for (const record of batch) hasher.add(record);
  const { revision: from, registryTimeMs, hash: expected } = meta;
  const hash = hasher.hash(revision(from), registryTimeMs);
  if (hash !== expected) {
    const told = `the records have the hash ${hash} instead of ${expected}`;
    throw new DataDirError(11, `What is read is not what was verified: ${told}. ${UNCHANGED}`);
  }
  return { revision: at, registryTimeMs, hash: hasher.hash(at, registryTimeMs) };
}

/** What was written reads as it should. The caller holds the lock. */
export async function confirmSound(directory: string): Promise<void> {
  const check = await checkLocked(directory);
  if (isSound(check)) return;
  const wrong = check.findings.filter(({ verdict }) => verdict === 'damaged');
  const words = wrong.map(({ text }) => text).join(' ');
  throw new DataDirError(
    11,
    `What was written to ${directory} does not read as it should: ${words}`,
  );
}

async function writeState(
  directory: string,
  header: SnapshotHeader,
  owner: string,
  { records }: EpochSource,
): Promise<void> {
  const paths = statePaths(directory);
  const host = {
    paths,
    files: stateFiles,
    owner,
    imageHasher,
    onDisk: async <T>(action: string, run: () => Promise<T>): Promise<T> => {
      try {
        return await run();
      } catch (error) {
        throw new DiskError(action, error);
      }
    },
    reopen: (exchange: () => Promise<void>) => exchange(),
  };
  await stateFiles.makeDirectory(paths.current);
  const stage = await openStage(host, header);
  try {
    for await (const batch of records()) await stage.add(batch);
    await stage.seal().catch((error: unknown) => {
      if (!(error instanceof SnapshotMismatch)) throw error;
      const told = `What was written is not what was verified: ${error.message}. ${UNCHANGED}`;
      throw new DataDirError(11, told, error);
    });
  } finally {
    await stage.abandon();
  }
  await exchangeStates(stateFiles, paths);
}

/** A log that begins after entry 1, as one does that a snapshot up to there has taken the place of. */
async function writeLog(
  directory: string,
  { index, term: at, configuration }: SnapshotHeader,
  owner: string,
): Promise<void> {
  // The segments after this one have the size that the node asks for.
  const wal = await openWal(directory, { owner, segmentBytes: FIRST_SEGMENT_BYTES });
  try {
    await wal.append({
      sequence: 0,
      term: at,
      hardState: { term: at, votedFor: undefined, commitIndex: index },
      truncateAfter: undefined,
      floor: { index, term: at, configuration },
      entries: [],
    });
  } finally {
    await wal.close();
  }
}

/** What of a former epoch each part takes the place of. */
const PARTS: Readonly<Record<'wal' | 'state', readonly string[]>> = {
  wal: ['wal'],
  state: ['state.sealed', 'state.sealed.tmp', 'state.incoming', 'state.old', 'state'],
};

/** Puts what was built in the place of what the directory holds, which is moved to a directory beside it and kept. Returns that one's name; '' where
 * there was nothing. The identity goes first and comes last: a start in between is refused. Called again after a crash, it goes on. */
export async function enterEpoch(
  directory: string,
  files: StateFiles = stateFiles,
): Promise<string> {
  const built = join(directory, BUILT);
  const identity = await readIdentity(built);
  if (identity === undefined) throw new Error(`${built} is not whole`);
  const name = `former-${identity.clusterUuid.slice(0, 8)}`;
  const former = join(directory, name);
  const moveAway = async (entry: string): Promise<void> => {
    await files.makeDirectory(former);
    await files.rename(join(directory, entry), join(former, entry));
    await files.syncDirectory(former);
    await files.syncDirectory(directory);
  };
  // The log that was given up before may hold what nobody else has: it is of the former epoch, too.
  for (const entry of ['identity.json', DAMAGED_LOG]) {
    if ((await namesIn(directory)).has(entry)) await moveAway(entry);
  }
  for (const [part, older] of Object.entries(PARTS)) {
    // What was moved into place before a crash is no longer here, and no longer in the way.
    if (!(await namesIn(built)).has(part)) continue;
    const there = await namesIn(directory);
    for (const entry of older) if (there.has(entry)) await moveAway(entry);
    await files.rename(join(built, part), join(directory, part));
    await files.syncDirectory(directory);
  }
  await files.rename(join(built, 'identity.json'), join(directory, 'identity.json'));
  await files.syncDirectory(directory);
  await files.remove(built);
  return (await namesIn(directory)).has(name) ? name : '';
}

async function namesIn(directory: string): Promise<ReadonlySet<string>> {
  return new Set(await stateFiles.list(directory));
}

/** What a crash has left of an epoch. `none`: nothing, or what never took effect. `entering`: the former data is on its way out. The identity
 * is written last, so where that is there the rest is whole. */
export async function unfinishedEpoch(directory: string): Promise<'none' | 'entering'> {
  const names = await namesIn(directory);
  if (!names.has(BUILT) || names.has('identity.json')) return 'none';
  return (await namesIn(join(directory, BUILT))).has('identity.json') ? 'entering' : 'none';
}

async function discardBuilt(directory: string): Promise<void> {
  await stateFiles.remove(join(directory, BUILT));
}
