// What `rollcall check-data` says of the directory itself: what is in it besides log and state, whose it is, and what a log that was
// given up has left in it (docs/adr/0018).
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { addingTo, advice, type Finding } from './data-finding.ts';
import { DISK_MARK } from './disk-mark.ts';
import { EPOCH_BUILT } from './epoch-place.ts';
import { DataDirError } from './errors.ts';
import { type Identity, IDENTITY_FILE, readIdentity } from './identity.ts';
import { DAMAGED_LOG, isMovedByHand } from './lost-data.ts';

// `rollcall dev` keeps the lines of a node beside its data.
const known =
  /^(identity\.json(\.tmp)?|node\.log(\.1)?|disk-error\.json|wal|state(\.incoming|\.sealed|\.sealed\.tmp|\.old)?|damaged-log|former-.*|epoch\.new)$/;

export function checkNames(names: readonly string[], found: Finding[]): void {
  const add = addingTo(found, 'directory');
  if (names.includes(EPOCH_BUILT) && names.includes(IDENTITY_FILE)) {
    add(
      'note',
      'A `rollcall recover` was interrupted before it changed anything: epoch.new is its beginning.',
    );
  } else if (names.includes(EPOCH_BUILT)) {
    add(
      'damaged',
      'A `rollcall recover` or `rollcall snapshot restore` was interrupted here.',
      'Run the same command again: it goes on where it was.',
    );
  }
  if (names.includes(DISK_MARK)) {
    add(
      'note',
      'A node ended here because the disk refused a write, a sync or a read. Its next start verifies everything, and takes the mark away.',
    );
  }
  const strange = names.filter((name) => !known.test(name)).toSorted();
  if (strange.length > 0) {
    add('note', `What no version of this program writes was passed over: ${strange.join(', ')}.`);
  }
}

/** undefined where it is missing or damaged. */
export async function checkIdentity(
  directory: string,
  names: readonly string[],
  found: Finding[],
): Promise<Identity | undefined> {
  const add = addingTo(found, 'identity');
  let identity: Identity | undefined;
  try {
    identity = await readIdentity(directory);
  } catch (error) {
    if (error instanceof UnknownFormatError) add('later', `${error.message}.`, advice.useThat);
    else if (!(error instanceof DataDirError)) throw error;
    else add('damaged', `${join(directory, IDENTITY_FILE)} is damaged.`, advice.replace);
    return undefined;
  }
  if (identity === undefined) {
    const text = 'There is data, but no identity.json: who this node is cannot be guessed.';
    const holds = names.some((name) => /^(wal|state|damaged-log)/.test(name));
    if (holds) add('damaged', text, advice.replace);
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

const lookThere = (aside: string): string =>
  `Do not delete damaged-log; \`rollcall check-data --data-dir ${aside}\` tells what is in it.`;
const onItsWay =
  'Start the node while the others are a majority: it gets everything from them, and removes damaged-log once it has its vote again. ' +
  'Where disks were only not mounted, or the others are no majority any more, see "All logs were only away" in docs/recovery.md first.';
const almostBack =
  'Start the node while the others are a majority: it removes damaged-log once it has its vote again.';

/** What was set aside when the log was lost, and whether the node has come back since. True where it was moved by hand, so that a start that
 * found another log lost would refuse. */
export async function checkSetAside(
  directory: string,
  names: readonly string[],
  identity: Identity | undefined,
  found: Finding[],
): Promise<boolean> {
  const add = addingTo(found, 'directory');
  const aside = join(directory, DAMAGED_LOG);
  const lost = identity?.replaces;
  if (lost !== undefined && !lost.setAside) {
    const text = `This node was interrupted while it gave up its log: what else is here is of its former incarnation, and was not read. What was found: ${lost.found}.`;
    add('note', text, 'Nothing to do: the next start moves it into damaged-log, and goes on.');
    return false;
  }
  if (!names.includes(DAMAGED_LOG)) return false;
  const inside = await readdir(aside);
  const named = inside.includes(IDENTITY_FILE);
  const copied = named && identity !== undefined && (await isOf(identity, aside));
  if (lost !== undefined && !copied) {
    const text = `This node gave up its log, which is kept in damaged-log with the state of then, and is on its way back. What was found: ${lost.found}.`;
    add('note', text, `${onItsWay} ${lookThere(aside)}`);
    return false;
  }
  if (named && !copied) {
    const text = 'A log was given up here and is kept in damaged-log, a data-dir of its own.';
    add('note', text, `${almostBack} ${lookThere(aside)}`);
    return false;
  }
  if (!isMovedByHand(inside)) {
    const text = 'damaged-log is the beginning or the rest of a log that was set aside.';
    add('note', text, 'Nothing to do: a start makes it anew, or removes it.');
    return false;
  }
  const text = copied
    ? 'damaged-log holds a log whose identity.json was copied out of it by hand.'
    : 'damaged-log holds a log without its identity.json, which was moved by hand.';
  add('note', text, 'Do not delete it: see "All logs were only away" in docs/recovery.md.');
  return true;
}

/** What lies in `aside` is of the same incarnation. */
async function isOf({ incarnation }: Identity, aside: string): Promise<boolean> {
  const inside = await readIdentity(aside).catch(() => undefined);
  return inside?.incarnation === incarnation;
}
