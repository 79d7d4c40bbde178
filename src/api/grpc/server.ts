// The gRPC door of a node: one server, its services, and the order in which they stop (facts of grpc-js that decide it:
// tryShutdown alone waits for ever on an open watch, and drain does nothing once tryShutdown has begun).
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Clock } from '../../node/ports.ts';
import type { RegistryNode } from '../../node/registry-node.ts';
import { rawService, serviceNames } from '../../rpc/raw-service.ts';
import type { ApiLimits } from '../limits.ts';
import { ConnectionWatches } from './admission.ts';
import type { Door } from './call.ts';
import { clusterHandlers } from './cluster-service.ts';
import { HealthService } from './health-service.ts';
import { heartbeatHandlers } from './heartbeat-service.ts';
import { limitConnections, raiseStreamResets, tolerateLongDeadlines } from './http2-guards.ts';
import { OpenStreams } from './open-streams.ts';
import { readHandlers } from './read-service.ts';
import { addReflection } from './reflection.ts';
import { writeHandlers } from './registry-service.ts';
import { watchHandler } from './watch-service.ts';

export interface GrpcDoorOptions {
  readonly node: RegistryNode;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: ApiLimits;
  /** Version of the software, as Cluster.Status tells it. */
  readonly version: string;
  /** Takes Cluster calls that change something from other hosts too. */
  readonly allowRemoteAdmin: boolean;
}

export interface GrpcDoor {
  /** Binds `host:port`; port 0 takes a free one. Resolves with where it listens, rejects when it cannot. Once only. */
  listen(address: string): Promise<{ readonly port: number; readonly address: string }>;
  /** Says NOT_SERVING, ends every stream with `shutting_down`, lets calls finish for up to `graceMs`, then cuts them off.
   * Resolves when no connection is left. */
  stop(options: { readonly graceMs: number }): Promise<void>;
}

/** Half-open connections are noticed after two of these at most, and their watches closed. */
const KEEPALIVE_MS = 20_000;
/** A client without a call for this long reconnects when it has one again. */
const IDLE_MS = 30 * 60_000;
/** Of the grace, for GOAWAY and the last bytes after everything has been ended. */
const LEAST_GRACE_MS = 50;

export function createGrpcServer(options: GrpcDoorOptions): GrpcDoor {
  return new GrpcServer(options);
}

class GrpcServer implements GrpcDoor {
  readonly #door: Door;
  readonly #server: Server;
  readonly #streams = new OpenStreams();
  readonly #health: HealthService;
  #address: string | undefined;

  constructor(options: GrpcDoorOptions) {
    this.#door = options;
    const { limits } = options;
    this.#server = new Server({
      'grpc.max_concurrent_streams': limits.streamsPerConnection,
      // What is beyond the limit and not absurd is refused by us, in our words; the rest by grpc-js.
      'grpc.max_receive_message_length': 2 * limits.messageInBytes,
      // The last resort: what we send is cut to messageOutBytes, but one item may be larger by itself.
      'grpc.max_send_message_length': 2 * limits.messageOutBytes,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
      'grpc.max_connection_idle_ms': IDLE_MS,
      // Switched off, forceShutdown would leave connections open.
      'grpc.enable_channelz': 1,
    });
    this.#health = new HealthService(this.#door, this.#streams);
    this.#addServices();
    if (!raiseStreamResets(this.#server, process.versions.node)) {
      options.log.info({ event: 'stream_reset_guard', raised: false });
    }
  }

  listen(address: string): Promise<{ readonly port: number; readonly address: string }> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
        if (error !== null) {
          reject(error);
          return;
        }
        this.#guard();
        const bound = address.replace(/:[0-9]+$/, `:${port}`);
        this.#address = bound;
        resolve({ port, address: bound });
      });
    });
  }

  async stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#health.stop();
    this.#streams.endAll();
    const patienceMs = Math.max(graceMs, LEAST_GRACE_MS);
    if (this.#address !== undefined) this.#server.drain(this.#address, patienceMs);
    await new Promise<void>((resolve) => {
      const cancel = this.#door.clock.after(patienceMs, () => {
        this.#door.log.warn({ event: 'calls_cut_off', graceMs: patienceMs });
        this.#server.forceShutdown();
        resolve();
      });
      this.#server.tryShutdown(() => {
        cancel();
        resolve();
      });
    });
  }

  #addServices(): void {
    const door = this.#door;
    const { limits } = door;
    const streams = this.#streams;
    const connections = new ConnectionWatches(limits.watchesPerConnection);
    this.#server.addService(rawService(serviceNames.registry), {
      ...writeHandlers(door),
      ...heartbeatHandlers(door, streams),
      ...readHandlers(door),
      Watch: watchHandler({ door, connections, streams }),
    });
    this.#server.addService(rawService(serviceNames.cluster), clusterHandlers(door, streams));
    this.#server.addService(rawService(serviceNames.health), this.#health.handlers());
    addReflection(this.#server);
  }

  #guard(): void {
    const guarded =
      limitConnections(this.#server, this.#door.limits.connections) &&
      tolerateLongDeadlines(this.#server);
    if (!guarded) this.#door.log.warn({ event: 'http2_guards_missing' });
  }
}
