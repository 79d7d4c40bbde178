// grpc.health.v1. "" is SERVING once this node has caught up, until it stops: it can answer stale reads and watches
// without a leader. The Registry is SERVING while a leader is known too.
import type { handleServerStreamingCall } from '@grpc/grpc-js';
import { RegistryError } from '../../lib/registry-error.ts';
import { serviceNames } from '../../rpc/raw-service.ts';
import { type Door, failureOf, unary } from './call.ts';
import { decodeHealthCheck } from './decode.ts';
import { encodeHealth, encodeHealthList } from './encode.ts';
import type { OpenStreams } from './open-streams.ts';

/** Numbers of HealthCheckResponse.ServingStatus. */
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

/** The names that are served. */
const NAMES = ['', serviceNames.registry] as const;

export class HealthService {
  readonly #door: Door;
  readonly #streams: OpenStreams;
  /** Told at each change that may matter; each watch compares for itself. */
  readonly #watches = new Set<() => void>();
  #stopping = false;

  constructor(door: Door, streams: OpenStreams) {
    this.#door = door;
    this.#streams = streams;
    door.node.onHealthChange(() => this.#tell());
  }

  /** From now on everything is NOT_SERVING. */
  stop(): void {
    this.#stopping = true;
    this.#tell();
  }

  handlers() {
    return {
      Check: unary(this.#door, async (bytes) => {
        const state = this.#stateOf(decodeHealthCheck(bytes));
        if (state === undefined) throw new RegistryError('notFound', 'no such service');
        return encodeHealth(state);
      }),
      List: unary(this.#door, async () =>
        encodeHealthList(NAMES.map((name) => [name, this.#stateOf(name) ?? NOT_SERVING])),
      ),
      Watch: this.#watch(),
    };
  }

  /** undefined for a name that is not served. */
  #stateOf(name: string): number | undefined {
    const { caughtUp, stopping, leaderId } = this.#door.node.status();
    const isUp = caughtUp && !stopping && !this.#stopping;
    if (name === '') return isUp ? SERVING : NOT_SERVING;
    if (name === serviceNames.registry) return isUp && leaderId !== '' ? SERVING : NOT_SERVING;
    return undefined;
  }

  #tell(): void {
    for (const watch of this.#watches) watch();
  }

  #watch(): handleServerStreamingCall<Buffer, Buffer> {
    return (call) => {
      let told: number | undefined;
      let name: string;
      const fail = (error: unknown): void => {
        leave();
        call.emit('error', failureOf(this.#door, call, error));
      };
      const tell = (): void => {
        const state = this.#stateOf(name) ?? SERVICE_UNKNOWN;
        // A reader that does not read is told the latest state once it does.
        if (state === told || call.writableNeedDrain) return;
        told = state;
        call.write(encodeHealth(state));
      };
      const leave = (): void => {
        this.#watches.delete(tell);
        this.#streams.remove(fail);
      };
      try {
        name = decodeHealthCheck(call.request);
        this.#admit();
      } catch (error) {
        fail(error);
        return;
      }
      this.#watches.add(tell);
      call.on('drain', tell);
      call.on('cancelled', leave);
      tell();
      this.#streams.add(fail);
    };
  }

  #admit(): void {
    const limit = this.#door.limits.healthWatches;
    if (this.#watches.size >= limit) {
      throw new RegistryError('resourceExhausted', `health watches of this node, limit ${limit}`);
    }
  }
}
