// One dialled stream: bytes arrive whole and in order, or not at all once it has broken. What meets a cut waits to be sent
// again, as TCP does, until a ping has stayed unanswered for too long.
import type { PeerFrame } from '../../src/node/peer-protocol.ts';
import { decodeMessage, encodeFrames } from '../../src/transport/wire.ts';
import type { SimNetwork } from './network.ts';
import type { SimTransport } from './transport.ts';

const MAX_MESSAGE_BYTES = 4 << 20;
const MAX_QUEUED = 4096;

export class SimStream {
  readonly from: SimTransport;
  readonly to: SimTransport;
  /** As each end knows it. */
  open = true;
  #heard = true;
  readonly #network: SimNetwork;
  /** Sent into a cut. */
  #held: Buffer[] = [];
  #underWay = 0;
  #lastArrivalMs = 0;
  #cancelPing: (() => void) | undefined;

  constructor(network: SimNetwork, from: SimTransport, to: SimTransport) {
    this.#network = network;
    this.from = from;
    this.to = to;
  }

  send(frames: readonly PeerFrame[]): boolean {
    if (!this.open || this.#underWay + this.#held.length >= MAX_QUEUED) return false;
    const { parameters, counts } = this.#network;
    const kept = frames.filter((frame) => {
      if (frame.kind === 'snapshotRequest') this.#network.pulled(frame.snapshotId, this);
      if (frame.kind === 'raft') this.#network.said(this.from.self, this.to.self, frame.message);
      if (frame.kind !== 'raft' || !this.#network.happens(parameters.lost)) return true;
      counts.lost++;
      return false;
    });
    if (kept.length > 0) {
      for (const bytes of encodeFrames(kept, MAX_MESSAGE_BYTES)) this.#carry(bytes);
    }
    if (this.#network.happens(parameters.duplicated)) this.#repeat(frames);
    return true;
  }

  /** A path changed: what was held is sent again, or the wait for a ping begins. */
  pathChanged(): void {
    const { whole, parameters, timeline } = this.#probe();
    if (whole) {
      this.#cancelPing?.();
      this.#cancelPing = undefined;
    } else {
      this.#cancelPing ??= timeline.after(parameters.pingTimeoutMs, undefined, 'ping', () =>
        this.lose(),
      );
    }
    if (this.#network.path(this.from.self, this.to.self).cut) return;
    const held = this.#held;
    this.#held = [];
    this.#lastArrivalMs = Math.max(
      this.#lastArrivalMs,
      timeline.nowMs + parameters.retransmitMs * this.#network.random.next(),
    );
    for (const bytes of held) this.#carry(bytes);
  }

  /** The stream breaks; each end notices in its own time. */
  lose(): void {
    if (!this.open) return;
    this.open = false;
    this.#network.counts.broken++;
    this.#cancelPing?.();
    this.#held = [];
    const { timeline } = this.#network;
    const { from, to } = this;
    timeline.after(this.#network.delayMs(to.self, from.self), from.process, 'broken', () =>
      from.streamBroken(this),
    );
    timeline.after(this.#network.delayMs(from.self, to.self), undefined, 'ended', () =>
      this.close(),
    );
  }

  /** Nothing is delivered any more: the listener ended it, or a newer stream replaced it. */
  close(): void {
    this.open = false;
    this.#heard = false;
    this.#cancelPing?.();
  }

  #probe(): {
    whole: boolean;
    parameters: SimNetwork['parameters'];
    timeline: SimNetwork['timeline'];
  } {
    const { parameters, timeline } = this.#network;
    return { whole: this.#network.whole(this.from.self, this.to.self), parameters, timeline };
  }

  #carry(bytes: Buffer): void {
    const { timeline } = this.#network;
    const { self: from } = this.from;
    const { self: to, process } = this.to;
    if (this.#network.path(from, to).cut) {
      this.#held.push(bytes);
      return;
    }
    const delayMs = this.#network.delayMs(from, to) + this.#network.retransmissionMs(from, to);
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, timeline.nowMs + delayMs);
    this.#underWay++;
    timeline.note(bytes);
    timeline.at(this.#lastArrivalMs, process, `message ${from} ${to}`, () => {
      this.#underWay--;
      this.#deliver(bytes);
    });
  }

  /** Consensus messages alone, once more and out of order. */
  #repeat(frames: readonly PeerFrame[]): void {
    const again = frames.filter(({ kind }) => kind === 'raft');
    if (again.length === 0) return;
    const { timeline, counts } = this.#network;
    counts.duplicated++;
    const delayMs = this.#network.delayMs(this.from.self, this.to.self);
    const lateMs = delayMs * (1 + 20 * this.#network.random.next());
    for (const bytes of encodeFrames(again, MAX_MESSAGE_BYTES)) {
      timeline.after(lateMs, this.to.process, 'message again', () => this.#deliver(bytes));
    }
  }

  #deliver(bytes: Buffer): void {
    if (!this.#heard) return;
    for (const payload of decodeMessage(bytes)) {
      if (payload.kind === 'frames') this.to.receive(this.from.self, payload.frames);
    }
  }
}
