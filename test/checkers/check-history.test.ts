// The checkers are only worth what they catch: a true history passes, and each planted violation is found under the
// right guarantee.
import { describe, expect, test } from 'vitest';
import { checkHistory } from './check-history.ts';
import type { ChangeRecord, History, WatchMessageRecord, WriteRecord } from './history.ts';

const put = (instanceId: string, mark: string): ChangeRecord => ({
  kind: 'put',
  instanceId,
  mark,
  content: `content of ${mark}`,
});
const remove = (instanceId: string, mark: string): ChangeRecord => ({
  kind: 'remove',
  instanceId,
  mark,
  content: '',
});

function message(revision: number, ...changes: ChangeRecord[]): WatchMessageRecord {
  return { atMs: revision * 10, revision, reset: false, more: false, changes };
}
const reset = (revision: number, ...changes: ChangeRecord[]): WatchMessageRecord => ({
  ...message(revision, ...changes),
  reset: true,
});

function acknowledged(
  kind: WriteRecord['kind'],
  instanceId: string,
  mark: string,
  revision: number,
): WriteRecord {
  return {
    kind,
    instanceId,
    mark,
    revision,
    changed: true,
    outcome: 'acknowledged',
    invokedAtMs: revision * 10,
    returnedAtMs: revision * 10 + 5,
  };
}

/** Three registrations, a status change, a removal; a reader of all, one that was merged, one that was reset. */
const truth: History = {
  writes: [
    acknowledged('register', 'a', 'm1', 1),
    acknowledged('register', 'b', 'm2', 2),
    acknowledged('setStatus', 'a', 'm3', 3),
    acknowledged('deregister', 'b', 'm4', 4),
    acknowledged('register', 'c', 'm5', 5),
    { ...acknowledged('register', 'd', 'm6', 0), outcome: 'rejected', changed: false },
    { ...acknowledged('register', 'e', 'm7', 0), outcome: 'unknown', changed: false },
  ],
  watches: [
    {
      watcher: 'all',
      messages: [
        reset(0),
        message(1, put('a', 'm1')),
        message(2, put('b', 'm2')),
        message(2),
        message(3, put('a', 'm3')),
        message(4, remove('b', 'm4')),
        message(5, put('c', 'm5')),
      ],
    },
    {
      watcher: 'merged',
      messages: [
        reset(0),
        message(1, put('a', 'm1')),
        message(4, put('a', 'm3'), remove('b', 'm4')),
        message(5, put('c', 'm5')),
      ],
    },
    {
      watcher: 'reset',
      messages: [
        reset(0),
        message(1, put('a', 'm1')),
        { ...reset(5, put('a', 'm3')), more: true },
        message(5, put('c', 'm5')),
      ],
    },
  ],
  finals: [
    {
      node: 'n1',
      revision: 5,
      instances: new Map([
        ['a', 'content of m3'],
        ['c', 'content of m5'],
      ]),
    },
  ],
};

function withMessages(watcher: string, messages: readonly WatchMessageRecord[]): History {
  const watches = truth.watches.map((watch) =>
    watch.watcher === watcher ? { watcher, messages } : watch,
  );
  return { ...truth, watches };
}

const all = truth.watches[0]?.messages ?? [];
const merged = truth.watches[1]?.messages ?? [];
const without = (position: number): WatchMessageRecord[] => all.toSpliced(position, 1);
const withWrite = (changed: WriteRecord): History => ({
  ...truth,
  writes: truth.writes.map((write) => (write.mark === changed.mark ? changed : write)),
});

