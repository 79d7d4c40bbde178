// One violation of a guarantee in a history that is true otherwise: the checkers must name that guarantee and no other.
import { describe, expect, test } from 'vitest';
import { checkHistory } from './check-history.ts';
import type {
  FinalList,
  History,
  LeaseHistory,
  ReadRecord,
  WatchMessageRecord,
  WriteRecord,
} from './history.ts';
import {
  all,
  atMsOf,
  beat,
  contents,
  leases,
  merged,
  message,
  put,
  read,
  reads,
  remove,
  reset,
  service,
  TTL_MS,
  truth,
  write,
  writes,
} from './planted-world.ts';

const guaranteesOf = (history: History): readonly string[] =>
  [...new Set(checkHistory(history).violations.map(({ guarantee }) => guarantee))].toSorted();

const withWrite = (mark: string, more: Partial<WriteRecord>): History => ({
  ...truth,
  writes: writes.map((one) => (one.mark === mark ? { ...one, ...more } : one)),
});
const alsoWritten = (more: WriteRecord): History => ({ ...truth, writes: [...writes, more] });
const alsoRead = (more: ReadRecord): History => ({ ...truth, reads: [...reads, more] });
const withLeases = (more: Partial<LeaseHistory>): History => ({
  ...truth,
  leases: { ...leases, ...more },
});
function told(watcher: string, messages: readonly WatchMessageRecord[]): History {
  const watches = truth.watches.map((one) =>
    one.watcher === watcher ? { ...one, messages } : one,
  );
  return { ...truth, watches };
}
/** The same for every reader. */
const toldToAll = (messages: readonly WatchMessageRecord[]): History => ({
  ...truth,
  watches: ['all', 'merged'].map((watcher) => ({ watcher, messages })),
});
const withFinal = (more: Partial<FinalList>): History => ({
  ...truth,
  finals: truth.finals.map((one) => (one.node === 'n2' ? { ...one, ...more } : one)),
});
const nothing = { effect: { kind: 'remove', existed: undefined } } as const;
const a = { a: contents.a };

interface Planted {
  readonly guarantee: string;
  readonly name: string;
  readonly history: History;
}

