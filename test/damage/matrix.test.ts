// The parts of the damage matrix that need no processes: that it forgets no file, damages what it says it damages, and notices each kind of
// wrong answer.
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import { donorOf, type Outcome } from './cell.ts';
import { cellsOf, nameOfCell, quickCells, roles, seedOf } from './cells.ts';
import { damageFile, damageKinds } from './damages.ts';
import { endingOf, missingIn } from './ending.ts';
import { expected } from './expectations.ts';
import { logKinds } from './field.ts';
import { checkKnown, claimOf, fileClasses } from './file-classes.ts';
import type { StoredFile } from './stored-file.ts';
import { verdictOf } from './report.ts';
import { contentOf, Truth } from './truth.ts';

describe('the files of a data-dir', () => {
  test.for([
    ['identity.json', 'identity'],
    ['lock-0123456789abcdef.sock', 'lock'],
    ['wal/0000000001.wal', 'segment'],
    ['wal/0000000002.wal.preparing', 'segment-preparing'],
    ['state/000012.log', 'state-log'],
    ['state/000012.ldb', 'state-table'],
    ['state/MANIFEST-000011', 'state-manifest'],
    ['state/LOG.old', 'state-info'],
    ['state.incoming/CURRENT', 'staged'],
    ['state.old/000012.ldb', 'former-state'],
    ['state.sealed', 'sealed-marker'],
  ] as const)('%s is a file of the kind %s', ([path, kind]) => {
    expect(claimOf(path)).toBe(kind);
  });

  test.for(['votes.json', 'wal/index', 'state/lost/000012.log', 'state/000012.bin', 'snapshots/1'])(
    '%s, which nobody knows, fails the run',
    (path) => {
      expect(() => checkKnown(['identity.json', path])).toThrow(path);
    },
  );

  test('every kind is damaged, and every cell has an ending that is right', () => {
    const cells = cellsOf({});
    expect(new Set(cells.map(({ file }) => file))).toEqual(new Set(fileClasses));
    expect(new Set(cells.map(({ damage }) => damage))).toEqual(new Set(damageKinds));
    for (const { file, damage, logs } of cells) {
      expect(expected(file, damage, logs)).not.toHaveLength(0);
    }
    expect(new Set(cells.map(nameOfCell)).size).toBe(cells.length);
  });

  test('the quick cells differ, and are of every kind, damage, role and log', () => {
    const names = cellsOf({}).map((cell) => nameOfCell(cell).replace(/ \w+$/, ''));
    for (const cell of quickCells) expect(names).toContain(nameOfCell(cell).replace(/ \w+$/, ''));
    expect(new Set(quickCells.map((cell) => seedOf(cell, 1))).size).toBe(quickCells.length);
    expect(new Set(quickCells.map(({ file }) => file))).toEqual(new Set(fileClasses));
    expect(new Set(quickCells.map(({ damage }) => damage))).toEqual(new Set(damageKinds));
    expect(new Set(quickCells.map(({ role }) => role))).toEqual(new Set(roles));
    expect(new Set(quickCells.map(({ logs }) => logs))).toEqual(new Set(logKinds));
  });
});

test('a run that damaged nothing has shown nothing', () => {
  const [cell] = quickCells;
  if (cell === undefined) throw new Error('there are quick cells');
  const wrong: readonly string[] = [];
  const empty: Outcome = { cell, ending: undefined, story: '', wrong, ms: 0 };
  const ending = 'unharmed' as const;
  expect(verdictOf([empty, empty], 2)).toBe('nothing');
  expect(verdictOf([empty, { ...empty, ending }], 2)).toBe('promised');
  expect(verdictOf([{ ...empty, ending }], 2)).toBe('interrupted');
  expect(verdictOf([empty, { ...empty, wrong: ['lost'] }], 3)).toBe('wrong');
});

