// What nodes say to each other beside consensus. transport/wire.ts gives each frame its positional array.
import type { LogIndex, NodeId, Revision } from '../lib/ids.ts';
import type { ErrorCode } from '../lib/registry-error.ts';
import type { Message } from '../raft/index.ts';
import type { ApplyResult, CommandBody } from '../registry/index.ts';

/** Raised with every incompatible change of the frames; a node speaks exactly one and refuses others by name. */
export const PROTOCOL_VERSION = 1;

/** A member is a name and an incarnation: an empty data-dir under an old name is a stranger (G14). */
export interface MemberIdentity {
  readonly nodeId: NodeId;
  /** 32 hex digits drawn when the data-dir was created. */
  readonly incarnation: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
}

/** The first record of every log, equal on every node. */
export interface ClusterRecord {
  readonly clusterId: string;
  /** 32 hex digits: a digest of cluster id and members, so equal records have equal uuids. */
  readonly clusterUuid: string;
  /** Sorted by node id. */
  readonly members: readonly MemberIdentity[];
}

/** First message in each direction of a stream. */
export interface Hello extends MemberIdentity {
  readonly protocolVersion: number;
  readonly clusterId: string;
  /** '' while this node's data-dir is empty. */
  readonly clusterUuid: string;
  readonly softwareVersion: string;
  /** The node the dialler means to reach; a listener with another name refuses. */
  readonly target: NodeId;
}

export type RefusalReason =
  | 'protocolVersion'
  | 'otherCluster' // cluster id or uuid differ
  | 'wrongTarget' // the address leads to another node
  | 'notAMember'
  | 'otherIncarnation'; // the name is a member, this data-dir is not: remove it, then join
export interface Refusal {
  readonly reason: RefusalReason;
  /** One plain sentence that says what to do. */
  readonly message: string;
}

/** Before the cluster exists: who the sender has reached and which record it would write. */
export interface FormationFrame {
  readonly kind: 'formation';
  /** Members reached (the sender included) with an empty data-dir or with this very record. */
  readonly known: readonly MemberIdentity[];
  /** Uuid of the record the sender computed once it knew all members; '' before. */
  readonly proposedUuid: string;
  /** True once the sender has written the record. */
  readonly formed: boolean;
}

/** A write that a follower passes on. `id` is the sender's, never reused while the process lives. */
export interface WriteRequest {
  readonly kind: 'writeRequest';
  readonly id: number;
  readonly body: CommandBody;
  readonly requestId: string;
  readonly fingerprint: string;
  readonly actor: string;
}
export interface WriteResponse {
  readonly kind: 'writeResponse';
  readonly id: number;
  readonly outcome: WriteOutcome;
}
export type WriteOutcome =
  | { readonly kind: 'applied'; readonly result: ApplyResult }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

export interface Beat {
  readonly namespace: string;
  readonly instanceId: string;
  /** 0: whichever is current. */
  readonly generation: Revision;
}
export interface BeatFailure {
  /** Position in the request. */
  readonly position: number;
  readonly reason: 'unknown' | 'fenced';
}
export interface HeartbeatRelay {
  readonly kind: 'heartbeatRelay';
  readonly id: number;
  readonly beats: readonly Beat[];
}
export type HeartbeatOutcome =
  | {
      readonly kind: 'acknowledged';
      readonly revision: Revision;
      readonly failures: readonly BeatFailure[];
      readonly heartbeatIntervalMs: number;
    }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };
export interface HeartbeatRelayResponse {
  readonly kind: 'heartbeatRelayResponse';
  readonly id: number;
  readonly outcome: HeartbeatOutcome;
}

/** Asks the leader when it last heard an instance, for an exact last_heartbeat_ms in a linearizable GetInstance. */
export interface LastHeartbeatRequest {
  readonly kind: 'lastHeartbeatRequest';
  readonly id: number;
  readonly namespace: string;
  readonly instanceId: string;
}
interface LastHeartbeatResponse {
  readonly kind: 'lastHeartbeatResponse';
  readonly id: number;
  /** Unix ms; undefined: not the leader, or no such lease. */
  readonly unixTimeMs: number | undefined;
}

/** Every node tells every other its state hash at each multiple of 1024 (G12). */
interface StateHashReport {
  readonly kind: 'stateHash';
  readonly index: LogIndex;
  readonly hash: string;
}

export type PeerFrame =
  | { readonly kind: 'raft'; readonly message: Message }
  | FormationFrame
  | WriteRequest
  | WriteResponse
  | HeartbeatRelay
  | HeartbeatRelayResponse
  | LastHeartbeatRequest
  | LastHeartbeatResponse
  | StateHashReport;
