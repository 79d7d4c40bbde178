// What a seed draws before anything runs (swarm testing): which kinds of fault there are, how fast things are, and limits
// small enough that rare paths are common. Two seeds differ in kind, not only in timing.
import { type Random, seededRandom } from '../../src/lib/random.ts';
import type { NodeLimits, RaftLimits, RetentionLimits } from '../../src/node/registry-node.ts';
import type { NetworkParameters } from './network.ts';

/** One switch for each kind of fault. */
const faultKinds = [
  'crash',
  'power',
  'stop',
  'pause',
  'wallJump',
  'cut',
  'oneWayCut',
  'isolate',
  'flap',
  'slowLink',
  'reset',
  'diskStall',
  'diskError',
  'stateDiscarded',
  'wipe',
  'pauseAll',
  'bridge',
  'split',
  'dethrone',
  'flipBit',
  'fullDisk',
  'breakPull',
] as const;
export type FaultKind = (typeof faultKinds)[number];

const operationKinds = ['join', 'promote', 'remove', 'replace', 'transfer'] as const;
export type OperationKind = (typeof operationKinds)[number];

export interface Parameters {
  readonly nodes: readonly string[];
  /** Machines that are no members, and may join. */
  readonly spares: readonly string[];
  /** Simulated milliseconds of faults and client operations. */
  readonly chaosMs: number;
  readonly operationsPerSecond: number;
  readonly faultsPerSecond: number;
  readonly faults: readonly FaultKind[];
  readonly network: NetworkParameters;
  readonly writeMs: number;
  readonly segmentBytes: number;
  readonly maxFrameBytes: number;
  readonly stateWriteMs: number;
  readonly limits: NodeLimits & { readonly mergeBehind: number; readonly messageBytes: number };
  readonly raftLimits: Partial<RaftLimits>;
  readonly retention: Partial<RetentionLimits>;
  /** What an operator does meanwhile. */
  readonly operations: readonly OperationKind[];
  readonly operationsOfOperatorPerSecond: number;
  /** Clock rates differ from 1 by at most this. */
  readonly maxDrift: number;
}

function pick<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[random.integer(0, choices.length)] ?? choices[0];
}

export function drawParameters(seed: number, chaosMs: number): Parameters {
  const random = seededRandom(seed ^ 0x51ed270b);
  const count = random.next() < 0.7 ? 3 : 5;
  const share = random.next() * 0.6;
  const calm = random.next() < 0.1;
  // A third of the clusters are left as they are.
  const operated = random.next() < 0.33 ? 0 : 0.3 + 0.7 * random.next();
  return {
    nodes: Array.from({ length: count }, (_, position) => `n${position + 1}`),
    spares: [`n${count + 1}`, `n${count + 2}`],
    chaosMs,
    operationsPerSecond: pick(random, [10, 20, 20, 40]),
    faultsPerSecond: pick(random, [0.5, 1.5, 3]),
    faults: calm ? [] : faultKinds.filter(() => random.next() < 0.3 + share),
    network: drawNetwork(random),
    writeMs: pick(random, [0.3, 1, 5]),
    segmentBytes: pick(random, [8 << 10, 16 << 10, 64 << 10]),
    maxFrameBytes: pick(random, [1 << 10, 4 << 10, 1 << 20]),
    stateWriteMs: pick(random, [1, 10, 100]),
    limits: {
      maxInstances: pick(random, [12, 1000]),
      maxRememberedAnswers: pick(random, [160, 10_000]),
      rememberAnswersMs: 600_000,
      ringChanges: pick(random, [8, 64, 10_000]),
      maxWatches: 100,
      maxPendingWrites: pick(random, [4, 1000]),
      mergeBehind: pick(random, [2, 10, 100]),
      // States in many parts, and merges that do not fit into one message.
      messageBytes: pick(seededRandom(seed ^ 0x3c6ef372), [600, 3000, 3 << 20]),
    },
    raftLimits: {
      maxAppendBytes: pick(random, [512, 4 << 10, 1 << 20]),
      maxInflightMessages: pick(random, [2, 8, 256]),
      maxInflightBytes: pick(random, [2 << 10, 8 << 20]),
      maxUncommittedBytes: pick(random, [4 << 10, 32 << 20, 32 << 20]),
      maxCachedBytes: pick(random, [1, 2 << 10, 64 << 20]),
      maxPromotionLag: pick(random, [4, 1024]),
      diskPatienceTicks: pick(random, [30, 100]),
    },
    maxDrift: pick(random, [0, 0.0005, 0.005]),
    retention: drawRetention(random),
    operations: operationKinds.filter(() => random.next() < operated),
    operationsOfOperatorPerSecond: pick(random, [0.3, 1]),
  };
}

/** Logs so short that a follower that was away for a second needs a snapshot, in chunks of a few records. */
function drawRetention(random: Random): Partial<RetentionLimits> {
  return {
    logEntries: pick(random, [8, 30, 100, 200_000]),
    logBytes: pick(random, [32 << 10, 128 << 10, 1 << 20]),
    logBytesForTransfer: pick(random, [64 << 10, 1 << 20]),
    chunkBytes: pick(random, [256, 1 << 10, 64 << 10]),
    idleSnapshotMs: pick(random, [300, 2000, 30_000]),
  };
}

function drawNetwork(random: Random): NetworkParameters {
  const loses = random.next() < 0.4;
  return {
    minDelayMs: pick(random, [0.1, 0.5, 3]),
    meanExtraMs: pick(random, [0.1, 0.5, 5]),
    retransmitted: pick(random, [0, 0, 0.01]),
    retransmitMs: pick(random, [30, 200]),
    lost: loses ? pick(random, [0.001, 0.02]) : 0,
    duplicated: random.next() < 0.4 ? pick(random, [0.002, 0.05]) : 0,
    pingTimeoutMs: pick(random, [200, 800, 3000]),
  };
}
