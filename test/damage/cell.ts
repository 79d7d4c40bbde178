// One cell: a node is killed, a file of it is damaged, it is started again, while the others go on. The cell ends with the
// cluster as well as it was before.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../src/lib/assert.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { readIdentity, writeIdentity } from '../../src/storage/identity.ts';
import type { ProcessNode } from '../support/process-cluster.ts';
import { type Cell, type Role, seedOf } from './cells.ts';
import { damageFile } from './damages.ts';
import { type Ending, endingOf, lastWords, missingIn, nameOf, saysCut } from './ending.ts';
import { expected } from './expectations.ts';
import type { Field } from './field.ts';
import { Witness } from './readers.ts';
import { filesOf, takeDown } from './situations.ts';
import {
  putBack,
  readStored,
  readTree,
  type StoredFile,
  type StoredTree,
  writeStored,
} from './stored-file.ts';

export interface Outcome {
  readonly cell: Cell;
  /** undefined: there was nothing to damage in this way. */
  readonly ending: Ending | undefined;
  /** What was done, and what the node said. */
  readonly story: string;
  /** Empty: as it should be. */
  readonly wrong: readonly string[];
  readonly ms: number;
}

/** Rejects where the cluster did not become well again: then it is of no more use. */
export async function runCell(field: Field, cell: Cell, seed: number): Promise<Outcome> {
  const began = performance.now();
  const random = seededRandom(seedOf(cell, seed));
  const victim = await choose(field, cell, random);
  const away = cell.role === 'away' ? field.others(victim)[random.integer(0, 2)] : undefined;
  await field.scribe.write(3, random);
  const tree = await takeDown(field, victim, cell.file);
  const done = await strike(field, victim, cell, tree, random);
  field.remember(victim, tree);
  const finish = (rest: Pick<Outcome, 'ending' | 'story' | 'wrong'>): Outcome => ({
    cell,
    ms: performance.now() - began,
    ...rest,
  });
  if (done.kind === 'void') {
    field.start(victim);
    await field.untilWell();
    return finish({ ending: undefined, story: done.why, wrong: field.truth.verdict() });
  }
  const { ending, told, words, cut } = await outlive(field, victim, away, random);
  const allowed = expected(cell.file, cell.damage, cell.logs);
  const wrong: string[] = [];
  // Whatever came of it: what was acknowledged must not be taken for torn.
  if (cut && !allowed.includes('cut'))
    wrong.push('the end of the log was cut, and it was not torn');
  if (typeof ending === 'number') {
    const missing = missingIn(words, victim.dataDir, done.path);
    if (missing !== undefined) wrong.push(`refused without instructions: ${missing}`);
    putBack(victim.dataDir, tree, done.path);
    field.start(victim);
  }
  await field.untilWell();
  if (typeof ending !== 'number') await field.votes(victim);
  await field.untilWell();
  if (!told) wrong.push('what was found was said neither in Status nor in the log');
  if (!allowed.includes(ending))
    wrong.push(`${nameOf(ending)} instead of ${allowed.map(nameOf).join(', or ')}`);
  wrong.push(...field.truth.verdict());
  const story = `${victim.id}: ${done.path}: ${done.what}; ${nameOf(ending)}${words === '' ? '' : `: ${words}`}`;
  return finish({ ending, story, wrong });
}

async function choose(field: Field, { role, damage }: Cell, random: Random): Promise<ProcessNode> {
  const { nodes } = field.cluster;
  const victim = present(nodes[random.integer(0, nodes.length)], 'a node');
  if (role === 'leader') await field.lead(victim);
  else if ((await field.cluster.waitForLeader(field.patienceMs)) === victim) {
    await field.lead(present(field.others(victim)[random.integer(0, 2)], 'another node'));
  }
  if (damage === 'old' && field.old(victim) === undefined) await takeCopy(field, victim, role);
  return victim;
}

