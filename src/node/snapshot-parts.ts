// The parts of a node that move whole states: what is given to peers, what is taken from them, and how much log is kept
// meanwhile.
import { logIndex, type NodeId } from '../lib/ids.ts';
import { imageHasher } from '../registry/index.ts';
import type { AppliedPoint } from './applier.ts';
import type { Engine } from './engine.ts';
import { firstId } from './first-id.ts';
import { defaultRetention, LogRetention } from './log-retention.ts';
import type { NodeParts } from './node-parts.ts';
import type { PeerFrame } from './peer-protocol.ts';
import type { Fatal } from './ports.ts';
import type { NodeOptions } from './registry-node.ts';
import { SnapshotPull } from './snapshot-pull.ts';
import { SnapshotSource } from './snapshot-source.ts';
import { StateScrub } from './state-scrub.ts';

export interface SnapshotPartsHost {
  readonly options: NodeOptions;
  /** undefined until the log is replayed, and once the node has ended. */
  readonly engine: () => Engine | undefined;
  readonly clusterUuid: () => string;
  readonly applied: () => AppliedPoint;
  readonly fatal: Fatal;
}

export type SnapshotParts = Pick<
  NodeParts,
  'snapshotPull' | 'snapshotSource' | 'retention' | 'stateScrub'
>;

export function assembleSnapshots(
  host: SnapshotPartsHost,
  send: (to: NodeId, frame: PeerFrame) => void,
): SnapshotParts {
  const { options, engine } = host;
  const { clock, log, stateStore, logStore, clusterId } = options;
  const limits = { ...defaultRetention, ...options.retention };
  const cluster = (): { readonly clusterId: string; readonly clusterUuid: string } => ({
    clusterId,
    clusterUuid: host.clusterUuid(),
  });
  const snapshotSource = new SnapshotSource({
    clock,
    stateStore,
    cluster,
    floorIndex: () => logIndex((engine()?.view.firstIndex ?? 1) - 1),
    chunkBytes: limits.chunkBytes,
    idleMs: limits.idleSnapshotMs,
    firstId: firstId(options.seed),
    log,
    // The next start discards it, and makes it again.
    damaged: (reason, cause) => host.fatal(10, reason, cause),
  });
  const snapshotPull = new SnapshotPull({
    clock,
    stateStore,
    send,
    cluster,
    appliedIndex: () => host.applied().index,
    wake: () => engine()?.wake(),
    firstId: firstId(options.seed),
    log,
  });
  const retention = new LogRetention({
    logStore,
    stateStore,
    limits,
    view: () => engine()?.view,
    peers: () => engine()?.peers() ?? [],
    openSnapshots: () => snapshotSource.open(),
    compact: (index) => engine()?.push({ kind: 'compact', index }),
    log,
    failed: (error) => host.fatal(10, 'the state store could not be settled', error),
  });
  const stateScrub = new StateScrub({
    clock,
    stateStore,
    imageHasher,
    restMs: options.scrubRestMs,
    damaged: (reason, cause) => host.fatal(10, reason, cause),
    log,
  });
  return { snapshotPull, snapshotSource, retention, stateScrub };
}

/** One plain sentence each. */
export function snapshotProblems({ snapshotPull, retention }: SnapshotParts): readonly string[] {
  const { problem } = snapshotPull;
  return [...(problem === undefined ? [] : [problem]), ...retention.problems()];
}

/** Nothing more is given, taken or let go; what is on its way to the disk completes. */
export function stopSnapshots(parts: SnapshotParts): void {
  const { snapshotPull, snapshotSource, retention, stateScrub } = parts;
  void snapshotPull.stop();
  snapshotSource.stop();
  retention.stop();
  stateScrub.stop();
}
