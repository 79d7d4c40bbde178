// `rollcall check-data`: everything in a data-dir read and verified while no node runs on it. It says what it found and what to
// do, in plain words, and changes nothing but the lock it holds meanwhile.
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { counted } from '../lib/counted.ts';
import { logIndex } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { checkIdentity, checkNames, checkSetAside } from './data-check-directory.ts';
import { checkLog } from './data-check-log.ts';
import { checkState } from './data-check-state.ts';
import { lockToRead } from './data-dir-lock.ts';
import { addingTo, advice, type Finding } from './data-finding.ts';
import { type Rebuilt, rebuild, type SurveyedState } from './data-survey.ts';
import { DiskError } from './errors.ts';
import type { Identity } from './identity.ts';
import { type InspectedLog, ownerOfLog } from './wal/inspect.ts';

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

const READ_ONLY: Finding = {
  part: 'directory',
  verdict: 'note',
  text: 'The file system is read-only, as one is that met an error: this was read without the lock, and no process was found that uses it.',
  advice:
    'No node starts here before the file system takes writes again. Look at the disk first; a copy on another one (`cp -a`) is as good.',
};

/** Takes the lock for as long as it reads; on a read-only file system it reads without one, and says so.
 * @throws DataDirError 14: in use. DiskError 10: the disk refuses to be read. An Error where there is no such directory. */
export async function checkData(path: string): Promise<DataCheck> {
  const directory = resolve(path);
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new Error(`${directory} is no directory`);
  const lock = await lockToRead(directory, randomBytes(8).toString('hex'));
  try {
    const check = await checkLocked(directory);
    return lock === undefined ? { ...check, findings: [READ_ONLY, ...check.findings] } : check;
  } finally {
    await lock?.release();
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
  const found: Finding[] = [];
  checkNames(names, found);
  const identity = await checkIdentity(directory, names, found);
  const byHand = await checkSetAside(directory, names, identity, found);
  // Log and state are then of another incarnation than the identity.
  if (identity?.replaces?.setAside === false)
    return { directory, ...nothing, identity, findings: found };
  const walPath = join(directory, 'wal');
  const log = names.includes('wal') ? await checkLog(walPath, identity, found) : undefined;
  if (!names.includes('wal') && identity !== undefined && identity.clusterUuid !== '') {
    const text = `The log is missing, but this node has joined cluster ${identity.clusterId}.`;
    addingTo(found, 'log')('damaged', text, advice.byItself);
  }
  const owner = identity?.incarnation ?? (await ownerOfLog(walPath)) ?? '';
  const state = await checkState(directory, owner, log, found);
  const rebuilt = log === undefined ? undefined : await checkContent(log, state, found);
  const findings = byHand ? found.map(withoutGivingUp) : found;
  return { directory, identity, findings, log, state, rebuilt };
}

/** A lost log cannot be set aside where something that was moved by hand lies. */
const withoutGivingUp = (finding: Finding): Finding =>
  finding.advice === advice.byItself ? { ...finding, advice: advice.byHand } : finding;

/** What is committed can be applied: the log's entries are commands that this version understands. */
async function checkContent(
  log: InspectedLog,
  state: SurveyedState,
  found: Finding[],
): Promise<Rebuilt | undefined> {
  const add = addingTo(found, 'content');
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
    const then = `revision ${registry.revision} with ${counted(registry.instanceCount, 'instance')}`;
    add('sound', `${behind} still to be applied to the state; with that it is ${then}.`);
    return rebuilt;
  } catch (error) {
    if (error instanceof DiskError) throw error;
    if (error instanceof UnknownFormatError) {
      add('later', `${error.message}.`, advice.useThat);
      return undefined;
    }
    const reason = error instanceof Error ? error.message : String(error);
    add('damaged', `The log cannot be applied to the state: ${reason}.`, advice.replace);
    return undefined;
  }
}
