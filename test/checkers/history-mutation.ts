// Ways to make a true history false, each hurting one guarantee, at a place drawn from a seed. undefined where the history
// has no such place.
import type { Random } from '../../src/lib/random.ts';
import type {
  ChangeRecord,
  History,
  ReadRecord,
  WatchMessageRecord,
  WriteRecord,
} from './history.ts';

export interface Mutation {
  readonly name: string;
  readonly guarantee: string;
  readonly mutate: (history: History, random: Random) => History | undefined;
}

/** One of those that fit, with its position. */
function pick<T>(
  from: readonly T[],
  random: Random,
  fits: (one: T, at: number) => boolean,
): { readonly one: T; readonly at: number } | undefined {
  const fitting = from.flatMap((one, at) => (fits(one, at) ? [{ one, at }] : []));
  return fitting[random.integer(0, Math.max(1, fitting.length))];
}

type Messages = readonly WatchMessageRecord[];

/** Alters what the first reader was told; it is told every revision alone. */
const retold =
  (
    fits: (messages: Messages, at: number) => boolean,
    alter: (all: Messages, at: number) => Messages,
  ) =>
  (history: History, random: Random): History | undefined => {
    const [watch, ...others] = history.watches;
    const { messages } = watch ?? { messages: [] };
    const found = pick(messages, random, (_, at) => isPlain(messages, at) && fits(messages, at));
    if (watch === undefined || found === undefined) return undefined;
    return { ...history, watches: [{ ...watch, messages: alter(messages, found.at) }, ...others] };
  };

/** No part of a reset, nor followed by one, which would make up for it. */
const isPlain = (messages: Messages, at: number): boolean =>
  messages[at]?.reset === false &&
  messages[at - 1]?.more === false &&
  messages[at + 1]?.reset !== true;

const isLast = (messages: Messages, at: number): boolean => at === messages.length - 1;
const onlyOf = (messages: Messages, at: number): ChangeRecord | undefined =>
  messages[at]?.changes[0];
/** The next message tells of another instance, so it cannot make up for this one. */
const standsAlone = (messages: Messages, at: number): boolean =>
  !isLast(messages, at) &&
  onlyOf(messages, at)?.instanceId !== onlyOf(messages, at + 1)?.instanceId;

const rewritten =
  (fits: (write: WriteRecord) => boolean, alter: (write: WriteRecord) => Partial<WriteRecord>) =>
  (history: History, random: Random): History | undefined => {
    const found = pick(history.writes, random, fits);
    if (found === undefined) return undefined;
    const writes = history.writes.with(found.at, { ...found.one, ...alter(found.one) });
    return { ...history, writes };
  };

const tookEffect = ({ outcome, changed }: WriteRecord): boolean =>
  outcome === 'acknowledged' && changed;

const reread =
  (fits: (read: ReadRecord) => boolean, alter: (read: ReadRecord) => Partial<ReadRecord>) =>
  (history: History, random: Random): History | undefined => {
    const { reads = [] } = history;
    const found = pick(reads, random, fits);
    if (found === undefined) return undefined;
    return { ...history, reads: reads.with(found.at, { ...found.one, ...alter(found.one) }) };
  };

const ofAll = ({ instanceId, service, instances }: ReadRecord): boolean =>
  instanceId === undefined && service === undefined && instances.size > 0;
const withoutFirst = <V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> =>
  new Map([...map].slice(1));

/** The revision of an expiry, and of the registration it ended. */
function pickExpiry(history: History, random: Random): (ChangeRecord & { at: number }) | undefined {
  const messages = history.watches[0]?.messages ?? [];
  const found = pick(messages, random, ({ changes }) => changes[0]?.expired === true);
  const change = found?.one.changes[0];
  return found === undefined || change === undefined
    ? undefined
    : { ...change, at: found.one.revision };
}

function expireEarly(history: History, random: Random): History | undefined {
  const expiry = pickExpiry(history, random);
  const { leases } = history;
  if (expiry === undefined || leases === undefined) return undefined;
  const { appliedAtMs } = leases;
  const atMs = (appliedAtMs[expiry.at - 1] ?? 0) - 200;
  return { ...history, leases: { ...leases, appliedAtMs: appliedAtMs.with(expiry.at - 1, atMs) } };
}

function claimKept(history: History, random: Random): History | undefined {
  const expiry = pickExpiry(history, random);
  const { leases } = history;
  if (expiry === undefined || leases === undefined) return undefined;
  const keep = { instanceId: expiry.instanceId, fromMs: 0, toMs: 1e9 };
  return { ...history, leases: { ...leases, keeps: [...leases.keeps, keep] } };
}

