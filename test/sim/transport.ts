// A PeerTransport on the simulated network: dials, shakes hands with the real hello, notices ends, redials with the delays
// of the real one, and tells its handlers what the port promises.
import type { NodeId } from '../../src/lib/ids.ts';
import type { Hello, PeerFrame, Refusal } from '../../src/node/peer-protocol.ts';
import type { Clock, PeerTransport, TransportHandlers } from '../../src/node/ports.ts';
import { decodeMessage, encodeHello, encodeRefusal } from '../../src/transport/wire.ts';
import type { SimNetwork } from './network.ts';
import { SimStream } from './stream.ts';
import type { Process } from './timeline.ts';

export interface SimTransportOptions {
  readonly network: SimNetwork;
  readonly self: NodeId;
  readonly address: string;
  readonly process: Process;
  readonly clock: Clock;
  readonly heartbeatMs: number;
  /** What becomes of frames on their way out. */
  readonly outgoing?: (frames: readonly PeerFrame[]) => readonly PeerFrame[];
}

interface Link {
  readonly address: string;
  stream: SimStream | undefined;
  failures: number;
  /** Counts dials: the answer to one that was given up is passed over. */
  attempt: number;
  /** Set while the next dial waits for its turn. */
  cancelRedial: (() => void) | undefined;
  cancelDial: () => void;
}

const DIAL_TIMEOUT_MS = 1000;
const MIN_REDIAL_MS = 50;
const MAX_REDIAL_MS = 1000;

export class SimTransport implements PeerTransport {
  readonly self: NodeId;
  readonly process: Process;
  readonly #options: SimTransportOptions;
  readonly #links = new Map<NodeId, Link>();
  readonly #inbound = new Map<NodeId, SimStream>();
  #handlers: TransportHandlers | undefined;
  #stopped = false;

  constructor(options: SimTransportOptions) {
    this.#options = options;
    this.self = options.self;
    this.process = options.process;
  }

  get address(): string {
    return this.#options.address;
  }

  start(handlers: TransportHandlers): Promise<void> {
    this.#handlers = handlers;
    this.#options.network.join(this);
    return Promise.resolve();
  }

