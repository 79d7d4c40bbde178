// `rollcall recover`: the data-dir of one stopped survivor becomes the only voter of a new cluster epoch, with everything that its
// log and its state hold.
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { logIndex } from '../lib/ids.ts';
import { decodeClusterRecord } from '../node/cluster-record.ts';
import type { Member } from '../node/peer-protocol.ts';
import { decodeCommand, type StoredRecord } from '../registry/index.ts';
import { lockDataDir } from './data-dir-lock.ts';
import { type Rebuilt, rebuild, type SurveyedState, surveyState } from './data-survey.ts';
import {
  buildEpoch,
  confirmSound,
  type Epoch,
  type EpochSource,
  enterEpoch,
  unfinishedEpoch,
} from './epoch.ts';
import { DamagedLogError, DataDirError } from './errors.ts';
import { withFrozen } from './frozen-state.ts';
import { type Identity, readIdentity } from './identity.ts';
import { registryKey } from './keys.ts';
import { databaseAt, type Database } from './state-database.ts';
import { type InspectedLog, inspectLog } from './wal/inspect.ts';

/** What a survivor holds, to be told before it is made a cluster of its own. */
export interface Survivor {
  readonly directory: string;
  readonly identity: Identity;
  /** As of the end of its log; `self` is undefined where they are without it. */
  readonly members: readonly Member[];
  readonly self: Member | undefined;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Up to here its log knows the entries to be committed. What follows is kept too: it may have been acknowledged. */
  readonly commitIndex: number;
  readonly revision: number;
  readonly instances: number;
  /** Ids of those that were registered after `commitIndex`, the first of them, with their namespaces: where a later leader has replaced the
   * entry, another process may hold the same generation (docs/adr/0017). */
  readonly unsettled: readonly string[];
  readonly unsettledCount: number;
  /** Unix milliseconds that the leader stamped on the last command; undefined where the log has none. */
  readonly lastWriteMs: number | undefined;
}

export interface RecoverPlan {
  /** undefined: as the log names it. */
  readonly peerAddress: string | undefined;
  readonly clientAddress: string | undefined;
  readonly aboveRevision: number;
  readonly unixNowMs: number;
  /** Asked once, with what is about to be done; false: nothing is changed. */
  readonly confirm: (survivor: Survivor) => Promise<boolean>;
}

export type Recovered =
  | { readonly kind: 'refused' }
  /** An earlier call was interrupted after it was confirmed: it has been completed. */
  | { readonly kind: 'completed'; readonly former: string; readonly identity: Identity }
  | {
      readonly kind: 'recovered';
      readonly former: string;
      readonly survivor: Survivor;
      readonly epoch: Epoch;
    };

/** Takes the lock for all of it.
 * @throws DataDirError 11: what it holds is damaged or incomplete; 14: in use. DiskError 10. */
export async function recoverSurvivor(path: string, plan: RecoverPlan): Promise<Recovered> {
  const directory = resolve(path);
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new Error(`${directory} is no directory`);
  const lock = await lockDataDir(directory, randomBytes(8).toString('hex'));
  try {
    if ((await unfinishedEpoch(directory)) === 'entering') return await complete(directory);
    return await recoverLocked(directory, plan);
  } finally {
    await lock.release();
  }
}

async function complete(directory: string): Promise<Recovered> {
  const former = await enterEpoch(directory);
  await confirmSound(directory);
  return { kind: 'completed', former, identity: await identityOf(directory) };
}

async function recoverLocked(directory: string, plan: RecoverPlan): Promise<Recovered> {
  const identity = await identityOf(directory);
  const log = await wholeLog(directory, identity);
  const { state, image } = await stateFor(directory, identity, log);
  const rebuilt = await rebuild(log, image, log.image.lastIndex);
  const committed = Math.max(log.image.hardState.commitIndex, image?.appliedIndex ?? 0);
  const survivor = await describe(directory, identity, log, { ...rebuilt, committed });
  if (!(await plan.confirm(survivor))) return { kind: 'refused' };
  const { self } = survivor;
  const peerAddress = plan.peerAddress ?? self?.peerAddress;
  const clientAddress = plan.clientAddress ?? self?.clientAddress;
  if (peerAddress === undefined || clientAddress === undefined) {
    throw new Error(
      'The log does not say where this node is: --advertise-peer and --advertise-client are needed',
    );
  }
  const epoch = await withSource(state, rebuilt, (source) =>
    buildEpoch(directory, {
      nodeId: identity.nodeId,
      clusterId: identity.clusterId,
      peerAddress,
      clientAddress,
      source,
      aboveRevision: plan.aboveRevision,
      unixNowMs: plan.unixNowMs,
    }),
  );
  const former = await enterEpoch(directory);
  return { kind: 'recovered', former, survivor, epoch };
}