/** Whoever has a lease at the end stays, although nobody speaks for it. */
function staySilent(history: History): History | undefined {
  const { leases, finals } = history;
  const leased = new Set(
    history.writes.flatMap(({ instanceId, effect, outcome }) =>
      effect?.kind === 'put' && effect.mayExpire && outcome !== 'rejected'
        ? [`${instanceId} ${effect.mark} `]
        : [],
    ),
  );
  const there = [...(finals[0]?.instances ?? [])].some(([id, content]) =>
    leased.has(`${id} ${content.split(' ')[4]} `),
  );
  if (leases?.stable === undefined || !there) return undefined;
  const { fromMs } = leases.stable;
  return { ...history, leases: { ...leases, stable: { fromMs, toMs: fromMs + 10_000 } } };
}

export const mutations: readonly Mutation[] = [
  {
    name: 'a message is lost',
    guarantee: 'G5',
    mutate: retold(standsAlone, (all, at) => all.toSpliced(at, 1)),
  },
  {
    name: 'a message comes twice',
    guarantee: 'G5',
    mutate: retold(
      (all, at) => (all[at]?.changes.length ?? 0) > 0,
      (all, at) => all.toSpliced(at, 0, ...all.slice(at, at + 1)),
    ),
  },
  {
    name: 'two messages change places',
    guarantee: 'G5',
    mutate: retold(standsAlone, (all, at) => [
      ...all.slice(0, at),
      ...all.slice(at, at + 2).toReversed(),
      ...all.slice(at + 2),
    ]),
  },
  {
    name: 'a message tells of another content',
    guarantee: 'G5',
    mutate: retold(
      (all, at) => onlyOf(all, at)?.kind === 'put',
      (all, at) =>
        all.map((one, position) =>
          position === at
            ? { ...one, changes: one.changes.map((change) => ({ ...change, content: 'no' })) }
            : one,
        ),
    ),
  },
  {
    name: 'a stream ends early',
    guarantee: 'G6',
    mutate: retold(
      (all, at) => all.length > 2 && isLast(all, at),
      (all) => all.slice(0, -1),
    ),
  },
  {
    name: 'an acknowledged write names another revision',
    guarantee: 'G1',
    mutate: rewritten(tookEffect, ({ revision }) => ({ revision: revision - 1 })),
  },
  {
    name: 'a write that took effect was rejected',
    guarantee: 'G3',
    mutate: rewritten(tookEffect, () => ({ outcome: 'rejected', changed: false, revision: 0 })),
  },
  {
    name: 'a repeated request gets another answer',
    guarantee: 'G4',
    mutate: rewritten(tookEffect, ({ answers = [] }) => ({ answers: [...answers, 'other', 'x'] })),
  },
  {
    name: 'a write acts on another generation than it named',
    guarantee: 'G10',
    mutate: rewritten(
      (write) => tookEffect(write) && write.generation !== undefined,
      ({ generation = 0 }) => ({ generation: generation + 1 }),
    ),
  },
  {
    name: 'a read misses an instance',
    guarantee: 'G2',
    mutate: reread(ofAll, ({ instances }) => ({ instances: withoutFirst(instances) })),
  },
  {
    name: 'a linearizable read is as old as the hills',
    guarantee: 'G2',
    mutate: reread(
      ({ consistency, revision }) => consistency === 'linearizable' && revision > 40,
      () => ({ revision: 0, minRevision: 0, instances: new Map() }),
    ),
  },
  {
    name: 'a value that was never written is read',
    guarantee: 'G2',
    mutate: reread(
      (read) => ofAll(read) && read.consistency === 'linearizable' && read.values.size > 0,
      ({ values }) => ({
        values: new Map([...values].map(([id]) => [id, 'never serving'] as const)),
      }),
    ),
  },
  {
    name: 'a session goes back',
    guarantee: 'G11',
    mutate: reread(
      () => true,
      ({ revision }) => ({ minRevision: revision + 1 }),
    ),
  },
  {
    name: 'a node ends without an instance',
    guarantee: 'G12',
    mutate: (history) => {
      const [first, ...others] = history.finals;
      if (first === undefined || first.instances.size === 0) return undefined;
      const finals = [{ ...first, instances: withoutFirst(first.instances) }, ...others];
      return { ...history, finals };
    },
  },
  { name: 'an instance is expired early', guarantee: 'G7', mutate: expireEarly },
  { name: 'a silent instance stays', guarantee: 'G8', mutate: staySilent },
  { name: 'an instance is expired although it was kept', guarantee: 'G9', mutate: claimKept },
];
