// `rollcall check-data`: everything in a data-dir read and verified while no node runs on it. It says what it found and what to
// do, in plain words, and changes nothing but the lock it holds meanwhile.
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type LogIndex, logIndex } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { decodeClusterRecord } from '../node/cluster-record.ts';
import { lockDataDir } from './data-dir-lock.ts';
import { type Rebuilt, rebuild, type SurveyedState, surveyState } from './data-survey.ts';
import { DAMAGED_LOG } from './lost-data.ts';
import { DISK_MARK } from './disk-mark.ts';
import { EPOCH_BUILT } from './epoch-place.ts';
import { DataDirError, DamagedLogError, DiskError } from './errors.ts';
import { type Identity, readIdentity } from './identity.ts';
import { type InspectedLog, inspectLog, ownerOfLog } from './wal/inspect.ts';
import { unfinishedSuffix } from './wal/segment.ts';

/** `sound`: as it should be. `note`: a start settles it by itself and nothing is lost. `later`: a later version wrote it,
 * and this one does not read it. `damaged`: it is not what was written. */
type Verdict = 'sound' | 'note' | 'later' | 'damaged';

export interface Finding {
  readonly part: 'directory' | 'identity' | 'log' | 'state' | 'content';
  readonly verdict: Verdict;
  /** One sentence, or a few. */
  readonly text: string;
  /** What to do; '' where nothing has to be done. */
  readonly advice: string;
}

export interface DataCheck {
  readonly directory: string;
  /** undefined where it is missing or damaged. */
  readonly identity: Identity | undefined;
  readonly findings: readonly Finding[];
  readonly log: InspectedLog | undefined;
  readonly state: SurveyedState;
  /** After the last entry that is known to be committed. */
  readonly rebuilt: Rebuilt | undefined;
}

/** True when nothing is damaged, and nothing of a later version. */
export const isSound = ({ findings }: Pick<DataCheck, 'findings'>): boolean =>
  findings.every(({ verdict }) => verdict === 'sound' || verdict === 'note');

type Add = (verdict: Verdict, text: string, advice?: string) => void;

/** What `read` makes of a part; `otherwise` where a later version wrote it, which is added as a finding. */
async function orLater<T>(read: () => Promise<T>, otherwise: T, add: Add): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof UnknownFormatError)) throw error;
    add('later', `${error.message}.`, useThat);
    return otherwise;
  }
}

const replace =
  'Do not delete anything. If the other members are a majority, keep these files and replace this node ("Replace a dead node" in ' +
  'docs/operations.md); otherwise see docs/recovery.md.';
const useThat = 'Nothing here is lost. Keep it as it is, and use the version that wrote it.';
const byItself =
  'Do not delete anything. Start the node: while the others are a majority it gives this log up and comes back by itself. If they are ' +
  'none, see docs/recovery.md.';
const fromLog = 'Nothing to do: the next start makes it again from the log, which is whole.';
const fromLeader =
  'Start the node while the others are a majority: it gets the state from the leader as a snapshot, and serves nothing before. If ' +
  'there is no majority any more, see docs/recovery.md: this node alone cannot bring the state back.';

/** Takes the lock for as long as it reads.
 * @throws DataDirError 14: in use. DiskError 10: the disk refuses to be read. An Error where there is no such directory. */
export async function checkData(path: string): Promise<DataCheck> {
  const directory = resolve(path);
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new Error(`${directory} is no directory`);
  const lock = await lockDataDir(directory, randomBytes(8).toString('hex'));
  try {
    return await checkLocked(directory);
  } finally {
    await lock.release();
  }
}

/** The same for who holds the lock. */
export async function checkLocked(directory: string): Promise<DataCheck> {
  const names = (await readdir(directory)).filter(
    (name) => !/^lock-[0-9a-f]{16}\.sock$/.test(name),
  );
  const nothing = {
    identity: undefined,
    log: undefined,
    state: { kind: 'absent' },
    rebuilt: undefined,
  } as const;
  if (names.length === 0) {
    const text = 'The directory is empty: a node that starts here is a new one.';
    return {
      directory,
      ...nothing,
      findings: [{ part: 'directory', verdict: 'sound', text, advice: '' }],
    };
  }
  const found: Finding[] = [...checkNames(names)];
  const identity = await checkIdentity(directory, names, found);
  const walPath = join(directory, 'wal');
  const log = names.includes('wal') ? await checkLog(walPath, identity, found) : undefined;
  if (!names.includes('wal') && identity !== undefined && identity.clusterUuid !== '') {
    const text = `The log is missing, but this node has joined cluster ${identity.clusterId}.`;
    found.push({ part: 'log', verdict: 'damaged', text, advice: byItself });
  }
  const owner = identity?.incarnation ?? (await ownerOfLog(walPath)) ?? '';
  const state = await checkState(directory, owner, log, found);
  const rebuilt = log === undefined ? undefined : await checkContent(log, state, found);
  return { directory, identity, findings: found, log, state, rebuilt };
}

