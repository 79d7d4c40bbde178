// One small true history in which every checker has something to look at, for tests that alter one thing of it. Moments are
// tens of milliseconds apart; revision r is told at r x 100 ms.
import type {
  BeatRecord,
  ChangeRecord,
  History,
  LeaseHistory,
  ReadRecord,
  WatchMessageRecord,
  WriteEffect,
  WriteRecord,
} from './history.ts';
import { contentText } from './instance-text.ts';

export const TTL_MS = 1000;

/** What the instance is at a revision. */
const contentOf = (service: string, generation: number, revision: number, value: string): string =>
  contentText({ serviceName: service, status: 'UP', generation, revision }, value);

export const contents = {
  a: contentOf('pay', 1, 1, 'm1 serving'),
  b: contentOf('ship', 2, 2, 'm2 serving'),
  aDrained: contentOf('pay', 1, 3, 'm1 draining'),
  c: contentOf('pay', 5, 5, 'm5 serving'),
  aAgain: contentOf('pay', 6, 6, 'm6 serving'),
  silent: contentOf('pay', 7, 7, 'm7 serving'),
} as const;

export function put(
  instanceId: string,
  mark: string,
  content: string,
  generation: number,
  ttlMs = 0,
): ChangeRecord {
  return { kind: 'put', instanceId, mark, content, generation, ttlMs };
}

export const remove = (instanceId: string, mark: string, expired = false): ChangeRecord => ({
  kind: 'remove',
  instanceId,
  mark,
  content: '',
  expired,
});

/** Position r - 1 is revision r. */
const changes: readonly ChangeRecord[] = [
  put('a', 'm1', contents.a, 1),
  put('b', 'm2', contents.b, 2),
  put('a', 'm3', contents.aDrained, 1),
  remove('b', 'm4'),
  put('c', 'm5', contents.c, 5, TTL_MS),
  put('a', 'm6', contents.aAgain, 6),
  put('silent', 'm7', contents.silent, 7, TTL_MS),
  remove('silent', '', true),
];

/** Three more than a TTL after its registration. */
const expiredAtMs = 700 + TTL_MS + 3;
export const atMsOf = (revision: number): number => (revision === 8 ? expiredAtMs : revision * 100);

export function message(revision: number, ...told: readonly ChangeRecord[]): WatchMessageRecord {
  return { atMs: atMsOf(revision), revision, reset: false, more: false, changes: told };
}

export const reset = (revision: number, ...told: readonly ChangeRecord[]): WatchMessageRecord => ({
  ...message(revision, ...told),
  reset: true,
});

const alone = changes.map((change, at) => message(at + 1, change));

/** Every revision by itself. */
export const all: readonly WatchMessageRecord[] = [reset(0), ...alone];

/** Revisions 3 and 4 in one message, a progress mark, a reset at 6. */
export const merged: readonly WatchMessageRecord[] = [
  reset(0),
  ...alone.slice(0, 2),
  message(4, put('a', 'm3', contents.aDrained, 1), remove('b', 'm4')),
  message(4),
  reset(6, put('a', 'm6', contents.aAgain, 6), put('c', 'm5', contents.c, 5, TTL_MS)),
  ...alone.slice(6),
];

/** Of one service alone: b is of another one. */
export const service: readonly WatchMessageRecord[] = [
  reset(0),
  ...alone.slice(0, 1),
  message(2),
  ...alone.slice(2, 3),
  ...alone.slice(4),
];

export function write(
  kind: WriteRecord['kind'],
  instanceId: string,
  revision: number,
  effect: WriteEffect,
  more: Partial<WriteRecord> = {},
): WriteRecord {
  return {
    kind,
    instanceId,
    mark: `m${revision}`,
    invokedAtMs: revision * 100 - 10,
    returnedAtMs: revision * 100 + 10,
    outcome: 'acknowledged',
    revision,
    changed: true,
    effect,
    answers: [`at ${revision}`],
    ...more,
  };
}

const puts = (mark: string, mayExpire = false): WriteEffect => ({
  kind: 'put',
  mark,
  lifecycle: 'serving',
  mayExpire,
});

export const writes: readonly WriteRecord[] = [
  write('register', 'a', 1, puts('m1')),
  write('register', 'b', 2, puts('m2')),
  write('setStatus', 'a', 3, { kind: 'lifecycle', lifecycle: 'draining' }, { generation: 1 }),
  write('deregister', 'b', 4, { kind: 'remove', existed: true }, { generation: 2 }),
  write('register', 'c', 5, puts('m5', true)),
  // Asked twice, answered alike.
  write('register', 'a', 6, puts('m6'), { answers: ['at 6', 'at 6'] }),
  write('register', 'silent', 7, puts('m7', true)),
  { ...write('register', 'd', 90, puts('m90')), outcome: 'rejected', revision: 0, changed: false },
  { ...write('register', 'e', 91, puts('m91')), outcome: 'unknown', revision: 0, changed: false },
];

export function read(
  revision: number,
  told: Readonly<Record<string, string>>,
  more: Partial<ReadRecord> = {},
): ReadRecord {
  const pairs = Object.entries(told);
  return {
    client: 'reader',
    consistency: 'linearizable',
    invokedAtMs: revision * 100 + 20,
    returnedAtMs: revision * 100 + 30,
    minRevision: 0,
    revision,
    instances: new Map(pairs),
    values: new Map(pairs.map(([id, content]) => [id, content.split(' ').slice(4).join(' ')])),
    ...more,
  };
}

export const reads: readonly ReadRecord[] = [
  read(2, { a: contents.a, b: contents.b }),
  read(3, { a: contents.aDrained }, { instanceId: 'a' }),
  read(5, { a: contents.aDrained, c: contents.c }, { service: 'pay' }),
  read(4, { a: contents.aDrained }, { consistency: 'stale', minRevision: 4, invokedAtMs: 560 }),
];

export const beat = (sentAtMs: number, more: Partial<BeatRecord> = {}): BeatRecord => ({
  instanceId: 'c',
  generation: 0,
  sentAtMs,
  endedAtMs: sentAtMs + 5,
  outcome: 'acknowledged',
  ...more,
});

/** c is kept to the end, `silent` is never heard of. */
export const leases: LeaseHistory = {
  beats: [550, 850, 1150, 1450, 1750].map((atMs) => beat(atMs)),
  keeps: [{ instanceId: 'c', fromMs: 500, toMs: 1800 }],
  appliedAtMs: changes.map((_, at) => atMsOf(at + 1)),
  stable: { fromMs: 1000, toMs: 2000 },
  clockDrift: 0,
};

const atTheEnd = new Map([
  ['a', contents.aAgain],
  ['c', contents.c],
]);

export const truth: History = {
  writes,
  reads,
  watches: [
    { watcher: 'all', messages: all },
    { watcher: 'merged', messages: merged },
    { watcher: 'service', service: 'pay', messages: service },
  ],
  finals: ['n1', 'n2', 'n3'].map((node) => ({ node, revision: 8, instances: atTheEnd })),
  leases,
};