  connect(peers: readonly { readonly nodeId: NodeId; readonly address: string }[]): void {
    const wanted = new Map(peers.map(({ nodeId, address }) => [nodeId, address]));
    for (const [peer, link] of this.#links) {
      if (wanted.get(peer) !== link.address) this.#forget(peer, link);
    }
    for (const [nodeId, address] of wanted) {
      if (nodeId === this.self || this.#links.has(nodeId)) continue;
      const link: Link = {
        address,
        stream: undefined,
        failures: 0,
        attempt: 0,
        cancelRedial: undefined,
        cancelDial: () => undefined,
      };
      this.#links.set(nodeId, link);
      this.#dial(nodeId, link);
    }
  }

  dismiss(peer: NodeId): void {
    this.#inbound.get(peer)?.lose();
    this.#inbound.delete(peer);
  }

  send(to: NodeId, frames: readonly PeerFrame[]): boolean {
    const stream = this.#links.get(to)?.stream;
    const { outgoing } = this.#options;
    return !this.#stopped && stream !== undefined && stream.send(outgoing?.(frames) ?? frames);
  }

  stop(): Promise<void> {
    this.end(false);
    return Promise.resolve();
  }

  /** The process has ended, with its machine if `dark`. */
  end(dark: boolean): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const link of this.#links.values()) {
      link.cancelRedial?.();
      link.cancelDial();
      if (!dark) link.stream?.lose();
    }
    this.#options.network.leave(this, dark);
  }

  receive(from: NodeId, frames: readonly PeerFrame[]): void {
    if (!this.#stopped) this.#handlers?.onFrames(from, frames);
  }

  streamBroken(stream: SimStream): void {
    const peer = stream.to.self;
    const link = this.#links.get(peer);
    if (this.#stopped || link?.stream !== stream) return;
    link.stream = undefined;
    this.#handlers?.onBroken(peer);
    this.#redial(peer, link);
  }

  pathChanged(from: string, to: string): void {
    for (const { stream } of this.#links.values()) {
      if (stream?.open !== true) continue;
      const ends = [stream.from.self as string, stream.to.self];
      if (ends.includes(from) && ends.includes(to)) stream.pathChanged();
    }
  }

  /** Breaks the stream to a peer, as a middlebox does. */
  reset(peer: NodeId): void {
    this.#links.get(peer)?.stream?.lose();
  }

  /** A listener is gone. From a dark machine comes no word: only an unanswered ping ends the stream. */
  listenerLost(listener: SimTransport, dark: boolean): void {
    const link = [...this.#links.values()].find(({ stream }) => stream?.to === listener);
    const stream = link?.stream;
    if (stream?.open !== true) return;
    const { network } = this.#options;
    if (!dark) stream.lose();
    else {
      const { pingTimeoutMs } = network.parameters;
      network.timeline.after(pingTimeoutMs, undefined, 'ping', () => stream.lose());
    }
  }

  listenerChanged(listener: SimTransport): void {
    const stream = this.#links.get(listener.self)?.stream;
    if (stream !== undefined && stream.to !== listener) stream.lose();
  }

  /** The listener's half of a handshake. */
  accept(stream: SimStream, hello: Buffer): Buffer | undefined {
    const handlers = this.#handlers;
    const [payload] = decodeMessage(hello);
    if (this.#stopped || handlers === undefined || payload?.kind !== 'hello') return undefined;
    const refusal = handlers.admit(payload.hello);
    if (refusal !== undefined) return encodeRefusal(refusal);
    const { nodeId } = payload.hello;
    this.#inbound.get(nodeId)?.lose();
    this.#inbound.set(nodeId, stream);
    const link = this.#links.get(nodeId);
    // It lives: if the next dial only waits for its turn, it is made now.
    if (link?.cancelRedial !== undefined) this.#dial(nodeId, link);
    return encodeHello({ ...handlers.hello(), target: nodeId });
  }

  #forget(peer: NodeId, link: Link): void {
    link.attempt++;
    link.cancelRedial?.();
    link.cancelDial();
    link.stream?.lose();
    this.#links.delete(peer);
  }

  #dial(peer: NodeId, link: Link): void {
    const { network, clock, heartbeatMs } = this.#options;
    const handlers = this.#handlers;
    if (this.#stopped || handlers === undefined) return;
    link.cancelRedial?.();
    link.cancelRedial = undefined;
    const attempt = ++link.attempt;
    const current = (): boolean => !this.#stopped && link.attempt === attempt;
    let toldGone = false;
    const cancelAnswer = clock.after(2 * heartbeatMs, () =>
      clock.defer(() => {
        if (!current() || link.stream !== undefined) return;
        toldGone = true;
        handlers.onGone(peer);
      }),
    );
    const fail = (): void => {
      if (!current()) return;
      link.attempt++;
      link.cancelDial();
      link.failures++;
      this.#redial(peer, link);
      if (!toldGone) handlers.onGone(peer);
    };
    const cancelTimeout = clock.after(DIAL_TIMEOUT_MS, fail);
    link.cancelDial = () => {
      cancelAnswer();
      cancelTimeout();
    };
    const hello = encodeHello({ ...handlers.hello(), target: peer });
    const { timeline } = network;
    if (!network.whole(this.self, peer) || network.isDark(link.address)) return;
    timeline.after(network.delayMs(this.self, peer), undefined, `dial ${this.self} ${peer}`, () => {
      const listener = network.at(link.address);
      if (listener === undefined) {
        if (!network.isDark(link.address)) timeline.after(0.1, this.process, 'refused', fail);
        return;
      }
      timeline.after(0, listener.process, 'hello', () => {
        const stream = new SimStream(network, this, listener);
        const answer = listener.accept(stream, hello);
        if (answer === undefined || !network.whole(this.self, peer)) return;
        timeline.after(network.delayMs(peer, this.self), this.process, 'answer', () => {
          if (current()) this.#answered(peer, link, stream, answer);
          else stream.lose();
        });
      });
    });
  }

  #answered(peer: NodeId, link: Link, stream: SimStream, answer: Buffer): void {
    const handlers = this.#handlers;
    const [payload] = decodeMessage(answer);
    if (handlers === undefined || payload === undefined || payload.kind === 'frames') return;
    link.cancelDial();
    link.attempt++;
    const refusal =
      payload.kind === 'refusal' ? payload.refusal : this.#judge(peer, payload.hello, handlers);
    if (refusal !== undefined) {
      stream.close();
      link.failures++;
      this.#redial(peer, link);
      handlers.onRefused(peer, refusal);
    } else if (payload.kind === 'hello') {
      link.failures = 0;
      link.stream = stream;
      handlers.onConnected(peer, payload.hello);
      // It may have been cut, or the listener may have died, while the answer was on its way.
      if (!this.#options.network.whole(this.self, peer)) stream.pathChanged();
      if (this.#options.network.at(link.address) !== stream.to) stream.lose();
      // An abandoned dial that arrived later may have replaced it meanwhile.
      if (!stream.open) this.streamBroken(stream);
    }
  }

  /** The dialler's half of a handshake. */
  #judge(peer: NodeId, hello: Hello, handlers: TransportHandlers): Refusal | undefined {
    if (hello.nodeId === peer) return handlers.admit(hello);
    const message = `${hello.nodeId} answers at the address of ${peer}`;
    return { reason: 'wrongTarget', message };
  }

  #redial(peer: NodeId, link: Link): void {
    const { clock, network } = this.#options;
    const fullMs = Math.min(MAX_REDIAL_MS, MIN_REDIAL_MS * 2 ** Math.min(link.failures - 1, 20));
    const delayMs = link.failures === 0 ? 0 : fullMs * (0.5 + 0.5 * network.random.next());
    link.cancelRedial?.();
    link.cancelRedial = clock.after(delayMs, () => this.#dial(peer, link));
  }
}
