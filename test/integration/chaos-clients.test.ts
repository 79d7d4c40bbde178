// The clients of a chaos run against three real server processes whose leader is killed: what they write down must pass every
// checker as it is, and must not pass once a single event of it is untrue.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { ClientParty } from '../chaos/clients/client-party.ts';
import type { ClientEvent, ClientProgress } from '../chaos/clients/event.ts';
import { readEvents } from '../chaos/clients/read-events.ts';
import { historySuffix, runFile, type RunRecord } from '../chaos/verdict/evidence.ts';
import { historyOf } from '../chaos/verdict/judge.ts';
import { loadHistory } from '../chaos/verdict/load-history.ts';
import { checkHistory } from '../checkers/check-history.ts';
import { finalList } from '../cluster/final-list.ts';
import { monotonicMs } from '../support/monotonic-clock.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessCluster } from '../support/process-cluster.ts';

/** The longest TTL of a silent instance, its grace, and some room. */
const SILENCE_MS = 3800;

let directory = '';
let events: readonly ClientEvent[] = [];
let run: RunRecord;
let witnessesOf: ReadonlyMap<number, ReadonlySet<string>>;

/** For so long the thread of the clients does nothing at all. */
function block(forMs: number): void {
  const untilMs = monotonicMs() + forMs;
  while (monotonicMs() < untilMs);
}

const nobody = {
  writers: 0,
  keepers: 0,
  silent: 0,
  sessions: 0,
  walkers: 0,
  watchers: 0,
  stuckWatchers: 0,
};
const readers = { ...nobody, walkers: 1, watchers: 4, stuckWatchers: 1 };
const writers = { ...nobody, writers: 4, keepers: 3, silent: 1, sessions: 3 };

async function disturb(cluster: ProcessCluster, party: ClientParty, more: More): Promise<void> {
  await more(60, 'writes before the kill');
  block(800);
  const leader = await cluster.waitForLeader();
  await leader.kill('SIGKILL');
  await more(40, 'writes without the node that led');
  leader.start();
  await party.obey({ kind: 'herd', count: 20 });
  await more(60, 'writes after the kill');
}

type More = (count: number, what: string) => Promise<void>;

async function record(cluster: ProcessCluster): Promise<RunRecord> {
  const progress = new Map<string, ClientProgress>();
  const begin = (name: string, seed: number, play: typeof nobody): Promise<ClientParty> => {
    const history = join(directory, `${name}${historySuffix}`);
    const settings = { name, seed, endpoints: cluster.endpoints, history, ...play };
    return ClientParty.begin(settings, (answer) => {
      if (answer.kind === 'progress') progress.set(name, answer);
    });
  };
  const reading = await begin('reading', 1, readers);
  const writing = await begin('writing', 2, writers);
  const acknowledged = (): number => progress.get('writing')?.acknowledged ?? 0;
  const more: More = (count, what) => {
    const from = acknowledged();
    return pollUntil(() => acknowledged() >= from + count, { what, timeoutMs: 40_000 });
  };
  const beganAtMs = monotonicMs();
  await disturb(cluster, reading, more);
  const healedAtMs = monotonicMs();
  await cluster.waitForLeader();
  await Promise.all([writing.obey({ kind: 'settle' }), reading.obey({ kind: 'settle' })]);
  const hash = await cluster.waitForEqualHashes();
  await delay(SILENCE_MS);
  const finals = await Promise.all(
    cluster.nodes.map((node) => finalList(node.id, node.clientAddress)),
  );
  const last = Math.max(...finals.map(({ revision }) => revision));
  await pollUntil(() => (progress.get('reading')?.watchedRevision ?? 0) >= last, {
    what: 'every reader to be told all (G6)',
    timeoutMs: 10_000,
  });
  await Promise.all([writing.end(), reading.end()]);
  return {
    seed: 1,
    nodes: cluster.nodes.length,
    kinds: [],
    skipped: [],
    faults: [],
    sights: [],
    broken: [],
    replay: '',
    beganAtMs,
    healedAtMs,
    endedAtMs: monotonicMs(),
    stable: undefined,
    finals: finals.map((one) => ({ ...one, instances: [...one.instances] })),
    hashes: { all: hash },
  };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-clients-'));
  await using cluster = await ProcessCluster.start();
  run = await record(cluster);
  writeFileSync(join(directory, runFile), JSON.stringify(run));
  events = [...(await allOf('reading')), ...(await allOf('writing'))];
  witnessesOf = witnesses();
}, 120_000);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function allOf(name: string): Promise<readonly ClientEvent[]> {
  const found: ClientEvent[] = [];
  await readEvents(join(directory, `${name}${historySuffix}`), (event) => found.push(event));
  return found;
}

