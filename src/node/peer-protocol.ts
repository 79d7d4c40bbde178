// What nodes say to each other beside consensus. transport/wire.ts gives each frame its positional array.
import type { LogIndex, NodeId, Revision, Term } from '../lib/ids.ts';
import type { ErrorCode } from '../lib/registry-error.ts';
import type { Message } from '../raft/index.ts';
import type { ApplyResult, CommandBody } from '../registry/index.ts';

/** Raised with every incompatible change of the frames; a node speaks exactly one and refuses others by name. */
export const PROTOCOL_VERSION = 1;
/** Number of the newest frame of this version (transport/frame-wire.ts). */
export const NEWEST_FRAME = 13;

/** A member is a name and an incarnation: an empty data-dir under an old name is a stranger (G14). */
export interface MemberIdentity {
  readonly nodeId: NodeId;
  /** 32 hex digits drawn when the data-dir was created. */
  readonly incarnation: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
}

export interface Member extends MemberIdentity {
  /** Follows without a vote. An incarnation of '' belongs to a learner that an operator has announced and that has not come yet:
   * the first empty node of that name is bound to it. */
  readonly learner: boolean;
}

/** Who the cluster is: the payload of the first record of every log, and of each membership entry after it. */
export interface ClusterRecord {
  readonly clusterId: string;
  /** 32 hex digits: a digest of cluster id and first members; it stays when members change. */
  readonly clusterUuid: string;
  /** Sorted by node id. */
  readonly members: readonly Member[];
  /** Members that lost their log and are being put back (docs/adr/0018), sorted by node id. Absent where there are none, and in records
   * of versions before. */
  readonly replacing?: readonly Replacing[];
}

/** Between the removal of a data-dir that lost its log and the moment at which the one in its place has what it had. */
export interface Replacing {
  /** The data-dir that takes the place. It is no member before it is added as a learner. */
  readonly member: MemberIdentity;
  /** The incarnation that was removed. */
  readonly lost: string;
  /** That one had a vote: the new one gets it once it has caught up. */
  readonly voter: boolean;
}

/** Data-dirs of one name that were lost one after the other without a vote in between: then its disk is no good. */
export const MAX_LOST = 8;

/** What a data-dir that has taken a new incarnation says of its former ones. */
export interface LostLog {
  /** Newest first; each may have been a member, and none ever speaks again. At least one, MAX_LOST at most. */
  readonly incarnations: readonly string[];
  /** Of the cluster that the first of them belonged to. */
  readonly clusterUuid: string;
  /** Whom to ask: the other members as they were last known, at their peer addresses. */
  readonly members: readonly { readonly nodeId: NodeId; readonly peerAddress: string }[];
  /** What was found, as one sentence without a full stop. */
  readonly found: string;
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
  /** Index of the newest configuration in the sender's log; 0 where it has none, or does not say. */
  readonly configurationIndex: LogIndex;
  /** Term of the last entry of the sender's log; 0 where it has none, or does not say. Of two nodes that disagree on who is a
   * member, the one with the later last term knows more, and of two with the same the one with the newer configuration. */
  readonly lastTerm: Term;
  /** Incarnations whose log is lost, in whose place this one is to come (LostLog.incarnations); absent where there are none, and
   * once the sender's log makes it a member. */
  readonly replaces?: readonly string[];
  /** Number of the newest frame that the sender reads; undefined for a version that does not say: `memberResponse`, 12. */
  readonly newestFrame?: number;
}

export type RefusalReason =
  | 'protocolVersion'
  | 'otherCluster' // cluster id or uuid differ
  | 'wrongTarget' // the address leads to another node
  | 'notAMember'
  | 'removed' // it was a member, and was removed
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
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      /** What the cluster has too little of, with `resourceExhausted`; not said for what is short for a moment only, nor to and by members
       * that do not read disk reports. */
      readonly lacks?: 'diskSpace';
    };

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

/** Every node tells every other once a second, and when it changes, whether its disk has room. Only to whoever reads such frames. */
export interface DiskReport {
  readonly kind: 'diskReport';
  /** 0 where the sender does not know. */
  readonly freeBytes: number;
  /** Less than its reserve is free, or it could not write for lack of space. */
  readonly short: boolean;
}

/** Asks for one chunk of a snapshot (docs/protocol.md). Chunks are numbered from 0 and asked for one after the other, a few
 * at a time; the same number again gives the same bytes. */
export interface SnapshotRequest {
  readonly kind: 'snapshotRequest';
  readonly id: number;
  /** As named by chunk 0; '' asks for the newest. */
  readonly snapshotId: string;
  readonly chunk: number;
}
export interface SnapshotChunk {
  readonly kind: 'snapshotChunk';
  readonly id: number;
  /** '' : the sender no longer has the snapshot that was asked for, or can make none now; start afresh. */
  readonly snapshotId: string;
  readonly chunk: number;
  /** CRC-32 of `data`. */
  readonly crc: number;
  readonly data: Uint8Array;
  readonly last: boolean;
}

/** What an operator, or a node that wants to join or to return, asks of the members. Served by the leader; others pass it on. */
export type MemberChange =
  | { readonly kind: 'add'; readonly member: Member }
  | { readonly kind: 'promote'; readonly nodeId: NodeId }
  | { readonly kind: 'remove'; readonly nodeId: NodeId }
  /** nodeId '': the best follower. */
  | { readonly kind: 'transfer'; readonly nodeId: NodeId | '' }
  /** The data-dirs of this name in the incarnations `lost` have lost their log; `member` takes their place: asked by itself. Done
   * once the lost one is removed; the rest follows. */
  | {
      readonly kind: 'replace';
      readonly lost: readonly string[];
      readonly member: MemberIdentity;
    };
export interface MemberRequest {
  readonly kind: 'memberRequest';
  readonly id: number;
  readonly change: MemberChange;
}
export type MemberOutcome =
  | { readonly kind: 'done'; readonly members: readonly Member[] }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };
export interface MemberResponse {
  readonly kind: 'memberResponse';
  readonly id: number;
  readonly outcome: MemberOutcome;
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
  | StateHashReport
  | SnapshotRequest
  | SnapshotChunk
  | MemberRequest
  | MemberResponse
  | DiskReport;
