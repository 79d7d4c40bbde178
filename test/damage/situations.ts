// Brings a node to where a file of the wanted kind lies in its data-dir, and leaves it down.
import { statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { deferred } from '../../src/lib/deferred.ts';
import { decodeMeta, metaKey } from '../../src/storage/keys.ts';
import { writeDiskMark } from '../../src/storage/disk-mark.ts';
import { readIdentity } from '../../src/storage/identity.ts';
import { writeMarker } from '../../src/storage/sealed-marker.ts';
import { stateFiles, statePaths } from '../../src/storage/state-files.ts';
import { inspectLog } from '../../src/storage/wal/inspect.ts';
import { pollUntil } from '../support/poll.ts';
import type { ProcessNode } from '../support/process-cluster.ts';
import { type Field, trimmedEntries } from './field.ts';
import { claimOf, type FileClass } from './file-classes.ts';
import { respool } from './respool.ts';
import { listTree, putBack, readTree, type StoredTree, writeStored } from './stored-file.ts';

/** Paths of the files of a kind, the likeliest to matter first. A directory stands for itself. */
export function filesOf(kind: FileClass, tree: StoredTree): readonly string[] {
  const paths = [...tree.keys()];
  const segments = paths.filter((path) => claimOf(path) === 'segment').toSorted();
  const written = segments.filter((path) => (tree.get(path)?.used.length ?? 0) > 0);
  const sealed = /^state\.incoming\/(\d+\.(ldb|log)|MANIFEST-|CURRENT)/;
  const special: Partial<Record<FileClass, readonly string[]>> = {
    'wal-directory': ['wal'],
    'state-directory': ['state'],
    'sealed-directory': ['state.incoming'],
    'segment-oldest': written.slice(0, -1).slice(0, 1),
    'segment-written': written.slice(-1),
    'segment-spare': segments.filter((path) => !written.includes(path)).slice(0, 1),
    'sealed-content': paths.filter((path) => sealed.test(path)),
  };
  const sizeOf = (path: string): number => tree.get(path)?.size ?? 0;
  const claimed = paths.filter((path) => claimOf(path) === kind);
  return special[kind] ?? claimed.toSorted((a, b) => sizeOf(b) - sizeOf(a));
}

const holdsSome = (kind: FileClass, tree: StoredTree): boolean => {
  const [first] = filesOf(kind, tree);
  // A file that was only just made has nothing to lose.
  return first !== undefined && (tree.get(first)?.size !== 0 || kind === 'state-lock');
};

type Way = (field: Field, node: ProcessNode) => Promise<StoredTree>;

/** For what is not there at any time. */
const ways: Partial<Record<FileClass, Way>> = {
  'disk-mark': takeDownMarked,
  'segment-oldest': takeDownWithSeveral,
  'segment-spare': takeDownWithSpare,
  'segment-preparing': takeDownPreparing,
  staged: dieInTransfer,
  'sealed-marker': (field, node) => dieBeforeExchange(field, node, 'nothing exchanged'),
  'sealed-content': (field, node) => dieBeforeExchange(field, node, 'nothing exchanged'),
  'sealed-directory': (field, node) => dieBeforeExchange(field, node, 'nothing exchanged'),
  'former-state': (field, node) => dieBeforeExchange(field, node, 'exchanged'),
};

/** The node runs and is well, and is down afterwards. Returns what its directory holds then. */
export function takeDown(field: Field, node: ProcessNode, kind: FileClass): Promise<StoredTree> {
  const way = ways[kind];
  return way === undefined ? takeDownHolding(field, node, kind) : way(field, node);
}

/** As a disk that failed leaves it. */
async function takeDownMarked(field: Field, node: ProcessNode): Promise<StoredTree> {
  await field.kill(node);
  const reason = 'Writing the log failed: EIO';
  await writeDiskMark(node.dataDir, { reason, unixTimeMs: 1_800_000_000_000 });
  return readTree(node.dataDir);
}

/** Of what is written in its segments. */
export const logBytes = (tree: StoredTree): number =>
  [...tree]
    .filter(([path]) => claimOf(path) === 'segment')
    .reduce((sum, [, { used }]) => sum + used.length, 0);

async function takeDownWithSeveral(field: Field, node: ProcessNode): Promise<StoredTree> {
  for (let turn = 0; turn < attempts; turn++) {
    const before = await field.kill(node);
    if (!holdsSome('segment-oldest', before)) await respool(node.dataDir, logBytes(before));
    const tree = readTree(node.dataDir);
    if (holdsSome('segment-oldest', tree)) return tree;
    // It has just taken a snapshot, or was taken back: its log has hardly begun.
    await bringBack(field, node);
    await field.scribe.bulk(trimmedEntries / 2);
  }
  throw new Error(`${node.id} has no second segment`);
}

/** LevelDB writes a table when it is opened, and its log fills a moment after the writes. */
async function takeDownHolding(
  field: Field,
  node: ProcessNode,
  kind: FileClass,
): Promise<StoredTree> {
  const there = (): boolean => holdsSome(kind, readTree(node.dataDir));
  for (let turn = 0; turn < 4; turn++) {
    const soon = performance.now() + 1000;
    await field.until(() => there() || performance.now() > soon, `a file of ${kind}`);
    const tree = await field.kill(node);
    if (holdsSome(kind, tree)) return tree;
    field.start(node);
    await field.scribe.write(3, { next: () => 1, integer: (from) => from + turn });
    await field.untilWell();
  }
  throw new Error(`${node.id} has no file of ${kind}`);
}

/** The next segment is prepared once the one that is written is half full. */
async function takeDownWithSpare(field: Field, node: ProcessNode): Promise<StoredTree> {
  const ready = (): boolean => filesOf('segment-spare', readTree(node.dataDir)).length > 0;
  const preparing = (): boolean => {
    return listTree(node.dataDir).some((path) => claimOf(path) === 'segment-preparing');
  };
  for (let turn = 0; turn < attempts; turn++) {
    if (!ready()) {
      await field.kill(node);
      await respool(node.dataDir);
      await bringBack(field, node);
      for (let writes = 0; writes < 60 && !ready() && !preparing(); writes++) {
        await field.scribe.write(1, { next: () => 1, integer: (from) => from + writes });
      }
      await field.until(() => !preparing(), 'the next segment to be prepared');
    }
    const tree = await field.kill(node);
    if (filesOf('segment-spare', tree).length > 0) return tree;
    await bringBack(field, node);
  }
  throw new Error(`${node.id} has no segment prepared`);
}

/** With what a crash leaves of a segment that is zeroed for another use. */
async function takeDownPreparing(field: Field, node: ProcessNode): Promise<StoredTree> {
  const tree = await field.kill(node);
  const last = [...tree.keys()]
    .filter((path) => claimOf(path) === 'segment')
    .toSorted()
    .at(-1);
  const id = Number(/\d{10}/.exec(last ?? '')?.[0]) + 1;
  const name = `wal/${String(id).padStart(10, '0')}.wal.preparing`;
  const [content] = filesOf('segment-written', tree).map((path) => tree.get(path));
  if (content !== undefined) writeStored(join(node.dataDir, name), content);
  return readTree(node.dataDir);
}

/** The log passes a node that is down. Returns what its directory held. */
async function leaveBehind(field: Field, node: ProcessNode): Promise<StoredTree> {
  const before = await field.kill(node);
  const [other] = field.others(node);
  if (other === undefined) throw new Error('there are others');
  const { last_index: last } = await other.status();
  await field.scribe.bulk(trimmedEntries + 60);
  await field.until(async () => {
    const statuses = await Promise.all(field.others(node).map((one) => one.status()));
    if (statuses.every(({ first_index: first }) => Number(first) > Number(last) + 1)) return true;
    await field.scribe.bulk(20);
    return false;
  }, 'the logs to be shortened');
  return before;
}

const attempts = 8;

/** Killed while a snapshot comes in. */
async function dieInTransfer(field: Field, node: ProcessNode): Promise<StoredTree> {
  await leaveBehind(field, node);
  for (let turn = 0; turn < attempts; turn++) {
    await killInTransfer(field, node);
    const tree = await field.kill(node);
    if (holdsSome('staged', tree) && !tree.has('state.sealed')) return tree;
    await bringBack(field, node);
    await leaveBehind(field, node);
  }
  throw new Error(`${node.id} was never caught in the middle of a snapshot`);
}

const stagedLog = /^state\.incoming\/\d+\.log$/;

/** Ends it as soon as some of a snapshot is on its disk, or it has all of it. */
async function killInTransfer(field: Field, node: ProcessNode): Promise<void> {
  const { promise: begun, resolve } = deferred<void>();
  const watcher = watch(node.dataDir, (_, name) => {
    if (name === 'state.incoming') resolve();
  });
  field.start(node);
  const late = setTimeout(resolve, field.patienceMs);
  await begun;
  clearTimeout(late);
  watcher.close();
  const size = (path: string): number => statSync(join(node.dataDir, path)).size;
  await pollUntil(
    () => {
      const paths = listTree(node.dataDir);
      if (paths.includes('state.sealed')) return true;
      return paths.some((path) => stagedLog.test(path) && size(path) > 0);
    },
    { what: 'some of a snapshot on disk', timeoutMs: 1000, everyMs: 1 },
  ).catch(() => undefined);
}

async function bringBack(field: Field, node: ProcessNode): Promise<void> {
  field.start(node);
  await field.untilWell();
}

/** What a crash leaves after the log has been made to begin with a received snapshot, and before (or in the middle of) its taking the
 * place of the state: the moment is too short to be hit, so the directories of a node that was stopped after it are put where they
 * were then. */
async function dieBeforeExchange(
  field: Field,
  node: ProcessNode,
  moment: 'nothing exchanged' | 'exchanged',
): Promise<StoredTree> {
  for (let turn = 0; turn < attempts; turn++) {
    const before = await leaveBehind(field, node);
    await bringBack(field, node);
    const tree = await field.kill(node);
    const arranged = await arrange(node.dataDir, before, tree, moment);
    if (arranged) return readTree(node.dataDir);
    await bringBack(field, node);
  }
  throw new Error(`${node.id} never stood where its log begins`);
}

async function arrange(
  dataDir: string,
  before: StoredTree,
  now: StoredTree,
  moment: 'nothing exchanged' | 'exchanged',
): Promise<boolean> {
  const paths = statePaths(join(dataDir, 'state'));
  const meta = await metaOf(paths.current);
  const identity = await readIdentity(dataDir);
  if (meta === undefined || identity === undefined) return false;
  const { image } = await inspectLog(join(dataDir, 'wal'), identity.incarnation);
  // Opening the directory has changed it.
  putBack(dataDir, now, 'state');
  if (image.floor.index !== meta.appliedIndex) return false;
  const beside = moment === 'exchanged' ? 'state.old' : 'state';
  if (moment === 'nothing exchanged') await stateFiles.rename(paths.current, paths.incoming);
  for (const [path, file] of before) {
    if (!path.startsWith('state/')) continue;
    writeStored(join(dataDir, path.replace(/^state/, beside)), file);
  }
  const { appliedIndex: index } = meta;
  const { term } = image.floor;
  const { hash } = meta.meta;
  await writeMarker(stateFiles, paths, { index, term, hash, owner: identity.incarnation });
  return true;
}

async function metaOf(directory: string): Promise<ReturnType<typeof decodeMeta>> {
  const database = new ClassicLevel<string, Uint8Array>(directory, { valueEncoding: 'view' });
  await database.open();
  try {
    const value = await database.get(metaKey);
    return value === undefined ? undefined : decodeMeta(value);
  } finally {
    await database.close();
  }
}
