// The parts of one node, as they see each other. Built once by node.ts; the engine joins them when the log is replayed.
import type { Registry } from '../registry/index.ts';
import type { DiskReserve } from './disk-reserve.ts';
import type { HeartbeatRouter } from './heartbeat-relay.ts';
import type { Leases } from './lease-table.ts';
import type { LogRetention } from './log-retention.ts';
import type { Outbox } from './outbox.ts';
import type { Fatal } from './ports.ts';
import type { Proposals } from './proposals.ts';
import type { Reads } from './reads.ts';
import type { NodeOptions } from './registry-node.ts';
import type { RegistryTime } from './registry-time.ts';
import type { RoomReports } from './room-reports.ts';
import type { Rounds } from './rounds.ts';
import type { SnapshotPull } from './snapshot-pull.ts';
import type { SnapshotSource } from './snapshot-source.ts';
import type { StateFlusher } from './state-flusher.ts';
import type { StateScrub } from './state-scrub.ts';
import type { WatchHub, WatchPublisher } from './watch-hub.ts';
import type { Writes } from './writes.ts';

export interface NodeParts {
  readonly options: NodeOptions;
  readonly registry: Registry;
  readonly hub: WatchHub & WatchPublisher;
  readonly leases: Leases;
  readonly relay: HeartbeatRouter;
  readonly proposals: Proposals;
  readonly rounds: Rounds;
  readonly writes: Writes;
  readonly reads: Reads;
  readonly outbox: Outbox;
  readonly flusher: StateFlusher;
  readonly snapshotPull: SnapshotPull;
  readonly snapshotSource: SnapshotSource;
  readonly retention: LogRetention;
  readonly stateScrub: StateScrub;
  readonly reserve: DiskReserve;
  readonly room: RoomReports;
  readonly registryTime: RegistryTime;
  /** Why there is no quorum to write or read through, in plain words. */
  readonly noQuorumReason: () => string;
  /** Ends this node: nothing is sent, answered or written any more. */
  readonly fatal: Fatal;
  /** The leader, caughtUp or stopping may have changed. */
  readonly changed: () => void;
  /** Called at the end of each turn in which time has passed, after everything else. */
  readonly ticked: (nowMs: number) => void;
}
