// Peers in one process: an in-memory network of PeerTransport objects that can be cut, healed and killed. Follows the
// rules of the real one: each node dials each other, frames go out on the stream the sender dialled, a lost frame breaks it.
import type { NodeId } from '../../src/lib/ids.ts';
import type { Hello, PeerFrame, Refusal } from '../../src/node/peer-protocol.ts';
import type { Clock, PeerTransport, TransportHandlers } from '../../src/node/ports.ts';
import { PausableClock } from './fake-clock.ts';

export interface MemoryNetworkOptions {
  readonly clock: Clock;
  /** One way, in milliseconds. Default 1. */
  readonly delayMs?: number;
  /** Default 20. */
  readonly redialMs?: number;
  /** How long a dial into a cut waits before it counts as unanswered: two heartbeats. Default 100. */
  readonly unansweredMs?: number;
  /** Messages under way on one stream. Default 4096. */
  readonly maxQueued?: number;
}

interface Stream {
  readonly to: MemoryTransport;
  open: boolean;
  queued: number;
  /** Something was lost on it: the stream cannot go on once the path is whole again. */
  lossy: boolean;
}

export class MemoryNetwork {
  readonly #options: Required<MemoryNetworkOptions>;
  readonly #listening = new Map<string, MemoryTransport>();
  readonly #cuts = new Set<string>();

  constructor(options: MemoryNetworkOptions) {
    this.#options = { delayMs: 1, redialMs: 20, unansweredMs: 100, maxQueued: 4096, ...options };
  }

  /** A transport for `nodeId` at `address`; `clock` is the node's own, where it can be paused. */
  transport(
    nodeId: NodeId,
    clock: Clock = this.#options.clock,
    address = `memory:${nodeId}`,
  ): MemoryTransport {
    return new MemoryTransport(this, nodeId, address, clock, this.#options);
  }

  /** Nodes in different groups no longer hear each other: `n1 | n2 n3`. What is sent is lost without a word. */
  partition(groups: string): void {
    const sides = groups.split('|').map((side) => side.trim().split(/\s+/));
    for (const [position, side] of sides.entries()) {
      const others = sides.filter((_, other) => other !== position).flat();
      for (const from of side) for (const to of others) this.cut(from, to);
    }
  }

  /** Cuts one direction only. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Every path is whole again; streams that lost something break and are dialled anew. */
  heal(): void {
    this.#cuts.clear();
    for (const node of this.#listening.values()) node.breakStreams((stream) => stream.lossy);
  }

  passes(from: NodeId, to: NodeId): boolean {
    return !this.#cuts.has(`${from}>${to}`);
  }

  join(node: MemoryTransport): void {
    this.#listening.set(node.address, node);
  }

  leave(node: MemoryTransport): void {
    if (this.at(node.address) === node) this.#listening.delete(node.address);
    for (const other of this.#listening.values()) other.breakStreams(({ to }) => to === node);
  }

  /** The streams of `peer` to this listener end, once it has heard of it. */
  dismissed(peer: NodeId, listener: MemoryTransport): void {
    for (const other of this.#listening.values()) {
      if (other.nodeId === peer) other.breakStreams(({ to }) => to === listener);
    }
  }

  /** Who listens at an address. */
  at(address: string): MemoryTransport | undefined {
    return this.#listening.get(address);
  }
}

export class MemoryTransport implements PeerTransport {
  readonly nodeId: NodeId;
  readonly address: string;
  readonly #network: MemoryNetwork;
  readonly #clock: Clock;
  readonly #options: Required<MemoryNetworkOptions>;
  readonly #streams = new Map<NodeId, Stream>();
  readonly #addresses = new Map<NodeId, string>();
  readonly #cancelDials = new Map<NodeId, () => void>();
  #handlers: TransportHandlers | undefined;
  #stopped = false;
  /** Messages handed to send and taken, for tests that count. */
  sent = 0;

  constructor(
    network: MemoryNetwork,
    nodeId: NodeId,
    address: string,
    clock: Clock,
    options: Required<MemoryNetworkOptions>,
  ) {
    this.#network = network;
    this.nodeId = nodeId;
    this.address = address;
    this.#clock = clock;
    this.#options = options;
  }

  start(handlers: TransportHandlers): Promise<void> {
    this.#handlers = handlers;
    this.#network.join(this);
    return Promise.resolve();
  }

  connect(peers: readonly { readonly nodeId: NodeId; readonly address: string }[]): void {
    const wanted = new Map(peers.map(({ nodeId, address }) => [nodeId, address]));
    wanted.delete(this.nodeId);
    for (const [peer, address] of this.#addresses) {
      if (wanted.get(peer) !== address) this.#forget(peer);
    }
    for (const [peer, address] of wanted) {
      if (this.#addresses.has(peer)) continue;
      this.#addresses.set(peer, address);
      this.#dialAfter(peer, 0);
    }
  }

  dismiss(peer: NodeId): void {
    this.#network.dismissed(peer, this);
  }

  send(to: NodeId, frames: readonly PeerFrame[]): boolean {
    const stream = this.#streams.get(to);
    if (this.#stopped || stream === undefined || !stream.open) return false;
    if (stream.queued >= this.#options.maxQueued) return false;
    this.sent++;
    stream.queued++;
    this.#options.clock.after(this.#options.delayMs, () => {
      stream.queued--;
      if (!stream.open) return;
      if (this.#network.passes(this.nodeId, to)) stream.to.receive(this, frames);
      else stream.lossy = true;
    });
    return true;
  }

  stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancelDials.values()) cancel();
    for (const stream of this.#streams.values()) stream.open = false;
    this.#network.leave(this);
    return Promise.resolve();
  }

  /** The process is stopped: the kernel still accepts its connections, nobody answers them. */
  get asleep(): boolean {
    return this.#clock instanceof PausableClock && this.#clock.paused;
  }

  /** Frames arrive when this node's process runs: a paused one reads them later. */
  receive(from: MemoryTransport, frames: readonly PeerFrame[]): void {
    this.#clock.defer(() => {
      if (!this.#stopped) this.#handlers?.onFrames(from.nodeId, frames);
    });
  }

  /** The listener's half of a handshake: its own hello, or the refusal. */
  accept(hello: Hello): Refusal | Hello | undefined {
    const handlers = this.#handlers;
    if (handlers === undefined) return undefined;
    const refusal = handlers.admit(hello);
    if (refusal === undefined) return { ...handlers.hello(), target: hello.nodeId };
    handlers.onRefused(hello.nodeId, refusal);
    return refusal;
  }

  breakStreams(which: (stream: Stream) => boolean): void {
    for (const [peer, stream] of this.#streams) {
      if (!stream.open || this.#stopped || !which(stream)) continue;
      stream.open = false;
      this.#clock.defer(() => {
        if (this.#stopped || this.#streams.get(peer) !== stream) return;
        this.#handlers?.onBroken(peer);
        this.#dialAfter(peer, this.#options.delayMs);
      });
    }
  }

  #forget(peer: NodeId): void {
    this.#cancelDials.get(peer)?.();
    const stream = this.#streams.get(peer);
    if (stream !== undefined) stream.open = false;
    this.#streams.delete(peer);
    this.#addresses.delete(peer);
  }

  #dialAfter(peer: NodeId, delayMs: number): void {
    this.#cancelDials.get(peer)?.();
    this.#cancelDials.set(
      peer,
      this.#clock.after(delayMs, () => this.#dial(peer)),
    );
  }

