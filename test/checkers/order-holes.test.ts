// What no reader was told alone: filled in where somebody had a reason to do it, and a violation where nobody had.
import { describe, expect, test } from 'vitest';
import { checkHistory } from './check-history.ts';
import { firstTold } from './first-told.ts';
import type { ChangeRecord, History, WriteRecord } from './history.ts';
import { contentText } from './instance-text.ts';
import { fillHoles } from './order-holes.ts';
import { collectOrder } from './revision-order.ts';
import { fatesOf } from './write-fates.ts';

function put(id: string, revision: number, mark: string, ttlMs = 0): ChangeRecord {
  const facts = { serviceName: 'pay', status: 'UP', generation: revision, revision };
  const content = contentText(facts, `${mark} serving`);
  return { kind: 'put', instanceId: id, mark, content, generation: revision, ttlMs };
}

function write(kind: WriteRecord['kind'], id: string, mark: string): WriteRecord {
  const unknown = { outcome: 'unknown', revision: 0, changed: false } as const;
  return { kind, instanceId: id, mark, invokedAtMs: 150, returnedAtMs: 400, ...unknown };
}

/** a at revision 1; all nodes die; readers go on at revision 4, and all that is told of 2 to 4 is who is there. */
function afterDeath(
  there: readonly ChangeRecord[],
  writes: readonly WriteRecord[],
  ttlMs = 0,
): History {
  const message = { reset: false, more: false };
  const messages = [
    { ...message, atMs: 100, revision: 1, changes: [put('a', 1, 'm1', ttlMs)] },
    { ...message, atMs: 300, revision: 4, reset: true, changes: there },
    { ...message, atMs: 400, revision: 5, changes: [put('z', 5, 'm5')] },
  ];
  const instances = new Map(
    [...there, put('z', 5, 'm5')].map((one) => [one.instanceId, one.content]),
  );
  return {
    writes,
    watches: [{ watcher: 'w', messages }],
    finals: [{ node: 'n1', revision: 5, instances }],
  };
}
const guaranteesOf = (history: History): readonly string[] => [
  ...new Set(checkHistory(history).violations.map(({ guarantee }) => guarantee)),
];
const stillA = put('a', 1, 'm1');

