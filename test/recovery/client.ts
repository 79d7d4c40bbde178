// A client that outlives clusters: it keeps the highest revision it was ever told, resume and page tokens, generations and answers,
// and says what each of them is worth later.
import type { ServiceError } from '@grpc/grpc-js';
import type { HeartbeatResponse__Output } from '../../src/rpc/gen/rollcall/v1/HeartbeatResponse.ts';
import type { ListInstancesResponse__Output } from '../../src/rpc/gen/rollcall/v1/ListInstancesResponse.ts';
import type { RegisterResponse__Output } from '../../src/rpc/gen/rollcall/v1/RegisterResponse.ts';
import type { WatchResponse__Output } from '../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { registryClient, unary } from '../support/grpc-client.ts';

const patienceMs = 30_000;

export function expectThat(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

export interface Registration {
  readonly revision: number;
  readonly generation: string;
}

export class LongLivedClient {
  readonly #address: string;
  /** Every revision that was ever given to this client, by what it was given for. */
  readonly #given = new Map<number, string>();
  highest = 0;

  constructor(address: string) {
    this.#address = address;
  }

  async register(id: string, port: number, requestId: string): Promise<Registration> {
    const instance = {
      service_name: 'town',
      instance_id: id,
      host: '10.0.0.1',
      port,
      ttl_ms: 3_600_000,
    };
    const client = registryClient(this.#address);
    try {
      const { revision, generation } = await unary<RegisterResponse__Output>(
        (options, done) => client.register({ instance, request_id: requestId }, options, done),
        patienceMs,
      );
      return { revision: Number(revision), generation };
    } finally {
      client.close();
    }
  }

  /** A write that must have a revision of its own, above all that were ever seen. */
  async registerAnew(id: string, port: number, requestId: string): Promise<Registration> {
    const registration = await this.register(id, port, requestId);
    const { revision } = registration;
    const earlier = this.#given.get(revision);
    expectThat(earlier === undefined, `revision ${revision} was given to ${earlier} and to ${id}`);
    expectThat(revision > this.highest, `revision ${revision} after ${this.highest} (G11)`);
    this.#given.set(revision, id);
    this.highest = revision;
    return registration;
  }

  async deregister(id: string): Promise<void> {
    const client = registryClient(this.#address);
    try {
      const { revision } = await unary<{ readonly revision: string }>(
        (options, done) => client.deregister({ instance_id: id }, options, done),
        patienceMs,
      );
      this.highest = Math.max(this.highest, Number(revision));
    } finally {
      client.close();
    }
  }

  /** All instances with their generations, as of now and not older than the highest revision seen. */
  async list(pageSize = 1000, pageToken = ''): Promise<ListInstancesResponse__Output> {
    const client = registryClient(this.#address);
    const selector = { services: ['town'] };
    const read = { min_revision: String(this.highest) };
    const request = { selector, read, page_size: pageSize, page_token: pageToken };
    try {
      return await unary<ListInstancesResponse__Output>(
        (options, done) => client.listInstances(request, options, done),
        patienceMs,
      );
    } finally {
      client.close();
    }
  }

  async heartbeat(
    beats: readonly { readonly instance_id: string; readonly generation: string }[],
  ): Promise<HeartbeatResponse__Output> {
    const client = registryClient(this.#address);
    try {
      return await unary<HeartbeatResponse__Output>(
        (options, done) => client.heartbeat({ beats: [...beats] }, options, done),
        patienceMs,
      );
    } finally {
      client.close();
    }
  }

  /** The first messages of a watch, up to the end of a restated state. */
  async watch(resumeToken: string): Promise<readonly WatchResponse__Output[]> {
    const client = registryClient(this.#address);
    const stream = client.watch({ deadline: Date.now() + patienceMs });
    const messages: WatchResponse__Output[] = [];
    try {
      stream.write({ selector: { services: ['town'] }, resume_token: resumeToken });
      for await (const message of stream as AsyncIterable<WatchResponse__Output>) {
        messages.push(message);
        if (!message.more) return messages;
      }
      throw new Error('the watch ended');
    } finally {
      stream.on('error', () => undefined);
      stream.cancel();
      client.close();
    }
  }
}

/** The message of the failure with which the call ends. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return (error as ServiceError).details;
  }
  throw new Error('the call succeeded');
}

/** `id generation`, sorted. */
export const contentOf = ({ instances }: ListInstancesResponse__Output): readonly string[] =>
  instances.map(({ instance_id: id, generation }) => `${id} ${generation}`).toSorted();
