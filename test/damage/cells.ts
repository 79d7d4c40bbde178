// The cells of the matrix, and which of them a run takes.
import { type DamageKind, damageKinds } from './damages.ts';
import { type LogKind, logKinds } from './field.ts';
import { type FileClass, fileClasses } from './file-classes.ts';

/** What the node was when it died. `away`: another node is down as well, and comes back later. */
export const roles = ['follower', 'leader', 'away'] as const;
export type Role = (typeof roles)[number];

export interface Cell {
  readonly file: FileClass;
  readonly damage: DamageKind;
  readonly role: Role;
  readonly logs: LogKind;
}

export interface Choice {
  readonly only?: readonly FileClass[] | undefined;
  readonly damage?: readonly DamageKind[] | undefined;
  readonly role?: readonly Role[] | undefined;
  readonly logs?: readonly LogKind[] | undefined;
}

const wholeDirectory: readonly DamageKind[] = ['delete', 'old', 'other'];

/** A socket has no content, and directories are taken as a whole. */
const fewerDamages: Partial<Record<FileClass, readonly DamageKind[]>> = {
  lock: ['delete', 'other'],
  'wal-directory': wholeDirectory,
  'state-directory': wholeDirectory,
  'sealed-directory': wholeDirectory,
};

const ofState: ReadonlySet<FileClass> = new Set<FileClass>([
  'state-log',
  'state-table',
  'state-manifest',
  'state-current',
  'state-directory',
]);
const ofSnapshots: ReadonlySet<FileClass> = new Set<FileClass>([
  'staged',
  'sealed-marker',
  'sealed-content',
  'sealed-directory',
  'former-state',
]);

/** What comes of a lost state depends on the log; everything about snapshots needs a trimmed one. The rest takes turns. */
function logsOf(file: FileClass, turn: number): readonly LogKind[] {
  if (ofState.has(file)) return logKinds;
  return [ofSnapshots.has(file) || turn % 2 === 1 ? 'trimmed' : 'whole'];
}

/** Who takes a snapshot follows. */
const rolesOf = (file: FileClass): readonly Role[] =>
  ofSnapshots.has(file) ? ['follower', 'away'] : roles;

const has = <T>(chosen: readonly T[] | undefined, one: T): boolean =>
  chosen === undefined || chosen.includes(one);

function everyCell(): readonly Cell[] {
  let turn = 0;
  return fileClasses.flatMap((file) =>
    (fewerDamages[file] ?? damageKinds).flatMap((damage) =>
      rolesOf(file).flatMap((role) =>
        logsOf(file, turn++).map((logs): Cell => ({ file, damage, role, logs })),
      ),
    ),
  );
}

/** Those of `cells` that are chosen; by default of the whole matrix. */
export const cellsOf = (choice: Choice, cells = everyCell()): readonly Cell[] =>
  cells.filter(
    ({ file, damage, role, logs }) =>
      has(choice.only, file) &&
      has(choice.damage, damage) &&
      has(choice.role, role) &&
      has(choice.logs, logs),
  );

// The two clusters are to be through at the same time: what is about snapshots takes longer.
const quick: readonly (readonly [FileClass, DamageKind, Role, LogKind])[] = [
  ['identity', 'flip', 'leader', 'whole'],
  ['lock', 'other', 'follower', 'whole'],
  ['disk-mark', 'zero', 'follower', 'whole'],
  ['segment-oldest', 'flip', 'follower', 'whole'],
  ['segment-written', 'truncate', 'leader', 'whole'],
  ['segment-spare', 'flip', 'follower', 'whole'],
  ['segment-preparing', 'delete', 'follower', 'whole'],
  ['state-log', 'flip', 'leader', 'whole'],
  ['state-table', 'delete', 'follower', 'whole'],
  ['state-directory', 'old', 'follower', 'whole'],
  ['state-current', 'empty', 'follower', 'whole'],
  ['state-lock', 'delete', 'follower', 'whole'],
  ['state-info', 'empty', 'follower', 'whole'],
  ['wal-directory', 'delete', 'follower', 'trimmed'],
  ['state-table', 'other', 'away', 'trimmed'],
  ['state-manifest', 'zero', 'follower', 'trimmed'],
  ['staged', 'truncate', 'follower', 'trimmed'],
  ['sealed-marker', 'flip', 'follower', 'trimmed'],
  ['sealed-content', 'other', 'follower', 'trimmed'],
  ['sealed-directory', 'old', 'follower', 'trimmed'],
  ['former-state', 'empty', 'follower', 'trimmed'],
];

/** Every kind of file, damage, role and log, for every run of the checks. */
export const quickCells: readonly Cell[] = quick.map(([file, damage, role, logs]) => ({
  file,
  damage,
  role,
  logs,
}));

export const nameOfCell = ({ file, damage, role, logs }: Cell): string =>
  `${file} ${damage} ${role} ${logs}`;

export const replayLine = ({ file, damage, role, logs }: Cell, seed: number): string =>
  `npm run test:damage -- --only ${file} --damage ${damage} --role ${role} --log ${logs} --seed ${seed}`;

/** A cell is the same whichever cells were before it. */
export function seedOf(cell: Cell, seed: number): number {
  let hash = 2166136261 ^ seed;
  for (const letter of nameOfCell(cell)) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  return hash >>> 0;
}
