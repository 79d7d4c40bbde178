// A run's directory without a run: a true history of the model with faults, leaders and fail-over gaps laid over it. For tests of
// the verdict and the report, and to measure both on a history as long as wanted.
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { seededRandom, type Random } from '../../../src/lib/random.ts';
import type { History } from '../../checkers/history.ts';
import { modelHistory } from '../../checkers/model-history.ts';
import type { ClientEvent } from '../clients/event.ts';
import type { FaultKind } from '../faults/fault.ts';
import {
  historySuffix,
  runFile,
  type FaultRecord,
  type RunRecord,
  type Sight,
} from './evidence.ts';

export interface SyntheticOptions {
  /** Made where it is missing. */
  readonly directory: string;
  readonly seed: number;
  readonly seconds: number;
  /** Operations, of which three in ten read. */
  readonly operationsPerSecond: number;
  readonly watchers: number;
  readonly instances: number;
  readonly faultEveryMs: number;
}

const BEGAN_MS = 100;
const SIGHT_EVERY_MS = 100;
const NODES = ['n1', 'n2', 'n3'];

interface Script {
  readonly kind: FaultKind;
  readonly gap: FaultRecord['gap'];
  /** How long nobody answers, on average. */
  readonly silenceMs: number;
  readonly lastsMs: number;
  readonly what: (node: string) => string;
}

const scripts: readonly Script[] = [
  {
    kind: 'killLeader',
    gap: 'kill',
    silenceMs: 120,
    lastsMs: 1500,
    what: (n) => `kill -9 of ${n}, the leader`,
  },
  {
    kind: 'killFollower',
    gap: undefined,
    silenceMs: 0,
    lastsMs: 1200,
    what: (n) => `kill -9 of ${n}, a follower`,
  },
  {
    kind: 'pauseLeader',
    gap: 'pause',
    silenceMs: 600,
    lastsMs: 2500,
    what: (n) => `SIGSTOP of ${n}, the leader`,
  },
  {
    kind: 'isolateLeader',
    gap: 'partition',
    silenceMs: 700,
    lastsMs: 3000,
    what: (n) => `${n}, the leader, cut off from all others`,
  },
  {
    kind: 'slowDisk',
    gap: undefined,
    silenceMs: 0,
    lastsMs: 2500,
    what: (n) => `each synced write of ${n} waits 40 ms more`,
  },
  {
    kind: 'powerCutAll',
    gap: 'powerCutAll',
    silenceMs: 2000,
    lastsMs: 1500,
    what: () => 'power cut of all nodes',
  },
  {
    kind: 'herd',
    gap: undefined,
    silenceMs: 0,
    lastsMs: 300,
    what: () => '200 readers connect at once',
  },
];

export async function writeSyntheticRun(options: SyntheticOptions): Promise<RunRecord> {
  const { directory, seed, seconds, operationsPerSecond, instances, watchers } = options;
  const random = seededRandom(seed);
  const endMs = BEGAN_MS + seconds * 1000;
  const { faults, silences } = scheduleOf(options, random, endMs);
  const history = modelHistory({
    seed,
    operations: Number.POSITIVE_INFINITY,
    endMs,
    instances,
    watchers,
    stepMs: 1000 / operationsPerSecond,
    readShare: 0.3,
    deaths: false,
    silences,
  });
  const run = recordOf(options, history, faults, endMs);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, runFile), `${JSON.stringify(run)}\n`);
  await write(join(directory, `writers${historySuffix}`), writerEvents(history));
  await write(join(directory, `readers${historySuffix}`), readerEvents(history, faults));
  return run;
}

function scheduleOf(
  { faultEveryMs }: SyntheticOptions,
  random: Random,
  endMs: number,
): {
  readonly faults: readonly FaultRecord[];
  readonly silences: readonly { readonly fromMs: number; readonly toMs: number }[];
} {
  const faults: FaultRecord[] = [];
  const silences: { fromMs: number; toMs: number }[] = [];
  for (let at = 0; ; at++) {
    const atMs = BEGAN_MS + (at + 0.5) * faultEveryMs;
    const script = scripts[at % scripts.length];
    if (script === undefined || atMs + 6000 > endMs) return { faults, silences };
    const { kind, gap, silenceMs, lastsMs, what } = script;
    const node = NODES[random.integer(0, NODES.length)] ?? 'n1';
    const nodes = kind === 'herd' ? [] : kind === 'powerCutAll' ? NODES : [node];
    const effect = kind === 'herd' ? '200 of 200 answered' : `seen at ${nodes.join(', ')}`;
    faults.push({ kind, what: what(node), nodes, atMs, healedAtMs: atMs + lastsMs, gap, effect });
    if (silenceMs > 0) {
      silences.push({ fromMs: atMs, toMs: atMs + silenceMs * (0.6 + random.next() * 0.9) });
    }
  }
}

