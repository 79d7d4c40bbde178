// Everything a run does, as data: drawn from the seed before it begins, so that it can be cut down action by action and
// kept as a file. Nodes may be named 'leader', which is whoever leads at that moment.
import { type Random, seededRandom } from '../../src/lib/random.ts';
import type { Consistency } from '../../src/node/registry-node.ts';
import type { Lifecycle } from '../../src/registry/index.ts';
import type { NamedGeneration } from '../support/known-generations.ts';
import type { WriteAction } from '../support/write-action.ts';
import { drawDamages } from './damage-plan.ts';
import { drawFault, drawHeldNotes, drawShortage, type FaultAction } from './fault-plan.ts';
import type { Operation } from './operator.ts';
import { drawParameters, type Parameters } from './parameters.ts';

/** To whom a keeper sends: all nodes, any one each time, or only the one that led when it began. */
export type KeepTarget = 'all' | 'any' | 'leader';

type ClientAction =
  | WriteAction
  /** Registers once more what was acknowledged last. */
  | { readonly kind: 'registerAgain'; readonly id: string }
  | { readonly kind: 'beat'; readonly id: string; readonly generation: NamedGeneration }
  /** Heartbeats until `forMs` have passed; then silence. */
  | {
      readonly kind: 'keep';
      readonly id: string;
      readonly to: KeepTarget;
      readonly forMs: number;
    }
  /** A service as it should be: registers, keeps itself registered, and falls silent. */
  | {
      readonly kind: 'serve';
      readonly id: string;
      readonly service: string;
      readonly ttlMs: number;
      readonly to: KeepTarget;
      readonly forMs: number;
    }
  | { readonly kind: 'get'; readonly id: string; readonly consistency: Consistency }
  | { readonly kind: 'list'; readonly service: string; readonly consistency: Consistency }
  | { readonly kind: 'walk'; readonly pageSize: number }
  /** A reader until the end, of everything or of one service; a slow one takes its messages with pauses of up to `slowMs`. */
  | { readonly kind: 'watch'; readonly slowMs: number; readonly service: string };

export interface Planned {
  readonly atMs: number;
  /** Names what the action writes, and seeds what it draws. */
  readonly number: number;
  /** '' for a fault. */
  readonly client: string;
  readonly action:
    | ClientAction
    | { readonly kind: 'fault'; readonly fault: FaultAction }
    | { readonly kind: 'operate'; readonly operation: Operation };
}

export interface Plan {
  readonly seed: number;
  readonly parameters: Parameters;
  readonly actions: readonly Planned[];
}

const CLIENTS = ['a', 'b', 'c', 'd', 'e'];
/** Fought over, and never silent for long enough. */
const CONTENDED = ['c1', 'c2', 'c3'];
const LEASED = ['t1', 't2', 't3', 't4', 't5', 't6'];
/** Left alone by the other writers, so that only silence ends them. */
const SERVED = ['s1', 's2', 's3', 's4'];
const BATCHED = ['b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7', 'b8'];
const SERVICES = ['orders', 'payments'];
const LONG_TTL_MS = 3_600_000;
const LEASES_MS = [800, 1200, 2000];

function pick<T>(random: Random, choices: readonly [T, ...T[]] | readonly T[]): T {
  const chosen = choices[random.integer(0, choices.length)];
  if (chosen === undefined) throw new Error('nothing to choose from');
  return chosen;
}

export function drawPlan(seed: number, chaosMs: number): Plan {
  const parameters = drawParameters(seed, chaosMs);
  const random = seededRandom(seed ^ 0x2545f491);
  const actions: Planned[] = [];
  const add = (atMs: number, client: string, action: Planned['action']): void => {
    actions.push({ atMs: Math.round(atMs), number: actions.length, client, action });
  };
  for (const [position] of parameters.nodes.entries()) {
    add(0, `w${position}`, { kind: 'watch', slowMs: 0, service: '' });
  }
  add(200, 'slow', { kind: 'watch', slowMs: 400, service: '' });
  add(100, 'some', { kind: 'watch', slowMs: random.integer(0, 2) * 50, service: 'orders' });
  const betweenMs = 1000 / parameters.operationsPerSecond;
  for (let atMs = 100; atMs < chaosMs; atMs += betweenMs * 2 * random.next()) {
    add(atMs, pick(random, CLIENTS), drawCall(random));
  }
  const restMs = 1000 / parameters.faultsPerSecond;
  if (parameters.faults.length > 0) {
    for (let atMs = 300; atMs < chaosMs - 300; atMs += restMs * 2 * random.next()) {
      add(atMs, '', { kind: 'fault', fault: drawFault(random, parameters) });
    }
  }
  const operationMs = 1000 / parameters.operationsOfOperatorPerSecond;
  if (parameters.operations.length > 0) {
    for (let atMs = 800; atMs < chaosMs - 300; atMs += operationMs * 2 * random.next()) {
      add(atMs, 'oper', { kind: 'operate', operation: drawOperation(random, parameters) });
    }
  }
  const shortage = drawShortage(seed, parameters);
  if (shortage !== undefined) add(shortage.atMs, '', { kind: 'fault', fault: shortage.fault });
  for (const { atMs, damage } of drawDamages(seed, parameters)) {
    add(atMs, '', { kind: 'fault', fault: damage });
  }
  for (const { atMs, fault } of drawHeldNotes(seed, parameters)) {
    add(atMs, '', { kind: 'fault', fault });
  }
  return { seed, parameters, actions: actions.toSorted((a, b) => a.atMs - b.atMs) };
}