/** What the checkers say to these events in place of those that were recorded. */
async function verdictOn(told: readonly ClientEvent[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-altered-'));
  try {
    const lines = told.map((event) => `${JSON.stringify(event)}\n`).join('');
    writeFileSync(join(folder, `all${historySuffix}`), lines);
    writeFileSync(join(folder, runFile), JSON.stringify(run));
    const { violations, undecided } = checkHistory(historyOf(await loadHistory(folder)));
    expect(undecided).toEqual([]);
    return violations.map(({ guarantee, evidence }) => `${guarantee}: ${evidence}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Kind = ClientEvent['kind'];
type Of<K extends Kind> = Extract<ClientEvent, { readonly kind: K }>;

const ofKind = <K extends Kind>(kind: K): readonly Of<K>[] =>
  events.filter((event): event is Of<K> => event.kind === kind);

/** The events with one that fits put otherwise; undefined leaves it out. */
function altered<K extends Kind>(
  kind: K,
  fits: (event: Of<K>) => boolean,
  put: (event: Of<K>) => Of<K> | undefined,
): readonly ClientEvent[] {
  const all = ofKind(kind).filter(fits);
  const chosen = present(all[Math.floor(all.length / 2)], `an event to alter, of ${kind}`);
  return events.flatMap((event) => {
    if (event !== chosen) return [event];
    const other = put(chosen);
    return other === undefined ? [] : [other];
  });
}

describe('the clients of a chaos run', () => {
  test('write down a history in which every guarantee holds', async () => {
    expect(await verdictOn(events)).toEqual([]);
  });

  test('do all of what they are to do', () => {
    const kinds = new Set<string>(events.map(({ kind }) => kind));
    const wanted = ['write', 'read', 'beat', 'keep', 'watch', 'message', 'resumed', 'stalled'];
    expect(wanted.filter((kind) => !kinds.has(kind))).toEqual([]);
    const writes = ofKind('write').map(({ write }) => write);
    const done = new Set<string>(writes.flatMap(({ kind, outcome }) => [kind, outcome]));
    for (const what of ['register', 'deregister', 'setStatus', 'acknowledged', 'rejected']) {
      expect([...done]).toContain(what);
    }
    expect(writes.some(({ answers }) => answers?.length === 2)).toBe(true);
    expect(writes.some(({ generation = 0, changed }) => generation > 0 && changed)).toBe(true);
    const marks = writes.map(({ mark }) => mark);
    expect(new Set(marks).size).toBeLessThan(marks.length);
    const reads = ofKind('read').map(({ read }) => read);
    expect(new Set(reads.map(({ consistency }) => consistency)).size).toBe(3);
    expect(reads.some(({ client }) => client.includes('herd'))).toBe(true);
    expect(reads.some(({ client }) => client.includes('walker'))).toBe(true);
    expect(reads.some(({ minRevision }) => minRevision > 0)).toBe(true);
    const changes = ofKind('message').flatMap(({ message }) => message.changes);
    expect(changes.some(({ expired }) => expired === true)).toBe(true);
  });

  test('do not claim to have kept anybody while they themselves stood still (G9)', () => {
    const stall = present(
      ofKind('stalled').find(({ fromMs, toMs }) => toMs - fromMs > 700),
      'the pause of the clients was noticed',
    );
    const keeps = ofKind('keep').map(({ keep }) => keep);
    expect(keeps.filter(({ fromMs, toMs }) => fromMs < stall.fromMs && toMs >= stall.toMs)).toEqual(
      [],
    );
    expect(keeps.some(({ fromMs }) => fromMs >= stall.toMs)).toBe(true);
  });

  test('send to every node at least three times in a TTL while they keep (G9)', () => {
    const beats = ofKind('beat').map(({ beat }) => beat);
    for (const { instanceId, fromMs, toMs } of ofKind('keep').map(({ keep }) => keep)) {
      const sent = beats
        .filter((beat) => beat.instanceId === instanceId && beat.sentAtMs >= fromMs - 1)
        .map(({ sentAtMs }) => sentAtMs)
        .toSorted((a, b) => a - b);
      const rounds = sent.filter((_, at) => at % 3 === 2 && (sent[at] ?? 0) <= toMs + 5);
      const pauses = rounds.slice(1).map((atMs, at) => atMs - (rounds[at] ?? 0));
      expect(Math.max(0, ...pauses)).toBeLessThan(2000 / 3);
    }
  });
});

const changedWrite = ({ write }: Of<'write'>): boolean =>
  write.kind === 'register' && write.outcome === 'acknowledged' && write.changed;
/** The watchers of all services that were told each revision by itself. What nobody was told so is inferred from the rest of
 * the history, and one untrue event among so little cannot always be found. */
function witnesses(): ReadonlyMap<number, ReadonlySet<string>> {
  const last = new Map<string, number>();
  const found = new Map<number, Set<string>>();
  for (const { message, watcher } of ofKind('message')) {
    const { revision, reset, changes } = message;
    if (!reset && changes.length > 0 && last.get(watcher) === revision - 1) {
      found.set(revision, (found.get(revision) ?? new Set()).add(watcher));
    }
    last.set(watcher, revision);
  }
  return found;
}

const ENOUGH_WITNESSES = 3;
const wellTold = (revision: number): boolean =>
  (witnessesOf.get(revision)?.size ?? 0) >= ENOUGH_WITNESSES;
/** Told well, and no attempt of the same write after another. */
const toldWrite = (event: Of<'write'>): boolean =>
  changedWrite(event) &&
  wellTold(event.write.revision) &&
  ofKind('write').filter(({ write }) => write.mark === event.write.mark).length === 1;
const READER = 'reading.watcher0';
const oneChange = ({ message, watcher }: Of<'message'>): boolean =>
  watcher === READER &&
  !message.reset &&
  message.changes.length === 1 &&
  wellTold(message.revision);

/** What follows does not tell of the same instance, else the two might be one message of a reader that was behind. */
function isMissed(event: Of<'message'>): boolean {
  const told = ofKind('message').filter(({ watcher }) => watcher === READER);
  const next = told[told.indexOf(event) + 1]?.message;
  if (next === undefined || next.reset || !oneChange(event)) return false;
  const [change] = event.message.changes;
  return !next.changes.some(({ instanceId }) => instanceId === change?.instanceId);
}

describe('a history with one untrue event', () => {
  test.for([
    {
      what: 'a write that is called refused, and happened',
      guarantee: 'G3',
      told: () =>
        altered('write', toldWrite, (event) => ({
          ...event,
          write: { ...event.write, outcome: 'rejected', revision: 0, changed: false },
        })),
    },
    {
      what: 'an acknowledgement at another revision',
      guarantee: 'G1',
      told: () =>
        altered('write', toldWrite, (event) => ({
          ...event,
          write: { ...event.write, revision: event.write.revision + 1 },
        })),
    },
    {
      what: 'a second answer unlike the first',
      guarantee: 'G4',
      told: () =>
        altered(
          'write',
          ({ write }) => write.answers?.length === 2,
          (event) => ({ ...event, write: { ...event.write, answers: ['one', 'other'] } }),
        ),
    },
    {
      what: 'a message that was never told',
      guarantee: 'G5',
      told: () => altered('message', isMissed, () => undefined),
    },
    {
      what: 'a message that is told of the revision after its own',
      guarantee: 'G5',
      told: () =>
        altered('message', isMissed, (event) => ({
          ...event,
          message: { ...event.message, revision: event.message.revision + 1 },
        })),
    },
    {
      what: 'a list that lost an instance',
      guarantee: 'G2',
      told: () =>
        altered(
          'read',
          ({ read }) => read.instances.length > 1 && wellTold(read.revision),
          (event) => ({
            ...event,
            read: { ...event.read, instances: event.read.instances.slice(1) },
          }),
        ),
    },
    {
      what: 'an answer older than its client demands',
      guarantee: 'G11',
      told: () =>
        altered(
          'read',
          ({ read }) => read.minRevision > 0,
          (event) => ({
            ...event,
            read: { ...event.read, minRevision: event.read.revision + 1 },
          }),
        ),
    },
    {
      what: 'a keeper who never stopped, of an instance that expired',
      guarantee: 'G9',
      told: () => {
        const gone = ofKind('message').flatMap(({ message }) => message.changes);
        const expired = new Set(gone.filter((one) => one.expired).map((one) => one.instanceId));
        return altered(
          'keep',
          ({ keep }) => expired.has(keep.instanceId),
          (event) => ({ ...event, keep: { ...event.keep, toMs: event.keep.toMs + 60_000 } }),
        );
      },
    },
  ] as const)('is found: $what ($guarantee)', async ({ guarantee, told }) => {
    const found = await verdictOn(told());
    expect(found.map((violation) => violation.split(':')[0])).toContain(guarantee);
  });

  test('is told to be incomplete where its last line was cut short', async () => {
    const file = join(directory, `writing${historySuffix}`);
    const cut = join(directory, 'cut.jsonl');
    writeFileSync(cut, readFileSync(file, 'utf8').slice(0, -20));
    const whole = await readEvents(file, () => undefined);
    const end = await readEvents(cut, (event) => expect(event.kind).toBeTypeOf('string'));
    expect(end).toEqual({ lines: whole.lines - 1, cutShort: true });
  });
});