function checkNames(names: readonly string[]): readonly Finding[] {
  // `rollcall dev` keeps the lines of a node beside its data.
  const known =
    /^(identity\.json(\.tmp)?|node\.log(\.1)?|disk-error\.json|wal|state(\.incoming|\.sealed|\.sealed\.tmp|\.old)?|damaged-log|former-.*|epoch\.new)$/;
  const strange = names.filter((name) => !known.test(name));
  const findings: Finding[] = [];
  if (names.includes(EPOCH_BUILT) && names.includes('identity.json')) {
    const text =
      'A `rollcall recover` was interrupted before it changed anything: epoch.new is its beginning.';
    findings.push({ part: 'directory', verdict: 'note', text, advice: '' });
  } else if (names.includes(EPOCH_BUILT)) {
    const text = 'A `rollcall recover` or `rollcall snapshot restore` was interrupted here.';
    findings.push({
      part: 'directory',
      verdict: 'damaged',
      text,
      advice: 'Run the same command again: it goes on where it was.',
    });
  }
  if (names.includes(DISK_MARK)) {
    const text =
      'A node ended here because the disk refused a write, a sync or a read. Its next start verifies everything, and takes the mark away.';
    findings.push({ part: 'directory', verdict: 'note', text, advice: '' });
  }
  if (names.includes(DAMAGED_LOG)) {
    const text = 'A log was given up here and is kept in damaged-log, a data-dir of its own.';
    findings.push({ part: 'directory', verdict: 'note', text, advice: '' });
  }
  if (strange.length > 0) {
    const text = `What no version of this program writes was passed over: ${strange.toSorted().join(', ')}.`;
    findings.push({ part: 'directory', verdict: 'note', text, advice: '' });
  }
  return findings;
}

async function checkIdentity(
  directory: string,
  names: readonly string[],
  found: Finding[],
): Promise<Identity | undefined> {
  const add = (verdict: Verdict, text: string, advice = ''): void => {
    found.push({ part: 'identity', verdict, text, advice });
  };
  let identity: Identity | undefined;
  try {
    identity = await readIdentity(directory);
  } catch (error) {
    if (error instanceof UnknownFormatError) add('later', `${error.message}.`, useThat);
    else if (!(error instanceof DataDirError)) throw error;
    else add('damaged', `${join(directory, 'identity.json')} is damaged.`, replace);
    return undefined;
  }
  if (identity === undefined) {
    const holds = names.some((name) => /^(wal|state)/.test(name));
    if (holds)
      add(
        'damaged',
        'There is data, but no identity.json: who this node is cannot be guessed.',
        replace,
      );
    return undefined;
  }
  const { nodeId, clusterId, clusterUuid, incarnation } = identity;
  const outside = identity.replaces === undefined ? 'has not joined' : 'has not come back to';
  const cluster =
    clusterUuid === ''
      ? `${outside} cluster ${clusterId} yet`
      : `belongs to cluster ${clusterId} (${clusterUuid})`;
  add('sound', `This is node ${nodeId}, incarnation ${incarnation}, and ${cluster}.`);
  return identity;
}

async function checkLog(
  walPath: string,
  identity: Identity | undefined,
  found: Finding[],
): Promise<InspectedLog | undefined> {
  const add = (verdict: Verdict, text: string, advice = ''): void => {
    found.push({ part: 'log', verdict, text, advice });
  };
  let log: InspectedLog;
  try {
    log = await inspectLog(walPath, identity?.incarnation ?? (await ownerOfLog(walPath)) ?? '');
  } catch (error) {
    if (error instanceof UnknownFormatError) {
      add('later', `${error.message}.`, useThat);
      return undefined;
    }
    if (!(error instanceof DamagedLogError)) throw error;
    add('damaged', `${error.damage}.`, byItself);
    return undefined;
  }
  const { floor, lastIndex, hardState } = log.image;
  if (lastIndex === 0) {
    const lost = identity !== undefined && identity.clusterUuid !== '';
    if (lost) add('damaged', 'The log is empty, but this node has joined a cluster.', byItself);
    else add('sound', 'The log is empty: the node has not joined a cluster yet.');
    return lost ? undefined : log;
  }
  const entries =
    floor.index === lastIndex
      ? `no entry after ${floor.index}`
      : `entries ${floor.index + 1} to ${lastIndex}`;
  add(
    'sound',
    `The log is whole: ${log.segments === 1 ? 'one segment' : `${log.segments} segments`} with ${entries}, term ${hardState.term}, known to be committed up to ${hardState.commitIndex}.`,
  );
  if (log.torn !== undefined) {
    const { file, offset, bytes } = log.torn;
    const text = `The last write was torn and never acknowledged: ${bytes} bytes at byte ${offset} of ${basename(file)}.`;
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
        replace,
      );
    } else add('sound', `Its members, as of the end of the log: ${members.join(', ')}.`);
  } catch (error) {
    if (error instanceof UnknownFormatError) add('later', `${error.message}.`, useThat);
    else add('damaged', 'The log does not say who the members of the cluster are.', replace);
  }
}