describe('a damage', () => {
  const file = { used: Buffer.from('x'.repeat(9000)), size: 20_000 };
  const donor = { used: Buffer.from('y'), size: 1 };

  test.for(damageKinds)('%s changes a file, and only that', (kind) => {
    for (let seed = 0; seed < 50; seed++) {
      const damaged = damageFile(kind, file, seededRandom(seed), { old: donor, other: donor });
      if (damaged.kind === 'gone') continue;
      if (damaged.kind === 'void') throw new Error(damaged.why);
      const same = damaged.file.size === file.size && damaged.file.used.equals(file.used);
      expect(same).toBe(false);
    }
    expect(file.used.equals(Buffer.from('x'.repeat(9000)))).toBe(true);
  });

  test('has nothing to do where the copy is the same', () => {
    const donors = { old: { ...file, used: Buffer.from(file.used) }, other: undefined };
    expect(damageFile('old', file, seededRandom(1), donors).kind).toBe('void');
    expect(damageFile('other', file, seededRandom(1), donors).kind).toBe('void');
  });

  test('of a spare segment puts one with content in its place, of that name or of another', () => {
    const spare = { used: Buffer.alloc(0), size: 1 << 20 };
    const written = { used: Buffer.from('x'), size: 1 << 20 };
    const cell = { file: 'segment-spare' } as const;
    const [first, second] = ['wal/0000000001.wal', 'wal/0000000002.wal'];
    const taken = (one: StoredFile, two: StoredFile) =>
      donorOf(
        cell,
        second,
        new Map([
          [first, one],
          [second, two],
        ]),
      );
    expect(taken(written, spare)).toBe(written);
    expect(taken(spare, written)).toBe(written);
    expect(donorOf({ file: 'segment-written' }, second, new Map([[second, spare]]))).toBe(spare);
    expect(donorOf(cell, second, undefined)).toBeUndefined();
  });

  test('of a segment that is zero flips a bit and zeroes nothing', () => {
    const spare = { used: Buffer.alloc(0), size: 1 << 20 };
    const donors = { old: undefined, other: undefined };
    expect(damageFile('flip', spare, seededRandom(1), donors).kind).toBe('content');
    expect(damageFile('zero', spare, seededRandom(1), donors).kind).toBe('void');
  });
});

const write = (truth: Truth, revision: number): void => {
  const instanceId = `i${revision}`;
  truth.acknowledged(revision, { kind: 'register', instanceId, mark: `m${revision}` });
};
const after = (...revisions: readonly number[]) =>
  new Map(revisions.map((revision) => [`i${revision}`, contentOf(`m${revision}`, revision)]));

describe('the truth', () => {
  const told = { by: 'n1', atLeast: 0 };

  test('is what was acknowledged, in whichever order the answers came', () => {
    const truth = new Truth(0, new Map());
    truth.told({ ...told, revision: 2, catalogue: after(1, 2) });
    write(truth, 2);
    write(truth, 1);
    expect(truth.verdict()).toEqual([]);
    expect(truth.judged).toBe(1);
  });

  test.for([
    ['a write that is missing', { revision: 2, catalogue: after(1) }, 'true is m2@2'],
    ['a write that is not there yet', { revision: 1, catalogue: after(1, 2) }, 'true is nothing'],
    ['a value of another revision', { revision: 1, catalogue: new Map([['i1', 'm0@1']]) }, 'm0@1'],
    ['a revision nobody wrote', { revision: 3, catalogue: after(1, 2) }, 'which nobody wrote'],
    ['an older state than promised', { revision: 1, atLeast: 2, catalogue: after(1) }, 'after 2'],
  ] as const)('notices %s', ([, answer, evidence]) => {
    const truth = new Truth(0, new Map());
    write(truth, 1);
    write(truth, 2);
    truth.told({ ...told, ...answer });
    expect(truth.verdict().join()).toContain(evidence);
  });

  test('notices a revision given twice, and one that is lost', () => {
    const truth = new Truth(0, new Map());
    write(truth, 1);
    write(truth, 1);
    write(truth, 3);
    expect(truth.verdict()).toEqual([
      expect.stringContaining('two writes were acknowledged with revision 1'),
      expect.stringContaining('2 never'),
    ]);
  });
});

describe('an ending', () => {
  test('is read from the exit code, else from what the node says it did', () => {
    const running = { event: 'running', applied_index: 40 };
    expect(endingOf(11, [])).toBe(11);
    expect(endingOf(undefined, [running])).toBe('unharmed');
    expect(endingOf(undefined, [{ event: 'running', applied_index: 0 }])).toBe('from-log');
    expect(endingOf(undefined, [running, { event: 'snapshot_installed' }])).toBe('from-peer');
    expect(endingOf(undefined, [{ event: 'taken_back' }, running])).toBe('taken-back');
    const torn = { msg: 'the last write to the log was torn and never acknowledged: cut' };
    expect(endingOf(undefined, [torn, running])).toBe('cut');
  });

  test('with a refusal names the file or the directory, and what to do', () => {
    const words = 'the log /data/n1/wal is damaged: restore it';
    expect(missingIn(words, '/data/n1', 'wal/0000000001.wal')).toBeUndefined();
    expect(missingIn('restore it', '/data/n1', 'wal/0000000001.wal')).toContain('named');
    expect(missingIn('/data/n1/wal is damaged', '/data/n1', 'wal')).toContain('what to do');
    expect(missingIn('', '/data/n1', 'wal')).toContain('nothing was said');
  });
});
