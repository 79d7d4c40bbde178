// One system under test, as the workloads see it. The same work for each: a registration is durable on a quorum before
// it counts and has a TTL of its own; a watcher counts as told when it holds the new content.
import type { GrpcConnection, MessageStream } from '../load/grpc-connection.ts';

export interface HeartbeatStream {
  /** Renews these leases; resolves when the system acknowledged them. */
  beat(): Promise<void>;
  close(): void;
}

/** An empty node on its way into the cluster. */
export interface JoiningNode {
  /** True once it has applied everything that was committed when this was asked. */
  caughtUp(): Promise<boolean>;
  /** Milliseconds from its first request for a snapshot until the snapshot was in place; undefined: none was needed. */
  snapshotMs(): number | undefined;
  stop(): Promise<void>;
}

export interface Target {
  readonly name: string;
  readonly version: string;
  /** Client addresses, host:port. */
  readonly addresses: readonly string[];
  /** Position of the leader in `addresses`; undefined while there is none. */
  leader(): Promise<number | undefined>;
  pids(): readonly number[];
  /** A counter of durable writes: what acknowledgements are checked against. */
  position(): Promise<number>;
  /** How far `position` moves for each registration. */
  readonly positionsPerRegistration: number;
  register(connection: GrpcConnection, service: string, id: string): Promise<void>;
  /** Linearizable; resolves with how many instances came back. */
  list(connection: GrpcConnection, service: string): Promise<number>;
  /** `onChange` gets each id once its content is here. Resolves when the watch is established. */
  watch(
    connection: GrpcConnection,
    service: string,
    onChange: (id: string) => void,
  ): Promise<MessageStream>;
  /** Makes `count` leases of 60 s TTL, as fast as the system allows; returns one stream for each `perStream` of them. */
  leases(count: number, perMessage: number): Promise<readonly HeartbeatStream[]>;
  /** Registers so many instances of long TTL in batches. Only where this system is the target. */
  instances?(count: number): Promise<void>;
  signal?(position: number, signal: NodeJS.Signals): void;
  /** SIGKILL by default; resolves when the process is gone. */
  kill(position: number, signal?: NodeJS.Signals): Promise<void>;
  restart(position: number): Promise<void>;
  logFile?(position: number): string;
  /** Starts an empty node that joins as a learner. */
  joinLearner?(): JoiningNode;
  /** The term each node is in. */
  terms?(): Promise<readonly number[]>;
  stop(): Promise<void>;
}