/** Copies are taken whenever a node is down; this one was not yet. */
async function takeCopy(field: Field, victim: ProcessNode, role: Role): Promise<void> {
  await field.scribe.write(3, { next: () => 1, integer: (from) => from });
  await field.untilWell();
  field.remember(victim, await field.kill(victim));
  field.start(victim);
  await field.untilWell();
  if (role === 'leader') await field.lead(victim);
}

type Struck =
  | { readonly kind: 'done'; readonly path: string; readonly what: string }
  | { readonly kind: 'void'; readonly why: string };

async function strike(
  field: Field,
  victim: ProcessNode,
  cell: Cell,
  tree: StoredTree,
  random: Random,
): Promise<Struck> {
  const files = filesOf(cell.file, tree);
  const first = files[0];
  if (first === undefined) throw new Error(`there is no ${cell.file} to damage`);
  const other = treeOf(present(field.others(victim)[random.integer(0, 2)], 'another node'));
  const old = field.old(victim);
  if (cell.file === 'lock') return strikeLock(join(victim.dataDir, first), first, cell);
  if (cell.file.endsWith('-directory')) {
    return strikeDirectory(victim.dataDir, first, cell, { old, other });
  }
  const unformed = cell.file === 'identity' ? await identityBefore(victim.dataDir) : undefined;
  // Sealed content is several files, of which one is struck that can be.
  const from = cell.file === 'sealed-content' ? random.integer(0, files.length) : 0;
  let why = '';
  for (const path of [...files.slice(from), ...files.slice(0, from)]) {
    const donors = { old: unformed ?? donorOf(cell, path, old), other: donorOf(cell, path, other) };
    const file = present(tree.get(path), 'the file was listed');
    const damaged = damageFile(cell.damage, file, random, donors);
    if (damaged.kind === 'void') {
      ({ why } = damaged);
      continue;
    }
    rmSync(join(victim.dataDir, path));
    if (damaged.kind === 'content') writeStored(join(victim.dataDir, path), damaged.file);
    return { kind: 'done', path, what: damaged.what };
  }
  return { kind: 'void', why };
}

/** As the identity was before the node had joined its cluster: since then it never changes. */
async function identityBefore(dataDir: string): Promise<StoredFile | undefined> {
  const identity = await readIdentity(dataDir);
  if (identity === undefined) return undefined;
  const beside = mkdtempSync(`${dataDir}-identity-`);
  await writeIdentity(beside, { ...identity, clusterUuid: '' });
  return readStored(join(beside, 'identity.json'));
}

/** What takes the place of a file: the one of that name in the other tree, or one like it. */
export function donorOf(
  cell: Pick<Cell, 'file'>,
  path: string,
  tree: StoredTree | undefined,
): StoredFile | undefined {
  const same = tree?.get(path);
  // One that is spare there, too, is as good as this one, whatever its size.
  const useless = cell.file === 'segment-spare' && same?.used.length === 0;
  if (same !== undefined && !useless) return same;
  return tree?.get(alike(cell, path, tree) ?? '');
}

/** The file of the same kind in another tree; where that has none of these, one of the same make: sealed content is LevelDB's too, and what is
 * in a table of one node may still be in the log of the other. */
function alike({ file }: Pick<Cell, 'file'>, path: string, tree: StoredTree): string | undefined {
  const [same] = filesOf(file === 'segment-spare' ? 'segment-written' : file, tree);
  if (same !== undefined) return same;
  const make = /\.(ldb|log)$|MANIFEST|CURRENT|LOCK|LOG$/.exec(path)?.[0] ?? '.ldb';
  const ofState = [...tree.keys()].filter((one) => one.startsWith('state/'));
  const others = make === '.ldb' ? ['.ldb', '.log'] : [make];
  return others
    .map((wanted) => ofState.find((one) => one.includes(wanted)))
    .find((found) => found !== undefined);
}

