// What the node needs from the world. storage/ and transport/ implement these with disks and gRPC, test/support with
// memory; every implementation passes the conformance suite of its port (test/conformance).
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';
import type {
  Configuration,
  HardState,
  LogEntry,
  LogFloor,
  PersistBatch,
  TermRun,
} from '../raft/index.ts';
import type { RegistryImage, RegistryMeta, StoredRecord } from '../registry/index.ts';
import type { Hello, PeerFrame, Refusal } from './peer-protocol.ts';

/** Time as the node sees it. Monotonic time decides, wall time is for people. */
export interface Clock {
  /** Monotonic milliseconds, fractional, from an arbitrary origin. */
  now(): number;
  /** Unix milliseconds. */
  unixNow(): number;
  /** Runs `callback` once after at least `delayMs`; the result cancels it. Never keeps the process alive by itself. */
  after(delayMs: number, callback: () => void): () => void;
  /** Runs `callback` after the input that is already waiting has been delivered (setImmediate). */
  defer(callback: () => void): void;
}

/** What a log store found when it was opened. */
export interface LogImage {
  readonly hardState: HardState;
  /** Where the log begins; index 0 for a whole log. */
  readonly floor: LogFloor;
  /** The configurations that entries after the floor brought (kinds `bootstrap` and `membership`), ascending. */
  readonly configurations: readonly Configuration[];
  /** Of the entries after the floor. */
  readonly runs: readonly TermRun[];
  /** The floor's index where no entry follows it. */
  readonly lastIndex: LogIndex;
}

/** The write-ahead log. One writer; appends become durable in the order of the calls. */
export interface LogStore {
  readonly image: LogImage;
  /** Bytes the log takes on disk, prepared space included. Bounded by what `PersistBatch.floor` lets go. */
  readonly bytes: number;
  /** Lack of disk space, which is no failure: nothing was written. `spare`: the next segment could not be prepared, the present one has
   * room. `appends`: that is used up, and what was appended waits. */
  readonly starved: 'no' | 'spare' | 'appends';
  /** There may be space again: what starves is tried once more. */
  resume(): void;
  /** Resolves once the batch and all before it are on stable storage. A rejection is final: the node stops (exit 10). */
  append(batch: PersistBatch): Promise<void>;
  /** Durable entries [from, to], all of them after the floor, cut to about maxBytes of payload but at least one. Rejects with damage (exit 11), or with
   * an error whose exitCode is 10 when the disk refused. */
  read(from: LogIndex, to: LogIndex, maxBytes: number): Promise<readonly LogEntry[]>;
  close(): Promise<void>;
}

export interface StateBatch {
  readonly records: readonly StoredRecord[];
  readonly appliedIndex: LogIndex;
  readonly appliedTerm: number;
  /** In effect at appliedIndex. */
  readonly configuration: Configuration;
  readonly meta: RegistryMeta;
}

/** What a store found at open, or what took the place of it. */
export interface StateImage extends RegistryImage {
  readonly appliedTerm: number;
  /** undefined: written by a version that did not keep it; the log, which is whole then, has it. */
  readonly configuration: Configuration | undefined;
}

/** What a snapshot is the state of: the point in the log, and everything replicated that is not a record. */
export interface SnapshotHeader {
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
  readonly meta: RegistryMeta;
}

/** A view of the store as of one batch, whatever is written meanwhile (an explicit LevelDB snapshot). */
export interface StateSnapshot {
  readonly header: SnapshotHeader;
  /** The content it shows has lost its place to an installed snapshot, or is about to: it can no longer be read. */
  readonly ended: boolean;
  /** The records that follow the key `after` ('' begins), in the order of their keys, of about `maxBytes` together and at
   * least one; `done` when none follow them. Rejects with damage, and when the view has ended. */
  read(
    after: string,
    maxBytes: number,
  ): Promise<{ readonly records: readonly StoredRecord[]; readonly done: boolean }>;
  close(): Promise<void>;
}

/** A snapshot from a peer on its way into the store: beside the current content, until it takes its place. */
export interface SnapshotStage {
  /** Records of the next part, in key order. One call at a time. */
  add(records: readonly StoredRecord[]): Promise<void>;
  /** Everything is here: verifies the records against the header's hash and makes them durable. From then on a crash does not lose
   * them: the next open puts them in place if the log's floor is their index. Rejects with SnapshotMismatch. */
  seal(): Promise<void>;
  /** Puts the sealed content in the place of the store's, atomically; the store's next write goes on from it. */
  install(): Promise<void>;
  /** Throws away what is not installed. */
  discard(): Promise<void>;
}

/** The state machine on disk, written behind the acknowledgement. */
export interface StateStore {
  /** The content at open: verified (record scan, recomputed hash) or, after any mismatch or error, empty with appliedIndex 0. */
  readonly image: StateImage;
  /** Why the content was discarded at open, undefined when it was used: one plain sentence for the log and Status. */
  readonly discarded: string | undefined;
  /** Atomic and synced. One call at a time. A rejection means the directory is not to be trusted: the node stops; but for OutOfSpace,
   * after which the same batch may be written again. */
  write(batch: StateBatch): Promise<void>;
  /** Resolves with an applied index that no power cut takes back: the directory entries of all files are durable too. The log
   * may be trimmed up to it, and no further. */
  settle(): Promise<LogIndex>;
  /** Bytes on disk, staged and sealed content included; about. */
  bytes(): Promise<number>;
  /** Resolves once the view is fixed. At most 5 at a time; beyond, rejects. */
  snapshot(): Promise<StateSnapshot>;
  /** Begins to stage; what was staged before is discarded. One at a time. */
  stage(header: SnapshotHeader): Promise<SnapshotStage>;
  close(): Promise<void>;
}

export interface TransportHandlers {
  /** Decides on a peer's hello, in both directions. undefined admits it. */
  admit(hello: Hello): Refusal | undefined;
  /** This node's own hello, asked for at each handshake; the transport fills in `target` with the node it talks to. */
  hello(): Hello;
  /** Frames of one message, in the order sent. */
  onFrames(from: NodeId, frames: readonly PeerFrame[]): void;
  /** This node's outbound stream to the peer is open and both hellos were accepted. */
  onConnected(peer: NodeId, hello: Hello): void;
  /** The outbound stream broke; redialling has begun. What was queued or in flight may be lost. */
  onBroken(peer: NodeId): void;
  /** A redial was refused by the peer's host, or unanswered for two heartbeats. Told again at each further such redial. */
  onGone(peer: NodeId): void;
  /** The peer refused this node, or this node refused the peer. */
  onRefused(peer: NodeId, refusal: Refusal): void;
}

/** Streams to the other members. Each node dials each other one; frames go out on the stream it dialled. */
export interface PeerTransport {
  start(handlers: TransportHandlers): Promise<void>;
  /** Starts (or changes) the set of peers to keep streams to. */
  connect(peers: readonly { readonly nodeId: NodeId; readonly address: string }[]): void;
  /** Ends the stream that this peer dialled, if there is one: it dials again and is judged anew. */
  dismiss(peer: NodeId): void;
  /** Queues frames, as one message unless they need more than 4 MiB together; one frame alone must not. False: not
   * connected, or the bounded queue is full, and nothing was queued. */
  send(to: NodeId, frames: readonly PeerFrame[]): boolean;
  /** The address it really listens on. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Ends the process in production, ends the node in tests. Codes: 10 disk, 11 damage, 12 quarantine, 13 invariant. */
export type Fatal = (exitCode: 10 | 11 | 12 | 13 | 14, reason: string, cause?: unknown) => void;