async function checkState(
  directory: string,
  owner: string,
  log: InspectedLog | undefined,
  found: Finding[],
): Promise<SurveyedState> {
  const add = (verdict: Verdict, text: string, advice = ''): void => {
    found.push({ part: 'state', verdict, text, advice });
  };
  const floorIndex = log?.image.floor.index ?? logIndex(0);
  const survey = await orLater(
    () => surveyState(join(directory, 'state'), owner, floorIndex),
    undefined,
    add,
  );
  if (survey === undefined) return { kind: 'absent' };
  const { state, sealed, leftovers } = survey;
  const wholeLog = log !== undefined && floorIndex === 0;
  const remedy = wholeLog ? fromLog : log === undefined ? replace : fromLeader;
  switch (state.kind) {
    case 'absent':
      if (wholeLog) {
        const text =
          log.image.lastIndex === 0 ? 'There is no state yet.' : 'There is no state store.';
        add('note', text, log.image.lastIndex === 0 ? '' : fromLog);
      } else if (log !== undefined)
        add('damaged', `There is no state, and the log begins after ${floorIndex} only.`, remedy);
      break;
    case 'unusable':
      add(
        'damaged',
        `The state in ${basename(state.path)} cannot be used: ${state.reason}.`,
        remedy,
      );
      break;
    case 'verified': {
      const { appliedIndex, meta } = state.image;
      const text = `The state is whole: everything up to entry ${appliedIndex}, revision ${meta.revision}, and its records have the hash ${meta.hash}.`;
      add('sound', text);
      if (log !== undefined)
        checkRange(log, state.image.appliedIndex, state.image.appliedTerm, add);
    }
  }
  if (sealed !== undefined) {
    add(
      'note',
      `A snapshot up to entry ${sealed.index} was received and takes the place of the state.`,
      'Nothing to do: the next start completes it.',
    );
  } else if (leftovers.length > 0) {
    const names = leftovers.map((path) => basename(path)).join(', ');
    add(
      'note',
      `An exchange of the state was left unfinished: ${names}.`,
      'Nothing to do: the next start removes what is not needed.',
    );
  }
  return state;
}

function checkRange(
  { image }: InspectedLog,
  appliedIndex: LogIndex,
  appliedTerm: number,
  add: Add,
): void {
  const { floor, lastIndex, runs } = image;
  if (appliedIndex > lastIndex) {
    add(
      'damaged',
      `The state holds everything up to entry ${appliedIndex} and the log ends at ${lastIndex}: the log has lost acknowledged entries.`,
      byItself,
    );
    return;
  }
  if (appliedIndex < floor.index) {
    add(
      'damaged',
      `The state ends at entry ${appliedIndex} and the log begins after ${floor.index}: what is between them is missing.`,
      fromLeader,
    );
    return;
  }
  const run = runs.findLast(({ firstIndex }) => firstIndex <= appliedIndex);
  const expected = appliedIndex === floor.index ? floor.term : run?.term;
  if (expected !== undefined && appliedTerm !== 0 && expected !== appliedTerm) {
    add(
      'damaged',
      `Entry ${appliedIndex} is of term ${expected} in the log and of term ${appliedTerm} in the state.`,
      replace,
    );
  }
}

/** What is committed can be applied: the log's entries are commands that this version understands. */
async function checkContent(
  log: InspectedLog,
  state: SurveyedState,
  found: Finding[],
): Promise<Rebuilt | undefined> {
  const image = state.kind === 'verified' ? state.image : undefined;
  const { floor, lastIndex, hardState } = log.image;
  const from = image?.appliedIndex ?? logIndex(0);
  if (from < floor.index || from > lastIndex || lastIndex === 0) return undefined;
  try {
    const rebuilt = await rebuild(log, image, logIndex(Math.max(from, hardState.commitIndex)));
    const { registry, applied } = rebuilt;
    const behind =
      applied === 0
        ? 'No committed entry is'
        : applied === 1
          ? 'One committed entry is'
          : `${applied} committed entries are`;
    const text = `${behind} still to be applied to the state; with that it is revision ${registry.revision} with ${registry.instanceCount} instances.`;
    found.push({ part: 'content', verdict: 'sound', text, advice: '' });
    return rebuilt;
  } catch (error) {
    if (error instanceof DiskError) throw error;
    if (error instanceof UnknownFormatError) {
      found.push({ part: 'content', verdict: 'later', text: `${error.message}.`, advice: useThat });
      return undefined;
    }
    const reason = error instanceof Error ? error.message : String(error);
    const text = `The log cannot be applied to the state: ${reason}.`;
    found.push({ part: 'content', verdict: 'damaged', text, advice: replace });
    return undefined;
  }
}
