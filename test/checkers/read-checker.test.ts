// Checkers A and B on histories with one planted lie each.
import { describe, expect, test } from 'vitest';
import type { ChangeRecord, History, ReadRecord, WriteRecord } from './history.ts';
import { searchInstances } from './instance-search.ts';
import { checkReads } from './read-checker.ts';

const put = (instanceId: string, mark: string, service = 'pay'): ChangeRecord => ({
  kind: 'put',
  instanceId,
  mark,
  content: `${service} ${mark}`,
});
const order: readonly (readonly ChangeRecord[])[] = [
  [put('a', 'm1')],
  [put('b', 'm2', 'ship')],
  [{ kind: 'remove', instanceId: 'a', mark: 'm3', content: '' }],
];
const orderMap = new Map(order.map((changes, at) => [at + 1, changes]));

function read(fields: Partial<ReadRecord>, instances: Record<string, string> = {}): ReadRecord {
  return {
    client: 'c',
    consistency: 'linearizable',
    invokedAtMs: 25,
    returnedAtMs: 26,
    minRevision: 0,
    revision: 2,
    instances: new Map(Object.entries(instances)),
    values: new Map(),
    ...fields,
  };
}
const both = { a: 'pay m1', b: 'ship m2' };
const earlier = read({ invokedAtMs: 20, returnedAtMs: 21, client: 'other' }, both);
const history = (...reads: ReadRecord[]): History => ({
  writes: [],
  watches: [],
  finals: [],
  reads,
});
const found = (...reads: ReadRecord[]): string[] =>
  checkReads(history(...reads), orderMap).map(({ guarantee }) => guarantee);

describe('checker A', () => {
  test('passes true answers at every revision and selection', () => {
    const one = read({ instanceId: 'b', revision: 3 }, { b: 'ship m2' });
    const none = read({ instanceId: 'a', revision: 3 });
    const service = read({ service: 'ship' }, { b: 'ship m2' });
    expect(found(earlier, read({}, both), one, none, service)).toEqual([]);
  });

  test('passes an older answer where it was allowed to be stale', () => {
    const stale = read({ consistency: 'stale', revision: 1 }, { a: 'pay m1' });
    const bounded = read(
      { consistency: 'bounded', maxStalenessMs: 10, revision: 1 },
      { a: 'pay m1' },
    );
    expect(found(earlier, stale, bounded)).toEqual([]);
  });

  test.for([
    ['a list that lost an instance (G2)', read({}, { a: 'pay m1' })],
    ['a list that resurrected an instance (G2)', read({ revision: 3 }, both)],
    ['a torn list (G2)', read({ revision: 1 }, both)],
    ['a single answer of another revision (G2)', read({ instanceId: 'a' }, { a: 'pay m9' })],
    ['an instance of another service (G2)', read({ service: 'pay' }, both)],
    ['a revision that never was (G2)', read({ revision: 9 }, both)],
  ] as const)('finds %s', ([, lie]) => {
    expect(found(lie)).toContain('G2');
  });

  test('finds a linearizable answer older than what another client had been told (G2)', () => {
    expect(found(earlier, read({ revision: 1 }, { a: 'pay m1' }))).toContain('G2');
  });

  test('finds a bounded answer beyond its bound (G2)', () => {
    const late = { consistency: 'bounded', maxStalenessMs: 3, revision: 1 } as const;
    expect(found(earlier, read(late, { a: 'pay m1' }))).toContain('G2');
  });

  test('finds an answer older than its client demanded (G11)', () => {
    const old = { consistency: 'stale', minRevision: 2, revision: 1 } as const;
    expect(found(read(old, { a: 'pay m1' }))).toContain('G11');
  });
});

let lastMark = 0;
function write(fields: Partial<WriteRecord>): WriteRecord {
  const mark = fields.mark ?? `w${++lastMark}`;
  return {
    kind: 'register',
    instanceId: 'a',
    mark,
    invokedAtMs: 0,
    returnedAtMs: 1,
    outcome: 'acknowledged',
    revision: 0,
    changed: true,
    effect: { kind: 'put', mark, lifecycle: 'serving', mayExpire: false },
    ...fields,
  };
}
const saw = (value: string | undefined, invokedAtMs: number, returnedAtMs: number): ReadRecord => ({
  ...read({ instanceId: 'a', invokedAtMs, returnedAtMs }),
  values: new Map(value === undefined ? [] : [['a', value]]),
});
const removal = (existed: boolean | undefined, more: Partial<WriteRecord>): WriteRecord =>
  write({ kind: 'deregister', effect: { kind: 'remove', existed }, ...more });
const verdict = (writes: WriteRecord[], ...reads: ReadRecord[]): number =>
  searchInstances({ writes, reads, watches: [], finals: [] }).violations.length;

describe('checker B', () => {
  test('passes overlapping writes in either order', () => {
    const writes = [write({ mark: 'x', returnedAtMs: 10 }), write({ mark: 'y', returnedAtMs: 10 })];
    expect(verdict(writes, saw('x serving', 11, 12))).toBe(0);
    expect(verdict(writes, saw('y serving', 11, 12))).toBe(0);
  });

  test('passes an unknown write that happened late, or never', () => {
    const writes = [write({ mark: 'x' }), write({ mark: 'y', invokedAtMs: 2, outcome: 'unknown' })];
    expect(verdict(writes, saw('x serving', 50, 51), saw('y serving', 60, 61))).toBe(0);
    expect(verdict(writes, saw('x serving', 50, 51))).toBe(0);
  });

  test('passes an expiry of what may expire, at any time', () => {
    const mayExpire = { kind: 'put', mark: 'x', lifecycle: 'serving', mayExpire: true } as const;
    expect(verdict([write({ mark: 'x', effect: mayExpire })], saw(undefined, 5, 6))).toBe(0);
  });

  test('passes a change of status between a registration and a read', () => {
    const drain = write({
      invokedAtMs: 2,
      returnedAtMs: 3,
      effect: { kind: 'lifecycle', lifecycle: 'draining' },
    });
    expect(verdict([write({ mark: 'x' }), drain], saw('x draining', 4, 5))).toBe(0);
  });

  test.for([
    [
      'a stale read',
      [write({ mark: 'x' }), write({ mark: 'y', invokedAtMs: 2, returnedAtMs: 3 })],
      [saw('x serving', 4, 5)],
    ],
    ['a lost write', [write({ mark: 'x' })], [saw(undefined, 4, 5)]],
    [
      'a value that jumps back',
      [write({ mark: 'x' }), write({ mark: 'y', invokedAtMs: 2, outcome: 'unknown' })],
      [saw('y serving', 4, 5), saw('x serving', 6, 7)],
    ],
    [
      'a removal that found nothing',
      [write({ mark: 'x' }), removal(false, { invokedAtMs: 2, returnedAtMs: 3 })],
      [],
    ],
    [
      'two removals that both found it',
      [
        write({ mark: 'x' }),
        removal(true, { invokedAtMs: 2, returnedAtMs: 3 }),
        removal(true, { invokedAtMs: 4, returnedAtMs: 5 }),
      ],
      [],
    ],
    [
      'a rejected write that happened',
      [write({ mark: 'x', outcome: 'rejected' })],
      [saw('x serving', 4, 5)],
    ],
  ] as const)('finds %s (G2)', ([, writes, reads]) => {
    expect(verdict([...writes], ...reads)).toBe(1);
  });
});
