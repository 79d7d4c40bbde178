// Where the server processes of a chaos run live, and everything that can be done to them. An arena only does what it is
// told; which fault strikes when is decided by test/chaos/faults.
import type { StatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/StatusResponse.ts';

/** What a host may or may not allow. */
export type Ability =
  /** Cutting and thinning the paths between nodes: network namespaces, iptables. */
  | 'network'
  /** Cutting the power of a disk, and filling it: a loop-mounted ext4 and its forced shutdown. */
  | 'power'
  /** Making every synced write wait, or fail: a preloaded library, compiled here. */
  | 'slowDisk'
  /** Moving a node's wall clock while it runs: the same library. */
  | 'wallClock'
  /** A node that was ended stays away until it is started, and its files can be reached meanwhile. */
  | 'absence'
  /** Members come and go: `addNode`, `replaceNode`, `removeNode`. */
  | 'members'
  /** Pulling the cable of a node, so that clients do not reach it either. */
  | 'cable'
  /** Giving a node another release of its program. */
  | 'release';

export interface Arena {
  /** What cannot be done here, and why; what is not named can. */
  readonly missing: ReadonlyMap<Ability, string>;
  /** The members to begin with, and whoever was added since. */
  readonly nodes: readonly ArenaNode[];
  /** For clients: of every node. */
  readonly endpoints: readonly string[];
  /** Host, directory and address for one more node, not started. It joins the cluster when it is. */
  addNode(id: string): Promise<ArenaNode>;
  /** A new node in the place of this one, with its name and addresses and an empty disk; not started. It joins the cluster when
   * it is, as a new member. */
  replaceNode(node: ArenaNode): Promise<ArenaNode>;
  /** Ends its process for good and gives back what it had. */
  removeNode(node: ArenaNode): Promise<void>;
  /** Ends everything, unmounts and deletes everything; safe to call twice, and after an interruption at any point. */
  close(): Promise<void>;
}

export interface ArenaNode {
  readonly id: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly dataDir: string;
  /** What the process printed, one JSON line each, over all its lives. */
  readonly logFile: string;
  readonly running: boolean;
  /** Of its present life; throws when it does not run. */
  readonly pid: number;
  /** undefined while it runs, or where a signal ended it. */
  readonly exitCode: number | undefined;
  start(): void;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits until the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  status(timeoutMs?: number): Promise<StatusResponse__Output>;
  readonly network: NodeNetwork;
  readonly disk: NodeDisk;
  readonly clock: NodeClock;
  readonly cable: NodeCable;
  readonly release: NodeRelease;
}

/** Paths between nodes only: clients reach every node at all times. */
export interface NodeNetwork {
  /** What `from` sends does not arrive here any more; silently, as where a switch is dead. */
  deafen(from: ArenaNode): Promise<void>;
  hear(from: ArenaNode): Promise<void>;
  /** That share of the packets from all other nodes is lost, 0 to 1. */
  lose(share: number): Promise<void>;
  /** Everything is as it should be again. */
  heal(): Promise<void>;
  /** Packets from other nodes that were dropped since the arena began: the effect. */
  dropped(): Promise<number>;
}

export interface NodeDisk {
  /** kill -9, then whatever was not synced is gone: what was in the page cache never reaches the medium. The node does not run
   * afterwards. Resolves true when bytes written without a sync just before were seen to be gone: the effect. */
  cutPower(): Promise<boolean>;
  /** Each synced write of the running process waits that much longer. Ends with `normal`, or with the process. */
  slow(delayMs: number): Promise<void>;
  /** Each synced write of the running process fails with EIO. Ends with `normal`, or with the process. */
  fail(): Promise<void>;
  normal(): Promise<void>;
  /** Synced writes that were made to wait since the arena began: the effect. */
  delayed(): Promise<number>;
  /** Synced writes that failed since the arena began: the effect. */
  failed(): Promise<number>;
  /** Takes all its room but so much. Ends with `clear`. */
  fill(leaveBytes: number): Promise<void>;
  clear(): Promise<void>;
  /** Deletes everything in the data-dir of a node that does not run. */
  wipe(): Promise<void>;
}

export interface NodeClock {
  /** The wall clock jumps by that much from where it is, 200 years off at most; monotonic time does not. Takes effect in the
   * running process, and stays when it starts again. */
  shift(byMs: number): Promise<void>;
  /** What the process now takes for the wall clock, against the host's, in milliseconds: the effect. Rejects where it
   * does not look at it within 5 s, as when it is stopped. */
  offsetMs(): Promise<number>;
}

/** Pulled: neither nodes nor clients reach it, and it reaches nobody. */
export interface NodeCable {
  pull(): Promise<void>;
  plug(): Promise<void>;
}

export interface NodeRelease {
  /** What the node runs now: a name that differs between the two releases of an arena. */
  name(): Promise<string>;
  /** Ends the process as an operator does and starts the other release on the same data. It may not answer yet when this
   * resolves, with the exit code of the process before: undefined where a signal ended it. */
  exchange(): Promise<number | undefined>;
}

export interface ArenaSettings {
  /** Of the cluster to begin with. */
  readonly nodes: number;
  /** Everything of the run is kept in here. */
  readonly directory: string;
  /** The program: dist/cli/main.js of this tree, or of a copy with a planted bug. */
  readonly main: string;
  /** Of every server: small limits, so that snapshots and resets are common. */
  readonly environment: Readonly<Record<string, string>>;
}