  #dial(peer: NodeId): void {
    const handlers = this.#handlers;
    if (this.#stopped || handlers === undefined) return;
    const listener = this.#network.at(this.#addresses.get(peer) ?? '');
    const whole =
      this.#network.passes(this.nodeId, peer) && this.#network.passes(peer, this.nodeId);
    if (!whole || listener?.asleep === true) {
      const unanswered = this.#clock.after(this.#options.unansweredMs, () => this.#gone(peer));
      this.#cancelDials.set(peer, unanswered);
      return;
    }
    const answer = listener?.accept({ ...handlers.hello(), target: peer });
    if (listener === undefined || answer === undefined) return this.#gone(peer);
    const refusal = 'reason' in answer ? answer : this.#judge(peer, answer);
    if (refusal !== undefined) {
      handlers.onRefused(peer, refusal);
      this.#dialAfter(peer, this.#options.redialMs);
    } else if ('nodeId' in answer) {
      this.#streams.set(peer, { to: listener, open: true, queued: 0, lossy: false });
      handlers.onConnected(peer, answer);
    }
  }

  /** The dialler's half of a handshake. */
  #judge(peer: NodeId, answer: Hello): Refusal | undefined {
    if (answer.nodeId === peer) return this.#handlers?.admit(answer);
    const message = `${answer.nodeId} answers at the address of ${peer}`;
    return { reason: 'wrongTarget', message };
  }

  #gone(peer: NodeId): void {
    if (this.#stopped) return;
    this.#handlers?.onGone(peer);
    this.#dialAfter(peer, this.#options.redialMs);
  }
}
