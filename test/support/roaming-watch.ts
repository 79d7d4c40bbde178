// A watch of everything over gRPC that outlives the nodes it reads from: when its stream ends it goes on at the next endpoint, with the
// token of the last message.
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { present } from '../../src/lib/assert.ts';
import type { RegistryClient } from '../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { WatchRequest } from '../../src/rpc/gen/rollcall/v1/WatchRequest.ts';
import type { WatchResponse__Output } from '../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { registryClient } from './grpc-client.ts';

const pauseMs = 20;

export class RoamingWatch {
  /** How often it has gone on elsewhere. */
  resumes = 0;
  readonly #endpoints: readonly string[];
  readonly #take: (message: WatchResponse__Output) => void;
  #position: number;
  #token = '';
  #closed = false;
  #client: RegistryClient | undefined;
  #stream: ClientDuplexStream<WatchRequest, WatchResponse__Output> | undefined;

  /** Begins at the endpoint with the number `first`; `take` is given each message, in order. */
  constructor(
    endpoints: readonly string[],
    first: number,
    take: (message: WatchResponse__Output) => void,
  ) {
    this.#endpoints = endpoints;
    this.#position = first;
    this.#take = take;
    this.#open();
  }

  /** Where its stream is, or is being opened. */
  get endpoint(): string {
    return present(this.#endpoints[this.#position % this.#endpoints.length], 'an endpoint');
  }

  /** Leaves its stream and resumes at the next endpoint. */
  moveOn(): void {
    this.#stream?.cancel();
  }

  close(): void {
    this.#closed = true;
    this.#stream?.cancel();
    this.#client?.close();
  }

  #open(): void {
    if (this.#closed) return;
    this.#client?.close();
    this.#client = registryClient(this.endpoint);
    const stream = this.#client.watch();
    this.#stream = stream;
    stream.on('data', (message: WatchResponse__Output) => {
      if (stream !== this.#stream) return;
      this.#take(message);
      this.#token = message.resume_token;
    });
    let ended = false;
    const again = (): void => {
      if (ended || stream !== this.#stream) return;
      ended = true;
      this.#position++;
      this.resumes++;
      setTimeout(() => this.#open(), pauseMs);
    };
    stream.on('error', again);
    stream.on('end', again);
    stream.write({ selector: {}, resume_token: this.#token, read: { consistency: 'STALE' } });
  }
}
