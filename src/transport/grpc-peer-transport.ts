// PeerTransport over gRPC: a server for the streams of others, a link for each peer this node dials.
import type { Logger } from 'pino';
import { assert, present } from '../lib/assert.ts';
import type { NodeId } from '../lib/ids.ts';
import type { Random } from '../lib/random.ts';
import type { PeerFrame } from '../node/peer-protocol.ts';
import type { Clock, PeerTransport, TransportHandlers } from '../node/ports.ts';
import { defaultPeerTransportLimits, type PeerTransportLimits } from './limits.ts';
import { createOccasionalLog } from './occasional-log.ts';
import { PeerLink, type TransportContext } from './peer-link.ts';
import { PeerServer } from './peer-server.ts';

export interface GrpcPeerTransportOptions {
  /** host:port to listen on; an IPv6 host in brackets; port 0 takes a free one. */
  readonly listen: string;
  readonly self: NodeId;
  readonly log: Logger;
  readonly clock: Clock;
  /** The leader's heartbeat in milliseconds: a dial unanswered for two of them counts as a peer that is gone. */
  readonly heartbeatMs: number;
  /** Jitter of redials. */
  readonly random: Random;
  readonly limits?: Partial<PeerTransportLimits>;
}

/** Not started yet. `start` rejects when the address cannot be listened on; `send` throws InvariantError for a single
 * frame over maxMessageBytes. */
export function createGrpcPeerTransport(options: GrpcPeerTransportOptions): PeerTransport {
  return new GrpcPeerTransport(options);
}

class GrpcPeerTransport implements PeerTransport {
  readonly #options: GrpcPeerTransportOptions;
  readonly #links = new Map<NodeId, PeerLink>();
  #running: { readonly context: TransportContext; readonly server: PeerServer } | undefined;
  #stopping: Promise<void> | undefined;
  #address: string;

  constructor(options: GrpcPeerTransportOptions) {
    this.#options = options;
    this.#address = options.listen;
  }

  get address(): string {
    return this.#address;
  }

  async start(handlers: TransportHandlers): Promise<void> {
    assert(this.#running === undefined, 'a transport starts once');
    const { clock, heartbeatMs, log, random, self } = this.#options;
    const context: TransportContext = {
      self,
      handlers,
      clock,
      random,
      heartbeatMs,
      limits: { ...defaultPeerTransportLimits, ...this.#options.limits },
      warn: createOccasionalLog(log, clock),
    };
    const server = new PeerServer(context, {
      onAdmitted: (peer) => this.#links.get(peer)?.nudge(),
    });
    this.#running = { context, server };
    const { host, port } = parseListenAddress(this.#options.listen);
    const boundPort = await server.listen(host, port);
    this.#address = `${host.includes(':') ? `[${host}]` : host}:${boundPort}`;
  }

  connect(peers: readonly { readonly nodeId: NodeId; readonly address: string }[]): void {
    const { context } = present(this.#running, 'a transport connects after it was started');
    if (this.#stopping !== undefined) return;
    const wanted = new Map(peers.map(({ nodeId, address }) => [nodeId, address]));
    wanted.delete(context.self);
    const moved: NodeId[] = [];
    for (const [peer, link] of this.#links) {
      if (wanted.get(peer) === link.address) continue;
      this.#links.delete(peer);
      if (link.close() && wanted.has(peer)) moved.push(peer);
    }
    for (const [peer, address] of wanted) {
      if (!this.#links.has(peer)) this.#links.set(peer, new PeerLink(peer, address, context));
    }
    // Told last, because a handler may call back.
    for (const peer of moved) context.handlers.onBroken(peer);
  }

  dismiss(peer: NodeId): void {
    this.#running?.server.dismiss(peer);
  }

  send(to: NodeId, frames: readonly PeerFrame[]): boolean {
    return this.#links.get(to)?.send(frames) ?? false;
  }

  /** Lets go out what is queued, for stopFlushMs at most, then ends everything. No handler is called any more. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    if (this.#running === undefined) return;
    const { context, server } = this.#running;
    const links = [...this.#links.values()];
    await Promise.race([
      Promise.all(links.map((link) => link.finish())),
      new Promise<void>((resolve) => {
        context.clock.after(context.limits.stopFlushMs, resolve);
      }),
    ]);
    for (const link of links) link.close();
    await server.stop();
  }
}

function parseListenAddress(listen: string): { readonly host: string; readonly port: number } {
  const split = listen.lastIndexOf(':');
  const host = listen.slice(0, split).replace(/^\[(.*)\]$/, '$1');
  const port = Number(listen.slice(split + 1));
  assert(split > 0 && Number.isInteger(port), `a peer listens on host:port, not ${listen}`);
  return { host, port };
}
