// The listening side: admits peers, takes their frames, says nothing but its hello. One stream to a connection, so a
// connection lives as long as its stream, and grpc-js's guard against floods of resets can only ever hit their author.
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import type { NodeId } from '../lib/ids.ts';
import { peerService } from './exchange.ts';
import { WireError } from './msgpack.ts';
import { misdirected, type TransportContext } from './peer-link.ts';
import { decodeMessage, encodeHello, encodeRefusal, type Payload } from './wire.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

interface Connection {
  readonly socket: Socket;
  /** Stops the clock that closes a connection without an accepted hello. */
  readonly cancelDeadline: () => void;
  /** It has said something that was answered, or refused with a reason, and logged; or it was closed from here. */
  wasHeard: boolean;
}

/** Beyond one batch of the largest frames, what the framing around it takes. */
const MESSAGE_SLACK_BYTES = 64 * 1024;

export interface PeerServerEvents {
  /** A hello of this peer was accepted. */
  onAdmitted(peer: NodeId): void;
}

export class PeerServer {
  readonly #context: TransportContext;
  readonly #events: PeerServerEvents;
  readonly #grpc: Server;
  readonly #injector: ConnectionInjector;
  readonly #net: NetServer;
  /** By remote address and port, as getPeer() of a call names it; in order of arrival. */
  readonly #connections = new Map<string, Connection>();
  readonly #pending = new Set<string>();
  /** The stream whose frames count, for each peer. */
  readonly #inbound = new Map<NodeId, Call>();
  #stopped = false;

