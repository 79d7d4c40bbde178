// The faults a run can meet, as data, and how they are drawn.
import { type Random, seededRandom } from '../../src/lib/random.ts';
import type { DamageAction } from './damage-plan.ts';
import type { FaultKind, Parameters } from './parameters.ts';

export type FaultAction =
  | DamageAction
  /** kill -9, or the plug pulled out of the machine if `power`. */
  | {
      readonly kind: 'crash';
      readonly node: string;
      readonly power: boolean;
      /** Not at once, but in the middle of its next write. */
      readonly inWrite: boolean;
      readonly downMs: number;
    }
  | { readonly kind: 'crashAll'; readonly power: boolean; readonly downMs: number }
  /** SIGTERM. */
  | { readonly kind: 'stop'; readonly node: string; readonly downMs: number }
  /** SIGSTOP and SIGCONT. */
  | { readonly kind: 'pause'; readonly node: string; readonly forMs: number }
  | { readonly kind: 'wallJump'; readonly node: string; readonly byMs: number }
  /** Nothing passes from `from` to `to`, nor back if `bothWays`. */
  | {
      readonly kind: 'cut';
      readonly from: string;
      readonly to: readonly string[];
      readonly bothWays: boolean;
      readonly forMs: number;
    }
  | {
      readonly kind: 'flap';
      readonly node: string;
      readonly times: number;
      readonly everyMs: number;
    }
  | {
      readonly kind: 'slowLink';
      readonly from: string;
      readonly to: string;
      readonly by: number;
      readonly forMs: number;
    }
  | { readonly kind: 'reset'; readonly from: string; readonly to: string }
  /** Its calls wait; if `dies`, so does the process before they are done. */
  | {
      readonly kind: 'diskStall';
      readonly node: string;
      readonly forMs: number;
      readonly dies: boolean;
    }
  | { readonly kind: 'diskError'; readonly node: string; readonly what: 'write' | 'read' | 'state' }
  /** An empty disk in the place of the old one; at most one a run, because nothing replaces a member yet. */
  | { readonly kind: 'wipe'; readonly node: string; readonly downMs: number }
  /** The state store is found damaged after a crash. */
  | { readonly kind: 'discardState'; readonly node: string; readonly downMs: number }
  /** Every process stands still, as when the host of all of them is suspended. */
  | { readonly kind: 'pauseAll'; readonly forMs: number }
  /** Two sides that do not hear each other; `node`, if it is not '', hears both. */
  | {
      readonly kind: 'split';
      readonly side: readonly string[];
      readonly node: string;
      readonly forMs: number;
    }
  /** Whoever leads is taken away for a short while, several times over: each leaves something in its log that nobody else has. */
  | {
      readonly kind: 'dethrone';
      readonly how: 'cut' | 'crash' | 'pause';
      readonly times: number;
      readonly forMs: number;
      readonly everyMs: number;
    }
  /** Rot in the log, found at the next start or when the entry is read. */
  | { readonly kind: 'flipBit'; readonly node: string; readonly downMs: number }
  /** The next pulls of a snapshot lose their stream in the middle, or one of their two ends. */
  | {
      readonly kind: 'breakPull';
      readonly how: 'reset' | 'crashSource' | 'crashPuller';
      readonly times: number;
      readonly afterMs: number;
    }
  /** The next data-dirs that are to say that they belong to the cluster cannot write it for so long. The process may die meanwhile; its
   * log and its state may be gone then. */
  | {
      readonly kind: 'holdNote';
      readonly forMs: number;
      readonly ends: 'well' | 'crash' | 'loss';
      readonly downMs: number;
    }
  /** Nothing that needs new space can be written, on this node, and on so many others. */
  | {
      readonly kind: 'fullDisk';
      readonly node: string;
      readonly forMs: number;
      readonly others?: readonly string[];
    };

export function drawFault(random: Random, { faults, nodes }: Parameters): FaultAction {
  const kind: FaultKind = faults[random.integer(0, faults.length)] ?? 'crash';
  return drawOfKind(random, kind, nodes);
}

/** In some seeds most disks fill up early, and stay full for longer than it takes everybody to know. A generator of its own: the other
 * faults are what they would be without it. */
export function drawShortage(
  seed: number,
  { nodes }: Parameters,
): { readonly atMs: number; readonly fault: FaultAction } | undefined {
  const random = seededRandom(seed ^ 0x7f4a7c15);
  if (random.next() > 0.12) return undefined;
  const others = nodes.filter(() => random.next() < 0.8);
  const forMs = random.integer(3500, 5000);
  const fault = { kind: 'fullDisk', node: 'leader', forMs, others } as const;
  return { atMs: random.integer(600, 2500), fault };
}

/** In some seeds identity.json is slow to be written by whoever becomes a member; there again with a generator of its own. */
export function drawHeldNotes(
  seed: number,
  { chaosMs, faults }: Parameters,
): readonly { readonly atMs: number; readonly fault: FaultAction }[] {
  const random = seededRandom(seed ^ 0x2c1b3c6d);
  if (random.next() > 0.5 || faults.length === 0) return [];
  return Array.from({ length: random.integer(2, 6) }, () => {
    const ends = (['well', 'crash', 'loss', 'loss'] as const)[random.integer(0, 4)] ?? 'well';
    const atMs = random.integer(300, Math.ceil(chaosMs / 2));
    const forMs = someMs(random, 3000);
    return { atMs, fault: { kind: 'holdNote', forMs, ends, downMs: someMs(random, 500) } };
  });
}