/** Nobody is left to take a node without a log back, so the advice of a start would mislead. */
async function wholeLog(directory: string, { incarnation }: Identity): Promise<InspectedLog> {
  try {
    return await inspectLog(join(directory, 'wal'), incarnation);
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error;
    const advice =
      'This node cannot be recovered, and nothing was changed. Take another survivor, or a backup.';
    throw new DataDirError(11, `${error.damage}. ${advice}`, error);
  }
}

async function identityOf(directory: string): Promise<Identity> {
  const identity = await readIdentity(directory);
  if (identity === undefined) {
    throw new DataDirError(
      11,
      `${directory} has no identity.json: it is not the data-dir of a node`,
    );
  }
  if (identity.clusterUuid === '') {
    const { nodeId, clusterId, replaces } = identity;
    const what =
      replaces === undefined
        ? `${nodeId} has not joined cluster ${clusterId} yet`
        : `${nodeId} has given up its log and not come back to cluster ${clusterId} yet`;
    throw new DataDirError(11, `${what}: there is nothing to recover`);
  }
  return identity;
}

async function stateFor(directory: string, identity: Identity, { image: log }: InspectedLog) {
  const { state } = await surveyState(
    join(directory, 'state'),
    identity.incarnation,
    log.floor.index,
  );
  const image = state.kind === 'verified' ? state.image : undefined;
  const from = image?.appliedIndex ?? 0;
  if (from > log.lastIndex) {
    throw new DataDirError(
      11,
      `The state goes up to entry ${from} and the log ends at ${log.lastIndex}: this log has lost entries`,
    );
  }
  if (from < log.floor.index || log.lastIndex === 0) {
    const reason = state.kind === 'unusable' ? ` (${state.reason})` : '';
    throw new DataDirError(
      11,
      `The log begins after entry ${log.floor.index} and there is no usable state up to there${reason}: this node cannot be ` +
        'recovered. Take another survivor, or a backup.',
    );
  }
  return { state, image };
}

async function describe(
  directory: string,
  identity: Identity,
  log: InspectedLog,
  {
    registry,
    committedRevision,
    configuration,
    committed,
  }: Rebuilt & { readonly committed: number },
): Promise<Survivor> {
  const unsettled: string[] = [];
  let unsettledCount = 0;
  for (const { namespace, instanceId, generation } of registry.records()) {
    if (generation <= committedRevision) continue;
    unsettledCount++;
    if (unsettled.length < NAMED) unsettled.push(`${namespace}/${instanceId}`);
  }
  const { members } = decodeClusterRecord(configuration.payload);
  const { nodeId, incarnation } = identity;
  const { lastIndex, runs, floor } = log.image;
  return {
    directory,
    identity,
    members,
    self: members.find((one) => one.nodeId === nodeId && one.incarnation === incarnation),
    lastIndex,
    lastTerm: runs.at(-1)?.term ?? floor.term,
    commitIndex: Math.max(committed, floor.index),
    revision: registry.revision,
    instances: registry.instanceCount,
    unsettled,
    unsettledCount,
    lastWriteMs: await lastWriteOf(log),
  };
}

/** Of the instances that are told of. */
const NAMED = 50;

/** Looks back over the end of the log only: no-ops and changes of members carry no time. */
const LOOK_BACK = 64;

async function lastWriteOf(log: InspectedLog): Promise<number | undefined> {
  const { floor, lastIndex } = log.image;
  const from = Math.max(floor.index + 1, lastIndex - LOOK_BACK);
  if (from > lastIndex) return undefined;
  const entries = await log.read(logIndex(from), lastIndex, Number.MAX_SAFE_INTEGER);
  const command = entries.findLast(({ kind }) => kind === 'command');
  return command === undefined ? undefined : decodeCommand(command.payload).header.unixTimeMs;
}

/** The records of the state on disk with what the log adds to them. */
async function withSource<T>(
  state: SurveyedState,
  { registry }: Rebuilt,
  work: (source: EpochSource) => Promise<T>,
): Promise<T> {
  const meta = registry.meta();
  const newer = new Map(registry.takeDirty().map(({ key, value }) => [key, value]));
  const added = [...newer].flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
  if (state.kind !== 'verified') {
    return work({
      meta,
      async *records() {
        yield added;
      },
    });
  }
  return withFrozen(state.path, async (view) => {
    const database = databaseAt(view);
    await database.open();
    try {
      return await work({
        meta,
        async *records() {
          for await (const batch of storedIn(database))
            yield batch.filter(({ key }) => !newer.has(key));
          yield added;
        },
      });
    } finally {
      await database.close();
    }
  });
}

const ROWS = 1024;

async function* storedIn(database: Database): AsyncGenerator<StoredRecord[], void, undefined> {
  const iterator = database.iterator();
  try {
    for (
      let rows = await iterator.nextv(ROWS);
      rows.length > 0;
      rows = await iterator.nextv(ROWS)
    ) {
      yield rows.flatMap(([row, value]) => {
        const key = registryKey(row);
        return key === undefined ? [] : [{ key, value }];
      });
    }
  } finally {
    await iterator.close();
  }
}