function recordOf(
  { seed, directory, seconds }: SyntheticOptions,
  history: History,
  faults: readonly FaultRecord[],
  endMs: number,
): RunRecord {
  return {
    seed,
    nodes: NODES.length,
    kinds: scripts.map(({ kind }) => kind),
    skipped: [{ kind: 'wallClock', reason: 'gcc is not installed, which compiles the shim' }],
    beganAtMs: BEGAN_MS,
    healedAtMs: endMs,
    endedAtMs: endMs + 4000,
    stable: { fromMs: endMs, toMs: endMs + 100 },
    faults,
    sights: sightsOf(faults, endMs + 4000),
    broken: [],
    finals: history.finals.map((one) => ({ ...one, instances: [...one.instances] })),
    hashes: Object.fromEntries(NODES.map((node) => [node, '5eed5eed'])),
    replay: `npm run chaos -- --seed ${seed} --minutes ${seconds / 60} --keep ${directory}`,
  };
}

/** A leader for each term; a fault that may stop writes begins one. */
function sightsOf(faults: readonly FaultRecord[], endMs: number): readonly Sight[] {
  const sights: Sight[] = [];
  const changes = faults.filter(({ gap }) => gap !== undefined);
  for (let atMs = BEGAN_MS; atMs < endMs; atMs += SIGHT_EVERY_MS) {
    const term = 2 + changes.filter((change) => change.atMs + 150 < atMs).length;
    const leader = NODES[term % NODES.length] ?? 'n1';
    const active = faults.filter((fault) => fault.atMs <= atMs && atMs < fault.healedAtMs);
    for (const node of NODES) {
      const away = active.some(({ kind, nodes }) => awayFrom.has(kind) && nodes.includes(node));
      const role = node === leader ? 'LEADER' : 'FOLLOWER';
      const revision = Math.floor(atMs / 5);
      sights.push(away ? { atMs, node } : { atMs, node, term, role, leader, revision });
    }
  }
  return sights;
}

const awayFrom: ReadonlySet<FaultKind> = new Set([
  'killLeader',
  'killFollower',
  'pauseLeader',
  'powerCutAll',
  'disconnectLeader',
]);

function* writerEvents({ writes, reads = [], leases }: History): Generator<ClientEvent> {
  for (const one of writes) yield { kind: 'write', client: 'writer', write: one };
  for (const read of reads) {
    const lists = { instances: [...read.instances], values: [...read.values] };
    yield { kind: 'read', read: { ...read, ...lists } };
  }
  for (const beat of leases?.beats ?? []) yield { kind: 'beat', beat };
  for (const keep of leases?.keeps ?? []) yield { kind: 'keep', keep };
}

function* readerEvents(
  { watches }: History,
  faults: readonly FaultRecord[],
): Generator<ClientEvent> {
  for (const { watcher, service, messages } of watches) {
    const opened = { kind: 'watch', watcher, atMs: BEGAN_MS } as const;
    yield service === undefined ? opened : { ...opened, service };
    for (const message of messages) yield { kind: 'message', watcher, message };
    for (const { gap, atMs } of faults) {
      if (gap === undefined) continue;
      yield { kind: 'resumed', watcher, atMs: atMs + 20, endpoint: '127.0.0.1:7400' };
    }
  }
}

async function write(file: string, events: Iterable<ClientEvent>): Promise<void> {
  await pipeline(Readable.from(piecesOf(events)), createWriteStream(file));
}

function* piecesOf(events: Iterable<ClientEvent>): Generator<string> {
  let piece = '';
  for (const event of events) {
    piece += `${JSON.stringify(event)}\n`;
    if (piece.length < 1 << 20) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}