/** Files of a running node come and go while they are read. */
function treeOf(node: ProcessNode): StoredTree {
  for (let turn = 0; ; turn++) {
    try {
      return readTree(node.dataDir);
    } catch (error) {
      if (turn > 20) throw error;
    }
  }
}

function strikeLock(target: string, path: string, { damage }: Cell): Struck {
  rmSync(target);
  if (damage === 'delete') return { kind: 'done', path, what: 'deleted' };
  writeStored(target, { used: Buffer.from('no socket'), size: 9 });
  return { kind: 'done', path, what: 'replaced by a file' };
}

function strikeDirectory(
  dataDir: string,
  path: string,
  { damage }: Cell,
  { old, other }: { readonly old: StoredTree | undefined; readonly other: StoredTree },
): Struck {
  const donor = damage === 'old' ? old : other;
  if (damage !== 'delete' && donor === undefined) return { kind: 'void', why: 'no copy yet' };
  if (damage === 'delete' || donor === undefined) {
    rmSync(join(dataDir, path), { recursive: true });
    return { kind: 'done', path, what: 'deleted' };
  }
  // A snapshot is a state that is not in its place yet, and so any other state may take its place.
  const from = path === 'state.incoming' ? 'state' : path;
  putBack(dataDir, moved(donor, from, path), path);
  return {
    kind: 'done',
    path,
    what: `replaced by ${damage === 'old' ? 'an' : "another node's,"} old copy`,
  };
}

/** What lies below `from`, as if it lay below `to`. */
const moved = (tree: StoredTree, from: string, to: string): StoredTree =>
  new Map(
    [...tree]
      .filter(([path]) => path.startsWith(`${from}/`))
      .map(([path, file]) => [to + path.slice(from.length), file]),
  );

interface Outlived {
  readonly ending: Ending;
  /** What was repaired was told. */
  readonly told: boolean;
  /** Why it ended, if it did; else what it complained of. */
  readonly words: string;
  readonly cut: boolean;
}

/** The damaged node starts, and ends or is well again; others write meanwhile as far as they can. */
async function outlive(
  field: Field,
  victim: ProcessNode,
  away: ProcessNode | undefined,
  random: Random,
): Promise<Outlived> {
  if (away !== undefined) await field.kill(away);
  // Without a majority it is acknowledged later.
  const during = field.scribe.write(2, random);
  during.catch(() => undefined);
  if (away === undefined) await during;
  const witness = new Witness(victim.id, victim.clientAddress, field.truth);
  try {
    const from = field.start(victim);
    const problems = await untilSettled(field, victim, away !== undefined);
    if (away !== undefined) field.start(away);
    await during;
    await field.scribe.write(3, random);
    if (victim.running) {
      await field.until(
        async () => !victim.running || (await field.serves(victim)),
        `${victim.id} to end or to answer`,
      );
    }
    const lines = field.logSince(victim, from);
    const ending = endingOf(victim.running ? undefined : victim.exitCode, lines);
    const silent = ending === 'from-log' && !lines.some(({ event }) => event === 'state_discarded');
    const words = typeof ending === 'number' ? lastWords(lines) : problems.join(' | ');
    return { ending, told: !silent || problems.length > 0, words, cut: saysCut(lines) };
  } finally {
    await witness.stop();
  }
}

const aloneMs = 2500;

/** Until it has ended, answers, or says what it waits for. Alone it may have nothing to say and nothing to do. */
async function untilSettled(
  field: Field,
  victim: ProcessNode,
  alone: boolean,
): Promise<readonly string[]> {
  let problems: readonly string[] = [];
  let readyMs: number | undefined;
  await field.until(async () => {
    if (!victim.running || (await field.serves(victim))) return true;
    const status = await victim.status(1500).catch(() => undefined);
    if (status === undefined) return false;
    if (status.problems.length > 0) ({ problems } = status);
    readyMs ??= performance.now();
    return alone && performance.now() > readyMs + aloneMs;
  }, `${victim.id} to end, to answer, or to wait for others`);
  return problems;
}
