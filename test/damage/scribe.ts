// The one writer. It tries each write, with its request id, until it is acknowledged: what it was told then is the truth.
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import type { Random } from '../../src/lib/random.ts';
import type { RegistryClient } from '../../src/rpc/gen/rollcall/v1/Registry.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import type { Op, Truth } from './truth.ts';

const attemptMs = 1500;
const pauseMs = 10;
/** Instances that take turns in being there. */
const names = 160;
/** So that a state of them fills some pages. */
export const padding = Array.from({ length: 60 }, (_, number) => `p${number * 7919}`).join('');
export const endpoint = { host: '10.0.0.1', port: 1000 } as const;
const bulkWriters = 16;

export class Scribe {
  readonly #clients: readonly RegistryClient[];
  readonly #truth: Truth;
  readonly #patienceMs: number;
  #written = 0;

  constructor(endpoints: readonly string[], truth: Truth, patienceMs: number) {
    this.#clients = endpoints.map(registryClient);
    this.#truth = truth;
    this.#patienceMs = patienceMs;
  }

  /** One after the other. Rejects when one is not acknowledged in time. */
  async write(count: number, random: Random): Promise<void> {
    for (let done = 0; done < count; done++) {
      const instanceId = `i${random.integer(0, names)}`;
      const leaves = this.#truth.now.has(instanceId) && random.next() < 0.4;
      await this.#settle({
        kind: leaves ? 'deregister' : 'register',
        instanceId,
        mark: this.#mark(),
      });
    }
  }

  /** Registrations, many at a time. */
  async bulk(count: number): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const instanceId = `i${left % names}`;
        await this.#settle({ kind: 'register', instanceId, mark: this.#mark() });
      }
    };
    await Promise.all(Array.from({ length: bulkWriters }, worker));
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #mark(): string {
    this.#written += 1;
    return `damage-mark-${String(this.#written).padStart(8, '0')}`;
  }

  async #settle(op: Op): Promise<void> {
    const deadline = performance.now() + this.#patienceMs;
    let last: unknown;
    for (let turn = this.#written; performance.now() < deadline; turn++) {
      const client = present(this.#clients[turn % this.#clients.length], 'a client');
      try {
        this.#truth.acknowledged(await attempt(client, op), op);
        return;
      } catch (error) {
        last = error;
        await delay(pauseMs);
      }
    }
    const reason = last instanceof Error ? last.message : String(last);
    throw new Error(`the write ${op.mark} was not acknowledged in time: ${reason}`);
  }
}

async function attempt(client: RegistryClient, op: Op): Promise<number> {
  const { instanceId: id, mark } = op;
  if (op.kind === 'deregister') {
    const request = { instance_id: id, request_id: mark, reason: mark };
    const { revision } = await unary<{ revision: string }>(
      (options, callback) => client.deregister(request, options, callback),
      attemptMs,
    );
    return Number(revision);
  }
  const instance = {
    service_name: `service-${id.length}`,
    instance_id: id,
    ...endpoint,
    ttl_ms: 86_400_000,
    metadata: { mark, padding },
  };
  const { revision } = await unary<{ revision: string }>(
    (options, callback) => client.register({ instance, request_id: mark }, options, callback),
    attemptMs,
  );
  return Number(revision);
}
