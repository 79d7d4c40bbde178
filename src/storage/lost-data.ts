// How a data-dir gives up a log that is lost (docs/adr/0018): it takes a new incarnation, and what belonged to the former one is set
// aside, whole, as a data-dir inside this one. Each step is durable before the next begins, and a start after a crash goes on:
//   1. damaged-log/identity.json: who this was. Nothing has changed yet: a start finds the damage again.
//   2. identity.json: the new incarnation, what it replaces, "not set aside". The former incarnation never speaks again.
//   3. log and state move into damaged-log/, one after the other. Nothing else begins here before they are gone.
//   4. identity.json: "set aside". From here on this is an empty data-dir that knows whose place it is to take.
// Once its own log makes it a member, identity.json is that of any member, and damaged-log/ is removed when it has its vote again.
import { join } from 'node:path';
import { lossOf } from '../node/lost-log.ts';
import type { LostLog } from '../node/peer-protocol.ts';
import { DataDirError } from './errors.ts';
import { type Identity, IDENTITY_FILE, readIdentity, writeIdentity } from './identity.ts';
import { type StateFiles, stateFiles } from './state-files.ts';

/** What was set aside, in the data-dir. */
export const DAMAGED_LOG = 'damaged-log';

/** What belongs to one incarnation, beside its identity. The state is worth nothing without the log, whose vote and entries it lacks. */
const PARTS = ['wal', 'state.sealed', 'state.sealed.tmp', 'state.incoming', 'state.old', 'state'];

/** The identity in damaged-log, once its removal has begun: what is left of that is told by it from a log that somebody moves by hand. */
const DROPPED = 'dropped.json';

/** By the names in damaged-log: parts that this program neither sets aside nor removes, where their identity is not there, or is
 * that of the data-dir around it. They may be all that is left of a log. */
export function isMovedByHand(names: readonly string[]): boolean {
  return !names.includes(DROPPED) && names.some((name) => PARTS.includes(name));
}

/** Steps 1 to 4; resolves with the new identity.
 * @throws DataDirError 11 where no place is to be had back: nothing is changed then. */
export async function giveUpLog(
  directory: string,
  former: Identity,
  damage: Pick<LostLog, 'found' | 'members'>,
  incarnation: string,
  files: StateFiles = stateFiles,
): Promise<Identity> {
  const loss = lossOf(former, damage, incarnation);
  if (loss.kind === 'final') throw cannotReturn(damage.found, loss.reason);
  const { nodeId, clusterId } = former;
  await noteFormer(directory, former, damage.found, files);
  const replaces = { ...loss.lost, setAside: false };
  const next = {
    formatVersion: 2,
    nodeId,
    clusterId,
    incarnation: loss.incarnation,
    clusterUuid: '',
    replaces,
  } as const;
  await writeIdentity(directory, next, files);
  return setAside(directory, next, files);
}

/** Steps 3 and 4, also those that a crash has left undone. Does nothing for an identity that has nothing to set aside. */
export async function setAside(
  directory: string,
  identity: Identity,
  files: StateFiles = stateFiles,
): Promise<Identity> {
  const { replaces } = identity;
  if (replaces === undefined || replaces.setAside) return identity;
  const aside = join(directory, DAMAGED_LOG);
  const kept = await formerIdentity(aside);
  // What was set aside before, and is not replaced yet, may hold what nobody else has; what came after it is from the leader.
  const keep =
    kept === undefined || kept === 'unreadable' || kept.incarnation === replaces.incarnations[0];
  if (kept === undefined) await files.makeDirectory(aside);
  const present = new Set(await files.list(directory));
  const parts = PARTS.filter((part) => present.has(part));
  if (kept === 'unreadable') {
    const there = await files.list(aside);
    // Whose it is nobody can tell, so nothing takes the place of anything, and nothing is removed.
    if (parts.some((part) => there.includes(part))) throw unreadableAside(replaces.found, aside);
  }
  for (const part of parts) {
    if (keep) await files.rename(join(directory, part), join(aside, part));
    else await files.remove(join(directory, part));
    if (keep) await files.syncDirectory(aside);
    await files.syncDirectory(directory);
  }
  const done = { ...identity, replaces: { ...replaces, setAside: true } };
  await writeIdentity(directory, done, files);
  return done;
}

/** The node has its place again. The identity loses its name first: from then on the rest is rubbish to any later start. */
export async function dropDamaged(
  directory: string,
  files: StateFiles = stateFiles,
): Promise<void> {
  if (!(await files.list(directory)).includes(DAMAGED_LOG)) return;
  const aside = join(directory, DAMAGED_LOG);
  if ((await files.list(aside)).includes(IDENTITY_FILE)) {
    await files.rename(join(aside, IDENTITY_FILE), join(aside, DROPPED));
    await files.syncDirectory(aside);
  }
  for (const part of PARTS) await files.remove(join(aside, part));
  await files.syncDirectory(aside);
  await files.remove(aside);
  await files.syncDirectory(directory);
}

async function noteFormer(
  directory: string,
  former: Identity,
  found: string,
  files: StateFiles,
): Promise<void> {
  const aside = join(directory, DAMAGED_LOG);
  if ((await files.list(directory)).includes(DAMAGED_LOG)) {
    const before = await formerIdentity(aside);
    // Which of the two logs may hold what nobody else has it cannot say, and there is room for one.
    if (before === 'unreadable') throw unreadableAside(found, aside);
    if (before !== undefined && before.incarnation !== former.incarnation) return;
    if (isMovedByHand(await files.list(aside))) throw movedByHand(found, aside);
    // Half made, or half removed: it is begun anew.
    await files.remove(aside);
  }
  await files.makeDirectory(aside);
  await writeIdentity(aside, former, files);
}

async function formerIdentity(aside: string): Promise<Identity | 'unreadable' | undefined> {
  try {
    return await readIdentity(aside);
  } catch {
    return 'unreadable';
  }
}

function cannotReturn(found: string, reason: string): DataDirError {
  const advice =
    'See "The log is damaged" in docs/operations.md, and docs/recovery.md where a majority is lost';
  return new DataDirError(
    11,
    `${found}. This node cannot come back by itself: ${reason}. Nothing was changed. ${advice}`,
  );
}

function movedByHand(found: string, aside: string): DataDirError {
  return new DataDirError(
    11,
    `${found}. ${aside} holds a log that may be the whole one: its identity.json was moved or copied out of it. Nothing was ` +
      'changed. See "All logs were only away" in docs/recovery.md; where that log is not needed, move it out of the data directory',
  );
}

function unreadableAside(found: string, aside: string): DataDirError {
  return new DataDirError(
    11,
    `${found}. ${aside} holds a log that was given up before, and its identity.json cannot be read: whose log it is, nobody can tell. ` +
      'Nothing was removed. Move that directory out of the data directory, keep it, and start the node again',
  );
}