/** Whom a fault strikes. */
interface Target {
  readonly node: string;
  readonly nodes: readonly string[];
  readonly anyNode: () => string;
}

function drawOfKind(random: Random, kind: FaultKind, nodes: readonly string[]): FaultAction {
  const anyNode = (): string => nodes[random.integer(0, nodes.length)] ?? 'leader';
  const node = random.next() < 0.5 ? 'leader' : anyNode();
  const target = { node, nodes, anyNode };
  switch (kind) {
    case 'crash':
    case 'power':
    case 'stop':
    case 'pause':
    case 'pauseAll':
    case 'wallJump':
      return drawOfProcess(random, kind, target);
    case 'cut':
    case 'oneWayCut':
    case 'isolate':
    case 'bridge':
    case 'split':
    case 'flap':
    case 'slowLink':
    case 'reset':
      return drawOfNetwork(random, kind, target);
    case 'diskStall':
    case 'diskError':
    case 'wipe':
    case 'flipBit':
    case 'fullDisk':
    case 'stateDiscarded':
      return drawOfDisk(random, kind, target);
    case 'dethrone':
      return drawDethrone(random);
    case 'breakPull': {
      const how = (['reset', 'reset', 'crashSource', 'crashPuller'] as const)[random.integer(0, 4)];
      const times = random.integer(1, 4);
      return { kind, how: how ?? 'reset', times, afterMs: Math.round(60 * random.next() ** 2) };
    }
  }
}

/** Mostly short. */
const someMs = (random: Random, mostMs: number): number =>
  Math.round(20 + mostMs * random.next() ** 2);

function drawOfProcess(
  random: Random,
  kind: 'crash' | 'power' | 'stop' | 'pause' | 'pauseAll' | 'wallJump',
  { node }: Target,
): FaultAction {
  switch (kind) {
    case 'crash':
    case 'power': {
      const power = kind === 'power';
      if (random.next() < 0.15) return { kind: 'crashAll', power, downMs: someMs(random, 1000) };
      const inWrite = random.next() < 0.6;
      return { kind: 'crash', node, power, inWrite, downMs: someMs(random, 3000) };
    }
    case 'stop':
      return { kind, node, downMs: someMs(random, 1500) };
    case 'pause':
      return { kind, node, forMs: someMs(random, 2500) };
    case 'pauseAll':
      return { kind, forMs: someMs(random, 3000) };
    case 'wallJump':
      return { kind, node, byMs: random.integer(-100_000, 100_000) };
  }
}

function drawOfNetwork(
  random: Random,
  kind: 'cut' | 'oneWayCut' | 'isolate' | 'bridge' | 'split' | 'flap' | 'slowLink' | 'reset',
  { node, nodes, anyNode }: Target,
): FaultAction {
  const others = nodes.filter((other) => other !== node);
  switch (kind) {
    case 'cut': {
      const to = others.filter(() => random.next() < 0.5);
      return { kind: 'cut', from: node, to, bothWays: true, forMs: someMs(random, 3000) };
    }
    case 'oneWayCut': {
      const to = others.filter(() => random.next() < 0.7);
      return { kind: 'cut', from: node, to, bothWays: false, forMs: someMs(random, 3000) };
    }
    case 'isolate':
      return { kind: 'cut', from: node, to: others, bothWays: true, forMs: someMs(random, 3000) };
    case 'bridge':
    case 'split': {
      const side = nodes.filter(() => random.next() < 0.5);
      const bridge = kind === 'bridge' ? node : '';
      return { kind: 'split', side, node: bridge, forMs: someMs(random, 3000) };
    }
    case 'flap':
      return { kind, node, times: random.integer(2, 6), everyMs: random.integer(50, 500) };
    case 'slowLink': {
      const from = anyNode();
      const to = anyNode();
      return { kind, from, to, by: random.integer(5, 60), forMs: someMs(random, 3000) };
    }
    case 'reset':
      return { kind, from: node, to: anyNode() };
  }
}

function drawOfDisk(
  random: Random,
  kind: 'diskStall' | 'diskError' | 'wipe' | 'flipBit' | 'fullDisk' | 'stateDiscarded',
  { node, nodes }: Target,
): FaultAction {
  switch (kind) {
    case 'diskStall':
      return { kind, node, forMs: someMs(random, 1500), dies: random.next() < 0.4 };
    case 'diskError': {
      const what = (['write', 'write', 'read', 'state'] as const)[random.integer(0, 4)] ?? 'write';
      return { kind, node, what };
    }
    case 'wipe':
    case 'flipBit':
      return { kind, node, downMs: someMs(random, 800) };
    case 'stateDiscarded':
      return { kind: 'discardState', node, downMs: someMs(random, 800) };
    case 'fullDisk': {
      if (random.next() < 0.5) return { kind, node, forMs: 1000 + someMs(random, 4000) };
      // Disks fill alike; for longer than it takes to see it and to tell the others.
      const forMs = 2000 + someMs(random, 4000);
      const others = nodes.filter((other) => other !== node && random.next() < 0.7);
      return { kind, node, forMs, others };
    }
  }
}

/** About as long as an election takes, so that some are taken away before they have committed anything in their term. */
function drawDethrone(random: Random): FaultAction {
  const how = (['cut', 'cut', 'crash', 'pause'] as const)[random.integer(0, 4)] ?? 'cut';
  const times = random.integer(2, 6);
  return {
    kind: 'dethrone',
    how,
    times,
    forMs: random.integer(250, 1200),
    everyMs: random.integer(300, 1300),
  };
}
