// What the doors (gRPC now; HTTP, DNS later) see of a node. One implementation: node.ts.
import type { Logger } from 'pino';
import type { NodeId, Revision } from '../lib/ids.ts';
import type { RaftConfig, Role } from '../raft/index.ts';
import type { ApplyResult, CommandBody, Registry } from '../registry/index.ts';
import type {
  Beat,
  BeatFailure,
  LostLog,
  Member,
  MemberChange,
  MemberIdentity,
} from './peer-protocol.ts';
import type { Clock, Fatal, LogStore, PeerTransport, StateStore } from './ports.ts';
import type { WatchHub } from './watch-hub.ts';

/** Everything a node is made of; the composition root (cli/) and tests build it. */
export interface NodeOptions {
  readonly self: MemberIdentity;
  readonly clusterId: string;
  readonly softwareVersion: string;
  /** From --initial-members; used to form the cluster while the log is empty, and for the peers' addresses afterwards. */
  readonly initialMembers: readonly { readonly nodeId: NodeId; readonly peerAddress: string }[];
  /** From --join: asks the cluster to add this node as a learner and resolves with its members. Called while the log is empty,
   * again after each rejection. undefined: this node forms a cluster with initialMembers, or has one already. */
  readonly join?: (self: MemberIdentity) => Promise<readonly MemberIdentity[]>;
  /** The data-dir has lost its log and taken a new incarnation, which its log does not name yet: the members are asked to put it in the
   * place of the former one (docs/adr/0018). Then `join` is not used. */
  readonly replaces?: LostLog;
  /** Called once: by a committed configuration this node is a member, and not on its way to get its vote back. */
  readonly restored?: () => void;
  /** Opened. Empty: this data-dir has not joined a cluster yet. Otherwise entry 1 is the ClusterRecord. */
  readonly logStore: LogStore;
  readonly stateStore: StateStore;
  readonly transport: PeerTransport;
  /** Called once the first record is durable, before this node votes: the data-dir notes the cluster it belongs to. */
  readonly markFormed: (clusterUuid: string) => Promise<void>;
  /** Bytes that this process may still write on the file system of its data-dir. Default: nobody can tell. */
  readonly freeSpace?: () => Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly fatal: Fatal;
  /** Seeds raft's generator and this node's tokens; from entropy in production. */
  readonly seed: number;
  /** Milliseconds: leader heartbeat (50) and election timeout, drawn from [n, 2n) (300). */
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly limits: NodeLimits;
  /** The core's own limits where they are not the defaults: small ones make its rare paths common under test. */
  readonly raftLimits?: Partial<RaftLimits>;
  readonly retention?: Partial<RetentionLimits>;
  /** From one scrub of the state on disk to the next. Default 600 000 ms. */
  readonly scrubRestMs?: number;
}

/** How much log is kept, and how snapshots travel. */
export interface RetentionLimits {
  /** The log is trimmed once it holds so many entries that the state store has (default 200 000), or takes so many bytes on disk
   * (default 256 MiB); half of the entries stay for followers that are a little behind. */
  readonly logEntries: number;
  readonly logBytes: number;
  /** The log is kept for a snapshot under way, and for a member that still catches up, until it takes so many bytes. Default 1 GiB.
   * Status warns of such a member from half of it on. */
  readonly logBytesForTransfer: number;
  /** Bytes of one chunk of a snapshot, about. Default 256 KiB. */
  readonly chunkBytes: number;
  /** An open snapshot nobody has asked for so long is closed. Default 30 000 ms. */
  readonly idleSnapshotMs: number;
}

export type RaftLimits = Pick<
  RaftConfig,
  | 'maxAppendBytes'
  | 'maxInflightMessages'
  | 'maxInflightBytes'
  | 'maxUncommittedBytes'
  | 'maxPendingReads'
  | 'maxCachedBytes'
  | 'maxPromotionLag'
  | 'diskPatienceTicks'
>;

/** Defaults and ranges: config/limits.ts. */
export interface NodeLimits {
  readonly maxInstances: number;
  readonly maxRememberedAnswers: number;
  readonly rememberAnswersMs: number;
  /** Changes the ring keeps; a group counts as many as it has. Default 100 000. The ring has a limit in bytes of its own. */
  readonly ringChanges: number;
  readonly maxWatches: number;
  /** Writes of this node's callers waiting for an outcome; beyond, resourceExhausted. Default 10 000. */
  readonly maxPendingWrites: number;
  /** Bytes of instances in those writes; beyond, resourceExhausted. Default 64 MiB. */
  readonly maxPendingWriteBytes?: number;
  /** Disk space to keep free: with less on so many nodes that no majority has more, what needs room is refused. Default 0. */
  readonly diskReserveBytes?: number;
}