const weights: readonly (readonly [number, (random: Random) => ClientAction])[] = [
  [5, (random) => drawRegister(random, [pick(random, CONTENDED)], LONG_TTL_MS)],
  [4, (random) => drawRegister(random, [pick(random, LEASED)], pick(random, LEASES_MS))],
  [2, (random) => drawRegister(random, drawBatch(random), LONG_TTL_MS)],
  [3, drawDeregister],
  [2, drawStatus],
  [1, (random) => ({ kind: 'registerAgain', id: pick(random, [...CONTENDED, ...LEASED]) })],
  [2, (random) => ({ kind: 'beat', id: anyId(random), generation: drawGeneration(random) })],
  [2, drawKeep],
  [2, drawServe],
  [5, (random) => ({ kind: 'get', id: pick(random, CONTENDED), consistency: drawLevel(random) })],
  [3, (random) => ({ kind: 'list', service: drawService(random), consistency: drawLevel(random) })],
  [1, (random) => ({ kind: 'walk', pageSize: random.integer(1, 4) })],
];
const totalWeight = weights.reduce((sum, [weight]) => sum + weight, 0);

function drawCall(random: Random): ClientAction {
  let left = random.next() * totalWeight;
  for (const [weight, draw] of weights) {
    left -= weight;
    if (left < 0) return draw(random);
  }
  return { kind: 'list', service: '', consistency: 'linearizable' };
}

function drawOperation(random: Random, { operations, nodes, spares }: Parameters): Operation {
  const kind = pick(random, operations);
  const lingersMs = random.next() < 0.5 ? random.integer(0, 3000) : undefined;
  const member = random.next() < 0.4 ? 'leader' : pick(random, [...nodes, ...spares]);
  const spare = random.next() < 0.8 ? pick(random, spares) : pick(random, nodes);
  const node = kind === 'join' ? spare : kind === 'transfer' && member === 'leader' ? '' : member;
  return { kind, node, lingersMs };
}

const anyId = (random: Random): string => pick(random, [...CONTENDED, ...LEASED, ...BATCHED]);
const drawService = (random: Random): string => pick(random, ['', ...SERVICES]);
const drawRetries = (random: Random): boolean => random.next() < 0.6;

function drawGeneration(random: Random): NamedGeneration {
  return pick(random, ['any', 'any', 'current', 'stale']);
}

function drawLevel(random: Random): Consistency {
  return pick(random, ['linearizable', 'linearizable', 'linearizable', 'bounded', 'stale']);
}

function drawBatch(random: Random): readonly string[] {
  const left = [...BATCHED];
  return Array.from({ length: random.integer(2, 5) }, () =>
    left.splice(random.integer(0, left.length), 1),
  ).flat();
}

function drawRegister(random: Random, ids: readonly string[], ttlMs: number): ClientAction {
  const service = pick(random, SERVICES);
  const generation = ids.length === 1 && random.next() < 0.2 ? drawGeneration(random) : 'any';
  return { kind: 'register', ids, service, ttlMs, generation, retries: drawRetries(random) };
}

const drawTarget = (random: Random): KeepTarget =>
  pick(random, ['all', 'all', 'any', 'leader', 'leader']);

function drawKeep(random: Random): ClientAction {
  const to = drawTarget(random);
  return { kind: 'keep', id: pick(random, LEASED), to, forMs: random.integer(500, 4000) };
}

function drawServe(random: Random): ClientAction {
  return {
    kind: 'serve',
    id: pick(random, SERVED),
    service: pick(random, SERVICES),
    ttlMs: pick(random, LEASES_MS),
    to: drawTarget(random),
    forMs: random.integer(500, 6000),
  };
}

function drawDeregister(random: Random): ClientAction {
  const generation = drawGeneration(random);
  return { kind: 'deregister', id: anyId(random), generation, retries: drawRetries(random) };
}

function drawStatus(random: Random): ClientAction {
  const maintains = random.next() < 0.4;
  const lifecycle = pick<Lifecycle>(random, ['serving', 'starting', 'draining']);
  return {
    kind: 'setStatus',
    id: anyId(random),
    generation: drawGeneration(random),
    lifecycle: maintains ? undefined : lifecycle,
    maintenance: maintains ? random.next() < 0.6 : undefined,
    retries: drawRetries(random),
  };
}