describe('revisions that nobody was told alone', () => {
  test('may hold writes of unknown outcome, found by what is there', () => {
    const history = afterDeath([stillA, put('b', 3, 'm3')], [write('register', 'b', 'm3')]);
    expect(guaranteesOf(history)).toEqual([]);
    const { order, holes, hidden } = fillHoles(collectOrder(history.watches).order, history);
    expect(holes).toEqual([2, 3, 4]);
    expect(hidden).toEqual([2, 3, 4]);
    expect(order.get(3)?.map(({ instanceId }) => instanceId)).toEqual(['b']);
  });

  test('may have been told to a reader of one service alone, and be gone again for all others', () => {
    const asked = [write('register', 'b', 'm2'), write('deregister', 'b', 'm3')];
    const history = afterDeath([stillA], asked);
    const part = { reset: false, more: false };
    const messages = [
      { ...part, atMs: 100, revision: 1, changes: [put('a', 1, 'm1')] },
      { ...part, atMs: 200, revision: 2, changes: [put('b', 2, 'm2')] },
      { ...part, atMs: 300, revision: 5, reset: true, changes: [stillA, put('z', 5, 'm5')] },
    ];
    const watches = [...history.watches, { watcher: 'p', service: 'pay', messages }];
    expect(guaranteesOf({ ...history, watches })).toEqual([]);
    // What nobody ever asked for was not there to be told.
    expect(guaranteesOf({ ...history, writes: [], watches })).toEqual(['G5']);
  });

  test('may hold a removal that somebody asked for, or that silence explains', () => {
    expect(guaranteesOf(afterDeath([], [write('deregister', 'a', 'm2')]))).toEqual([]);
    expect(guaranteesOf(afterDeath([], [], 1000))).toEqual([]);
  });

  test('may be as long as a lease, and hold both a registration and the silence after it', () => {
    const message = { reset: false, more: false };
    const first = { ...message, atMs: 100, revision: 1, changes: [put('a', 1, 'm1')] };
    const last = { ...message, atMs: 400, revision: 5, changes: [put('z', 5, 'm5')] };
    const acknowledged = { outcome: 'acknowledged', changed: true, returnedAtMs: 200 } as const;
    const writes: readonly WriteRecord[] = [
      { ...write('register', 'b', 'm2'), ...acknowledged, revision: 2 },
      { ...write('register', 'c', 'm4'), ...acknowledged, revision: 4 },
    ];
    const history = (ttlMs: number): History => {
      const gone: ChangeRecord = { kind: 'remove', instanceId: 'b', mark: '', content: '' };
      const part = [
        first,
        { ...message, atMs: 200, revision: 2, changes: [put('b', 2, 'm2', ttlMs)] },
        { ...message, atMs: 280, revision: 3, changes: [{ ...gone, expired: true }] },
        { ...message, atMs: 300, revision: 4, changes: [put('c', 4, 'm4')] },
        last,
      ];
      const whole = [
        first,
        { ...message, atMs: 300, revision: 4, changes: [put('c', 4, 'm4')] },
        last,
      ];
      const held = [stillA, put('c', 4, 'm4'), put('z', 5, 'm5')];
      const instances = new Map(held.map((one) => [one.instanceId, one.content]));
      return {
        writes,
        watches: [
          { watcher: 'w', messages: whole },
          { watcher: 'p', service: 'pay', messages: part },
        ],
        finals: [{ node: 'n1', revision: 5, instances }],
      };
    };
    expect(guaranteesOf(history(100))).toEqual([]);
    // Nobody was silent for that long by then.
    expect(guaranteesOf(history(1000))).toContain('G5');
  });

  test('may not swallow an instance that nobody asked to remove (G5)', () => {
    expect(guaranteesOf(afterDeath([], []))).toContain('G5');
    const later = { ...write('deregister', 'a', 'm2'), invokedAtMs: 350 };
    expect(guaranteesOf(afterDeath([], [later]))).toContain('G5');
  });

  test('may not swallow an acknowledged write (G5)', () => {
    const lost: WriteRecord = {
      ...write('register', 'b', 'm3'),
      outcome: 'acknowledged',
      revision: 3,
      changed: true,
      returnedAtMs: 200,
    };
    expect(guaranteesOf(afterDeath([stillA], [lost]))).toContain('G5');
    expect(guaranteesOf(afterDeath([stillA, put('b', 3, 'm3')], [lost]))).toEqual([]);
  });
});

describe('the fate of a write of unknown outcome', () => {
  const history = afterDeath([stillA, put('b', 3, 'm3')], []);
  const { order, hidden } = fillHoles(collectOrder(history.watches).order, history);
  const fateOf = (own: WriteRecord, writes: readonly WriteRecord[] = [own]) =>
    fatesOf(order, hidden, firstTold(history), writes)(own);

  test('is known where a reader was told its mark', () => {
    expect(fateOf(write('register', 'z', 'm5'))).toEqual({ happened: 'yes', byMs: 400 });
  });

  test('stays open while there are revisions that may be its own', () => {
    expect(fateOf(write('register', 'b', 'm3'))).toEqual({ happened: 'perhaps', byMs: 300 });
  });

  test('is that it never happened where every later revision is known', () => {
    const late = { ...write('register', 'x', 'm9'), invokedAtMs: 310 };
    expect(fateOf(late).happened).toBe('no');
  });

  test('cannot be told apart from that of another one with its mark', () => {
    const one = write('register', 'z', 'm5');
    expect(fateOf(one, [one, one])).toEqual({ happened: 'perhaps', byMs: 60_400 });
  });
});