export interface CallOptions {
  /** Aborted when the caller went away; the node then forgets the caller, never the write. */
  readonly signal?: AbortSignal;
  /** Monotonic milliseconds (Clock.now) by which the caller wants an answer; undefined: the node's own bounds only. */
  readonly deadline?: number;
}

export interface WriteOptions extends CallOptions {
  /** '' means none. */
  readonly requestId: string;
  readonly actor: string;
}

export type Consistency = 'linearizable' | 'bounded' | 'stale';
export interface ReadOptions extends CallOptions {
  readonly consistency: Consistency;
  /** Wait until this node has applied it: until the deadline, 10 s at most, then `behind`. 0: none. */
  readonly minRevision: Revision;
  /** For bounded: milliseconds; already defaulted (0 became 1000). */
  readonly maxStalenessMs: number;
}
/** The catalogue may be read now, synchronously, in the same turn of the event loop. */
export interface ReadPermit {
  /** Upper bound of how old the answer may be; 0 for linearizable. At most 2^32 - 1, which also means unknown. */
  readonly ageMs: number;
}

export interface HeartbeatAnswer {
  readonly revision: Revision;
  readonly failures: readonly BeatFailure[];
  readonly heartbeatIntervalMs: number;
}

export interface NodeStatus {
  readonly clusterId: string;
  /** 32 hex digits: what page and resume tokens are bound to; '' while the cluster has not formed here. */
  readonly clusterUuid: string;
  readonly nodeId: string;
  readonly role: Role;
  readonly term: number;
  /** '' while none is known. */
  readonly leaderId: string;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly revision: number;
  /** 16 hex digits at stateHashIndex. */
  readonly stateHash: string;
  readonly stateHashIndex: number;
  /** As of the configuration in effect here. */
  readonly members: readonly Member[];
  /** This node follows without a vote. */
  readonly learner: boolean;
  /** The first index of the log; what is below is in the state store alone. */
  readonly firstIndex: number;
  /** Bytes on disk, as last measured: log and state store. */
  readonly logBytes: number;
  readonly stateBytes: number;
  /** Bytes free on the disk of the data-dir, as last measured; 0 where that is not known. */
  readonly diskFreeBytes: number;
  /** Records of the state on disk that the scrub under way has read back, or the last one had. */
  readonly scrubbedRecords: number;
  /** Unix time when a scrub last came to its end; 0 before the first. */
  readonly scrubbedAtMs: number;
  readonly instances: number;
  readonly watches: number;
  readonly problems: readonly string[];
  /** This node once had all that was committed at the time, or has replayed its log and found no leader for 2 s. Stays true;
   * gRPC health "" reports it until the node is stopping. */
  readonly caughtUp: boolean;
  readonly stopping: boolean;
}

/** All methods throw or reject with RegistryError; a write that may have been appended only with `outcomeUnknown`. */
export interface RegistryNode {
  /** Validated commands only (api/ validates). Resolves once applied on a quorum-durable log, or answered unchanged after
   * a quorum round. Never rejects with anything but outcomeUnknown once the entry may be in a log. */
  write(body: CommandBody, options: WriteOptions): Promise<ApplyResult>;
  /** Acknowledged only after a quorum round that began after the call (G7). */
  heartbeat(beats: readonly Beat[], options: CallOptions): Promise<HeartbeatAnswer>;
  /** Resolves when the catalogue may be read at the wanted consistency. */
  read(options: ReadOptions): Promise<ReadPermit>;
  /** Exact from the leader's memory, or undefined where it cannot be had in time. */
  lastHeartbeat(
    namespace: string,
    instanceId: string,
    options: CallOptions,
  ): Promise<number | undefined>;
  /** Changes who belongs to the cluster, or who leads; from any node. Resolves with the members once the change is committed.
   * failedPrecondition names the rule that stands against it, alreadyExists a name in use, notFound an unknown one. */
  changeMembers(change: MemberChange, options: CallOptions): Promise<readonly Member[]>;
  /** The bytes of a backup (backup-stream.ts) with everything that was acknowledged before the call; one at a time. Made while they
   * are taken, at the taker's pace. noQuorum, behind; resourceExhausted beyond one, and where nobody takes a part for too long. */
  backup(options: CallOptions): AsyncGenerator<Uint8Array, void, undefined>;
  readonly registry: Registry;
  readonly watches: WatchHub;
  status(): NodeStatus;
  /** Called at each change of caughtUp, stopping or leaderId; returns the unsubscribe function. */
  onHealthChange(listener: () => void): () => void;
  /** Refuse new calls with shuttingDown, end watches with a token in hand, flush, stop. */
  stop(options: { readonly graceMs: number }): Promise<void>;
}
