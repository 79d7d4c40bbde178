// One dialled stream with a connection of its own: a new attempt never waits for grpc-js's reconnection backoff, and
// never shares the fate of another channel to the same address.
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { exchange } from './exchange.ts';
import type { PeerTransportLimits } from './limits.ts';
import { OutboundQueue } from './outbound-queue.ts';

/** Writes handed to grpc-js and not yet flushed. Two keep the socket busy; what comes meanwhile is joined. This window is
 * narrower than the stream's own buffer, so write() never answers false. */
const MAX_UNFLUSHED_WRITES = 2;

export interface OutboundStreamEvents {
  onMessage(message: Buffer): void;
  /** Told once, and not after close(). `code` is the gRPC status. */
  onEnd(code: number, details: string): void;
}

export class OutboundStream {
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #queue: OutboundQueue;
  readonly #events: OutboundStreamEvents;
  #unflushedWrites = 0;
  #closed = false;
  /** Set once the stream is to end. */
  #onFinished: (() => void) | undefined;

  /** Begins to connect and writes `hello` as soon as that is done. `address`: host:port. */
  constructor(
    address: string,
    hello: Buffer,
    limits: PeerTransportLimits,
    events: OutboundStreamEvents,
  ) {
    this.#events = events;
    this.#queue = new OutboundQueue(limits);
    this.#client = new Client(`dns:${address}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_channelz': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.max_send_message_length': -1,
      'grpc.max_receive_message_length': limits.maxHelloBytes,
      'grpc.keepalive_time_ms': limits.pingIntervalMs,
      'grpc.keepalive_timeout_ms': limits.pingTimeoutMs,
    });
    const { path, requestSerialize, responseDeserialize } = exchange;
    this.#call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#call.on('data', (message: Buffer) => {
      if (!this.#closed && this.#onFinished === undefined) this.#events.onMessage(message);
    });
    this.#call.on('error', (error: ServiceError) => this.#end(error.code, error.details));
    this.#call.on('end', () => this.#end(0, 'the peer ended the stream'));
    this.#call.write(hello);
  }

  /** False when the queue is full; then nothing was queued. */
  send(messages: readonly Buffer[]): boolean {
    if (this.#closed || this.#onFinished !== undefined) return false;
    if (!this.#queue.offer(messages)) return false;
    this.#flush();
    return true;
  }

  /** Sends what is queued, then ends the stream. Resolves when the listener has ended its side too, which it does after
   * it has read everything, or when the stream is lost. No event is told any more. */
  finish(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onFinished = resolve;
      this.#flush();
    });
  }

  /** Drops the stream and its connection. What is still queued is lost. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#call.cancel();
    this.#client.close();
    this.#onFinished?.();
  }

  #flush(): void {
    while (this.#unflushedWrites < MAX_UNFLUSHED_WRITES) {
      const message = this.#queue.take();
      if (message === undefined) break;
      this.#unflushedWrites += 1;
      this.#call.write(message.bytes, () => {
        this.#unflushedWrites -= 1;
        this.#queue.flushed(message);
        if (!this.#closed) this.#flush();
      });
    }
    if (this.#queue.idle && this.#onFinished !== undefined) this.#call.end();
  }

  #end(code: number, details: string): void {
    if (this.#closed) return;
    this.close();
    if (this.#onFinished === undefined) this.#events.onEnd(code, details);
  }
}