  constructor(context: TransportContext, events: PeerServerEvents) {
    this.#context = context;
    this.#events = events;
    const { limits } = context;
    this.#grpc = new Server({
      'grpc.max_concurrent_streams': 1,
      'grpc.max_receive_message_length': limits.maxMessageBytes + MESSAGE_SLACK_BYTES,
      'grpc.keepalive_time_ms': limits.pingIntervalMs,
      'grpc.keepalive_timeout_ms': limits.pingTimeoutMs,
    });
    this.#grpc.addService(peerService, { exchange: (call: Call) => this.#onStream(call) });
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#net = createServer({ noDelay: true }, (socket) => this.#onConnection(socket));
  }

  /** Resolves with the port. Rejects when the address cannot be had. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#net.once('error', (cause) =>
        reject(
          new Error(`cannot listen for peers on ${host}:${port}: ${cause.message}`, { cause }),
        ),
      );
      this.#net.listen({ host, port }, () => {
        const address = this.#net.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Ends all streams and connections; resolves once the port is free. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const closed = new Promise<void>((resolve) => {
      if (this.#net.listening) this.#net.close(() => resolve());
      else resolve();
    });
    for (const call of this.#inbound.values()) end(call, status.UNAVAILABLE, 'node is stopping');
    this.#inbound.clear();
    this.#grpc.forceShutdown();
    for (const { socket, cancelDeadline } of this.#connections.values()) {
      cancelDeadline();
      socket.destroy();
    }
    await closed;
  }

  /** Ends the stream of a peer that is not welcome any more. */
  dismiss(peer: NodeId): void {
    const call = this.#inbound.get(peer);
    if (call === undefined) return;
    this.#inbound.delete(peer);
    end(call, status.ABORTED, 'no longer a member');
  }

  #onConnection(socket: Socket): void {
    const key = `${socket.remoteAddress}:${socket.remotePort}`;
    const { clock, limits, warn } = this.#context;
    // An error is followed by close, and a peer that resets its connection is no event.
    socket.on('error', () => {});
    const [oldest] = this.#pending;
    if (this.#pending.size >= limits.maxPendingHellos && oldest !== undefined) {
      warn('too many connections without a hello', remoteHost(oldest), {
        limit: limits.maxPendingHellos,
      });
      this.#close(oldest);
      this.#pending.delete(oldest);
    }
    const cancelDeadline = clock.after(limits.helloTimeoutMs, () => {
      warn('no hello in time', remoteHost(key), { limitMs: limits.helloTimeoutMs });
      this.#close(key);
    });
    this.#pending.add(key);
    const connection: Connection = { socket, cancelDeadline, wasHeard: false };
    this.#connections.set(key, connection);
    socket.once('close', () => {
      cancelDeadline();
      if (!connection.wasHeard && !this.#stopped) {
        warn('a connection ended without a hello', remoteHost(key), {});
      }
      this.#pending.delete(key);
      this.#connections.delete(key);
    });
    this.#injector.injectConnection(socket);
  }

  /** Whoever calls this has said why. */
  #close(key: string): void {
    const connection = this.#connections.get(key);
    if (connection === undefined) return;
    connection.wasHeard = true;
    connection.socket.destroy();
  }

  #onStream(call: Call): void {
    const key = call.getPeer();
    let from: NodeId | undefined;
    let ended = false;
    const finish = (): void => {
      ended = true;
      if (from === undefined) return;
      if (this.#inbound.get(from) === call) this.#inbound.delete(from);
      this.#connections.get(key)?.socket.destroy();
    };
    call.on('error', finish);
    call.on('cancelled', finish);
    call.on('end', () => {
      call.end();
      finish();
    });
    call.on('data', (message: Buffer) => {
      if (ended || this.#stopped) return;
      const connection = this.#connections.get(key);
      if (connection !== undefined) connection.wasHeard = true;
      try {
        if (from === undefined) from = this.#greet(call, key, message);
        else this.#deliver(from, message);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        ended = true;
        const peer = from ?? remoteHost(key);
        this.#context.warn('peer sent what is no frame', peer, { details: error.message });
        end(call, status.INVALID_ARGUMENT, error.message);
        finish();
      }
    });
  }

  /** Answers the first message of a stream. Returns the peer's name once it is admitted. */
  #greet(call: Call, key: string, message: Buffer): NodeId | undefined {
    const { handlers, limits, self, warn } = this.#context;
    if (message.length > limits.maxHelloBytes) {
      throw new WireError(`hello of ${message.length} bytes, limit ${limits.maxHelloBytes}`);
    }
    const hello = helloOf(decodeMessage(message));
    const refusal = misdirected(hello, undefined, self) ?? handlers.admit(hello);
    if (refusal !== undefined) {
      warn('refused a peer', hello.nodeId, { ...refusal, address: remoteHost(key) });
      call.write(encodeRefusal(refusal));
      call.end();
      return undefined;
    }
    this.#connections.get(key)?.cancelDeadline();
    this.#pending.delete(key);
    const replaced = this.#inbound.get(hello.nodeId);
    this.#inbound.set(hello.nodeId, call);
    // Ended within this call, so that none of its frames can come behind those of its successor.
    if (replaced !== undefined) end(replaced, status.ABORTED, 'replaced by a newer stream');
    call.write(encodeHello({ ...handlers.hello(), target: hello.nodeId }));
    this.#events.onAdmitted(hello.nodeId);
    return hello.nodeId;
  }

  #deliver(from: NodeId, message: Buffer): void {
    for (const payload of decodeMessage(message)) {
      if (payload.kind !== 'frames') throw new WireError('only frames follow a hello');
      this.#context.handlers.onFrames(from, payload.frames);
    }
  }
}

function helloOf(payloads: readonly Payload[]): Extract<Payload, { kind: 'hello' }>['hello'] {
  const [payload, ...more] = payloads;
  if (payload?.kind !== 'hello' || more.length > 0)
    throw new WireError('a stream opens with a hello');
  return payload.hello;
}

/** Ends a call with a status other than OK; grpc-js reads it from an emitted error. */
function end(call: Call, code: status, details: string): void {
  call.emit('error', { code, details });
}

const remoteHost = (key: string): string => key.slice(0, key.lastIndexOf(':'));