const planted: readonly { name: string; guarantee: string; history: History }[] = [
  {
    name: 'a skipped revision between two messages',
    guarantee: 'G5',
    history: withMessages('merged', merged.toSpliced(2, 1, message(4, remove('b', 'm4')))),
  },
  {
    name: 'a repeated message',
    guarantee: 'G5',
    history: withMessages('all', all.toSpliced(2, 0, message(1, put('a', 'm1')))),
  },
  {
    name: 'a revision split in two messages',
    guarantee: 'G5',
    history: withMessages('merged', [
      reset(0),
      message(1, put('a', 'm1')),
      message(4, put('a', 'm3')),
      message(4, remove('b', 'm4')),
      message(5, put('c', 'm5')),
    ]),
  },
  {
    name: 'a progress mark that runs ahead of an untold change',
    guarantee: 'G5',
    history: withMessages('merged', merged.toSpliced(2, 0, message(2))),
  },
  {
    name: 'a merged message that forgets a removal',
    guarantee: 'G5',
    history: withMessages('merged', [
      ...all.slice(0, 3),
      message(4, put('a', 'm3')),
      ...all.slice(6),
    ]),
  },
  {
    name: 'a change told of an instance that did not change',
    guarantee: 'G5',
    history: withMessages(
      'merged',
      merged.toSpliced(3, 1, message(5, put('c', 'm5'), put('a', 'm3'))),
    ),
  },
  {
    name: 'a reset that restates too little',
    guarantee: 'G5',
    history: withMessages('reset', [reset(0), reset(5, put('c', 'm5'))]),
  },
  {
    name: 'a reset that ends before its last part',
    guarantee: 'G5',
    history: withMessages('reset', [
      reset(0),
      message(1, put('a', 'm1')),
      reset(5, put('a', 'm3')),
    ]),
  },
  {
    name: 'a reset that goes back in time',
    guarantee: 'G5',
    history: withMessages('all', [...all, reset(4, put('a', 'm3'))]),
  },
  {
    name: 'two readers told different things about one revision',
    guarantee: 'G5',
    history: withMessages('merged', [reset(0), message(1, put('a', 'forged')), ...merged.slice(2)]),
  },
  {
    name: 'a stream that never reached the end',
    guarantee: 'G6',
    history: withMessages('all', without(6)),
  },
  {
    name: 'an acknowledged write that is not there',
    guarantee: 'G1',
    history: withWrite(acknowledged('register', 'a', 'm1', 2)),
  },
  {
    name: 'a rejected write that is there',
    guarantee: 'G3',
    history: withWrite({ ...acknowledged('register', 'a', 'm1', 1), outcome: 'rejected' }),
  },
  {
    name: 'an answer older than one already given',
    guarantee: 'G2',
    history: withWrite({
      ...acknowledged('register', 'a', 'm1', 1),
      invokedAtMs: 26,
      returnedAtMs: 29,
    }),
  },
  {
    name: 'a list that lost an instance',
    guarantee: 'G12',
    history: {
      ...truth,
      finals: [{ node: 'n1', revision: 5, instances: new Map([['a', 'content of m3']]) }],
    },
  },
  {
    name: 'a list that resurrected an instance',
    guarantee: 'G12',
    history: {
      ...truth,
      finals: truth.finals.map((final) => ({
        ...final,
        instances: new Map([...final.instances, ['b', 'content of m2']]),
      })),
    },
  },
];

/** Every node died before any stream carried revision 3; all readers went on with a reset. */
const afterDeathOfAll = (restated: readonly ChangeRecord[]): History => ({
  ...truth,
  watches: truth.watches.map(({ watcher }) => ({
    watcher,
    messages: [
      reset(0),
      message(1, put('a', 'm1')),
      message(2, put('b', 'm2')),
      reset(3, ...restated),
      message(4, remove('b', 'm4')),
      message(5, put('c', 'm5')),
    ],
  })),
});

describe('the checkers', () => {
  test('pass a true history, merged and reset readers included', () => {
    const verdict = checkHistory(truth);
    expect(verdict.violations).toEqual([]);
    expect(verdict.witnessed).toBe(5);
  });

  test('judge a reset over a revision that nobody was told alone by its acknowledged write', () => {
    const whole = checkHistory(afterDeathOfAll([put('a', 'm3'), put('b', 'm2')]));
    expect(whole.violations).toEqual([]);
    expect(whole.witnessed).toBe(4);
    const lost = checkHistory(afterDeathOfAll([put('a', 'm1'), put('b', 'm2')]));
    expect(lost.violations.map(({ guarantee }) => guarantee)).toContain('G5');
  });

  test('find a write that took effect twice (G4)', () => {
    const doubled = [...all, message(6, put('a', 'm1'))];
    const { violations } = checkHistory({ ...withMessages('all', doubled), finals: [] });
    expect(violations.map(({ guarantee }) => guarantee)).toContain('G4');
  });

  test.for(planted)('find $name ($guarantee)', ({ guarantee, history }) => {
    const { violations } = checkHistory(history);
    expect(violations.map((violation) => violation.guarantee)).toContain(guarantee);
  });
});