const planted: readonly Planted[] = [
  {
    guarantee: 'G1',
    name: 'an acknowledged registration that never took effect',
    history: alsoWritten({
      ...write('register', 'x', 8, nothing.effect),
      mark: 'lost',
      invokedAtMs: 750,
      returnedAtMs: 1900,
    }),
  },
  {
    guarantee: 'G1',
    name: 'an acknowledged removal whose revision holds something else',
    history: alsoWritten({
      ...write('deregister', 'a', 7, nothing.effect),
      mark: 'lost',
      effect: { kind: 'lifecycle', lifecycle: 'serving' },
    }),
  },
  {
    guarantee: 'G2',
    name: 'a read of everything that misses an instance',
    history: alsoRead(read(2, a, { consistency: 'stale' })),
  },
  {
    guarantee: 'G2',
    name: 'a read that joins two revisions',
    history: alsoRead(
      read(3, { a: contents.aDrained, b: contents.aDrained }, { consistency: 'stale' }),
    ),
  },
  {
    guarantee: 'G2',
    name: 'a linearizable read older than an answer given before',
    history: alsoRead(read(1, a, { instanceId: 'a', invokedAtMs: 320, returnedAtMs: 330 })),
  },
  {
    guarantee: 'G2',
    name: 'a bounded read older than its bound',
    history: alsoRead(read(1, a, { consistency: 'bounded', maxStalenessMs: 50, invokedAtMs: 480 })),
  },
  {
    guarantee: 'G2',
    name: 'a write with a revision below that of an answer given before it began',
    history: withWrite('m2', { invokedAtMs: 470, returnedAtMs: 480 }),
  },
  {
    guarantee: 'G2',
    name: 'an answer that no order of the writes explains, whatever its revision says',
    history: alsoRead({
      ...read(6, { a: contents.aAgain }, { instanceId: 'a' }),
      values: new Map([['a', 'm1 draining']]),
    }),
  },
  {
    guarantee: 'G3',
    name: 'a rejected write that took effect',
    history: withWrite('m7', { outcome: 'rejected', revision: 0, changed: false }),
  },
  {
    guarantee: 'G3',
    name: 'a rejected removal that took effect',
    history: withWrite('m4', { outcome: 'rejected', revision: 0, changed: false }),
  },
  {
    guarantee: 'G4',
    name: 'a request sent again with another answer',
    history: withWrite('m6', { answers: ['at 6', 'at 7'] }),
  },
  {
    guarantee: 'G4',
    name: 'a registration that took effect twice',
    history: {
      ...toldToAll([...all, message(9, put('a', 'm6', contents.aAgain, 6))]),
      finals: truth.finals.map((one) => ({ ...one, revision: 9 })),
    },
  },
  {
    guarantee: 'G5',
    name: 'a reader that was not told a revision',
    history: told('all', all.toSpliced(4, 1)),
  },
  {
    guarantee: 'G5',
    name: 'a reader that was told a revision twice',
    history: told('all', all.toSpliced(4, 0, ...all.slice(3, 4))),
  },
  {
    guarantee: 'G5',
    name: 'two revisions in the wrong order',
    history: told('all', [...all.slice(0, 3), ...all.slice(3, 5).toReversed(), ...all.slice(5)]),
  },
  {
    guarantee: 'G5',
    name: 'a revision split into two messages',
    history: told(
      'merged',
      merged.toSpliced(
        3,
        1,
        message(4, put('a', 'm3', contents.aDrained, 1)),
        message(4, remove('b', 'm4')),
      ),
    ),
  },
  {
    guarantee: 'G5',
    name: 'a progress mark ahead of a change that follows',
    history: told('merged', merged.toSpliced(3, 0, message(4))),
  },
  {
    guarantee: 'G5',
    name: 'a reset that forgets an instance',
    history: told('merged', merged.toSpliced(5, 1, reset(6, put('a', 'm6', contents.aAgain, 6)))),
  },
  {
    guarantee: 'G5',
    name: 'a resume before what had been shown',
    history: told('merged', [...merged.slice(0, 6), ...merged.slice(5)].toSpliced(6, 1, reset(5))),
  },
  {
    guarantee: 'G5',
    name: 'a state older than one of which a part had been shown',
    history: told('merged', [
      ...merged.slice(0, 3),
      { ...reset(6, put('a', 'm6', contents.aAgain, 6)), more: true },
      reset(4, put('a', 'm3', contents.aDrained, 1)),
      ...all.slice(5),
    ]),
  },
  {
    guarantee: 'G5',
    name: 'a reader of one service that is told of another',
    history: told('service', service.toSpliced(2, 1, ...all.slice(2, 3))),
  },
  {
    guarantee: 'G6',
    name: 'a stream that never reached the end',
    history: told('all', all.slice(0, -1)),
  },
  {
    guarantee: 'G7',
    name: 'an expiry before the TTL has passed since the registration',
    history: withLeases({ appliedAtMs: leases.appliedAtMs.with(7, 700 + TTL_MS - 60) }),
  },
  {
    guarantee: 'G7',
    name: 'an expiry in spite of an acknowledged heartbeat',
    history: withLeases({ beats: [...leases.beats, beat(1000, { instanceId: 'silent' })] }),
  },
  {
    guarantee: 'G7',
    name: 'an acknowledged heartbeat for who was known to be gone',
    history: withLeases({
      beats: [...leases.beats, beat(60_000, { instanceId: 'silent', generation: 7 })],
    }),
  },
  {
    guarantee: 'G8',
    name: 'a silent instance that stays under a stable leader',
    history: withLeases({
      beats: leases.beats.slice(0, 1),
      keeps: [],
      stable: { fromMs: 1000, toMs: 1000 + TTL_MS * 1.01 + 1000 + 150 },
    }),
  },
  {
    guarantee: 'G9',
    name: 'an instance that was kept all the time and expired all the same',
    history: withLeases({
      keeps: [...leases.keeps, { instanceId: 'silent', fromMs: 690, toMs: 1800 }],
    }),
  },
  {
    guarantee: 'G10',
    name: 'a removal of an old generation that removed a newer one',
    history: withWrite('m4', { generation: 1 }),
  },
  {
    guarantee: 'G10',
    name: 'a change of status that names a generation of the future',
    history: withWrite('m3', { generation: 6 }),
  },
  {
    guarantee: 'G11',
    name: 'a session that is shown an older revision than it has seen',
    history: alsoRead(read(1, a, { consistency: 'stale', minRevision: 2 })),
  },
  {
    guarantee: 'G12',
    name: 'a node that lost an instance',
    history: withFinal({ instances: new Map([['a', contents.aAgain]]) }),
  },
  {
    guarantee: 'G12',
    name: 'a node on which the dead live on',
    history: withFinal({
      instances: new Map([...(truth.finals[0]?.instances ?? []), ['b', contents.b]]),
    }),
  },
];

describe('a planted violation', () => {
  test('is not needed for a true history to pass', () => {
    expect(checkHistory(truth).violations).toEqual([]);
    expect(checkHistory(truth).witnessed).toBe(8);
    expect(atMsOf(8)).toBeGreaterThan(700 + TTL_MS);
  });

  test.for(planted)('of $guarantee is found and named: $name', ({ guarantee, history }) => {
    expect(guaranteesOf(history)).toEqual([guarantee]);
  });
});
