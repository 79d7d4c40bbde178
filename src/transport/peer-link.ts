// This node's side towards one peer: dial, shake hands, carry frames, notice the end, dial again.
import { status } from '@grpc/grpc-js';
import type { NodeId } from '../lib/ids.ts';
import type { Random } from '../lib/random.ts';
import type { Hello, PeerFrame, Refusal } from '../node/peer-protocol.ts';
import type { Clock, TransportHandlers } from '../node/ports.ts';
import type { PeerTransportLimits } from './limits.ts';
import { WireError } from './msgpack.ts';
import type { OccasionalLog } from './occasional-log.ts';
import { OutboundStream } from './outbound-stream.ts';
import { decodeMessage, encodeFrames, encodeHello } from './wire.ts';

/** What the links and the server of one transport share. */
export interface TransportContext {
  readonly self: NodeId;
  readonly handlers: TransportHandlers;
  readonly clock: Clock;
  readonly random: Random;
  readonly heartbeatMs: number;
  readonly limits: PeerTransportLimits;
  readonly warn: OccasionalLog;
}

type LinkState =
  | { readonly kind: 'dialling'; readonly stream: OutboundStream; readonly cancel: () => void }
  | { readonly kind: 'connected'; readonly stream: OutboundStream; readonly sinceMs: number }
  | { readonly kind: 'finishing'; readonly stream: OutboundStream }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'closed' };

/** A stream that lived at least this long is redialled at once, however often that happens. */
const STABLE_MS = 1000;

export class PeerLink {
  readonly address: string;
  readonly #peer: NodeId;
  readonly #context: TransportContext;
  #state: LinkState;
  /** Dials in a row that led to no stream. */
  #failures = 0;
  /** Streams in a row that broke soon after they opened. */
  #flaps = 0;

  /** Begins to dial. `address`: host:port. */
  constructor(peer: NodeId, address: string, context: TransportContext) {
    this.#peer = peer;
    this.address = address;
    this.#context = context;
    this.#state = this.#dial();
  }

  send(frames: readonly PeerFrame[]): boolean {
    if (this.#state.kind !== 'connected') return false;
    return this.#state.stream.send(encodeFrames(frames, this.#context.limits.maxMessageBytes));
  }

  /** The peer has just been heard of: if the next dial is only waiting for its turn, it is made now. */
  nudge(): void {
    if (this.#state.kind !== 'waiting') return;
    this.#state.cancel();
    this.#state = this.#dial();
  }

  /** Ends the link, after the peer has read what is queued; close() cuts that short. */
  async finish(): Promise<void> {
    if (this.#state.kind !== 'connected') {
      this.close();
      return;
    }
    const { stream } = this.#state;
    this.#state = { kind: 'finishing', stream };
    await stream.finish();
  }

  /** Ends the link for good. Returns true when that ended an open stream. */
  close(): boolean {
    const state = this.#state;
    this.#state = { kind: 'closed' };
    switch (state.kind) {
      case 'dialling':
        state.cancel();
        state.stream.close();
        return false;
      case 'connected':
        state.stream.close();
        return true;
      case 'finishing':
        state.stream.close();
        return false;
      case 'waiting':
        state.cancel();
        return false;
      case 'closed':
        return false;
    }
  }

  #dial(): LinkState {
    const { clock, handlers, heartbeatMs, limits } = this.#context;
    const hello = encodeHello({ ...handlers.hello(), target: this.#peer });
    let toldGone = false;
    const stream = new OutboundStream(this.address, hello, limits, {
      onMessage: (message) => this.#onMessage(message),
      onEnd: (code, details) => this.#onEnd(code, details, toldGone),
    });
    const cancelAnswer = clock.after(2 * heartbeatMs, () => {
      // If this process itself was held up, an answer may be waiting to be read: that comes first.
      clock.defer(() => {
        if (this.#state.kind !== 'dialling' || this.#state.stream !== stream) return;
        toldGone = true;
        handlers.onGone(this.#peer);
      });
    });
    const cancelAttempt = clock.after(Math.max(limits.dialTimeoutMs, 4 * heartbeatMs), () => {
      stream.close();
      this.#onEnd(status.DEADLINE_EXCEEDED, 'no answer', toldGone);
    });
    const cancel = (): void => {
      cancelAnswer();
      cancelAttempt();
    };
    return { kind: 'dialling', stream, cancel };
  }

  #onMessage(message: Buffer): void {
    const state = this.#state;
    try {
      const [payload, ...more] = decodeMessage(message);
      if (state.kind !== 'dialling' || payload === undefined || more.length > 0) {
        throw new WireError('a listener says nothing after its hello');
      }
      if (payload.kind === 'frames') throw new WireError('a listener sends no frames');
      state.cancel();
      if (payload.kind === 'refusal') {
        this.#onRefused(state.stream, payload.refusal, 'the peer refused this node');
        return;
      }
      this.#onHello(state.stream, payload.hello);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (state.kind === 'dialling' || state.kind === 'connected') state.stream.close();
      this.#onEnd(status.INTERNAL, error.message, false);
    }
  }

  #onHello(stream: OutboundStream, hello: Hello): void {
    const { clock, handlers } = this.#context;
    const refusal = misdirected(hello, this.#peer, this.#context.self) ?? handlers.admit(hello);
    if (refusal !== undefined) {
      this.#onRefused(stream, refusal, 'this node refused the peer');
      return;
    }
    this.#failures = 0;
    this.#state = { kind: 'connected', stream, sinceMs: clock.now() };
    handlers.onConnected(this.#peer, hello);
  }

  #onRefused(stream: OutboundStream, refusal: Refusal, event: string): void {
    stream.close();
    this.#context.warn(event, this.#peer, { ...refusal, address: this.address });
    this.#failures += 1;
    this.#wait(this.#failures);
    this.#context.handlers.onRefused(this.#peer, refusal);
  }

  #onEnd(code: number, details: string, toldGone: boolean): void {
    const { clock, handlers, warn } = this.#context;
    const state = this.#state;
    if (state.kind === 'connected') {
      if (clock.now() - state.sinceMs >= STABLE_MS) this.#flaps = 0;
      warn('stream to peer broke', this.#peer, { code, details, address: this.address });
      this.#wait(this.#flaps);
      this.#flaps += 1;
      handlers.onBroken(this.#peer);
    } else if (state.kind === 'dialling') {
      state.cancel();
      warn('cannot reach peer', this.#peer, { code, details, address: this.address });
      this.#failures += 1;
      this.#wait(this.#failures);
      if (!toldGone) handlers.onGone(this.#peer);
    }
  }

  /** Dials again: at once after the first trouble, later after a capped, jittered delay. */
  #wait(troubles: number): void {
    const { clock, limits, random } = this.#context;
    const full = Math.min(
      limits.maxRedialDelayMs,
      limits.minRedialDelayMs * 2 ** Math.min(troubles - 1, 20),
    );
    const delayMs = troubles === 0 ? 0 : full * (0.5 + 0.5 * random.next());
    const redial = (): void => {
      if (this.#state === waiting) this.#state = this.#dial();
    };
    const waiting: LinkState = {
      kind: 'waiting',
      cancel: delayMs === 0 ? () => {} : clock.after(delayMs, redial),
    };
    this.#state = waiting;
    if (delayMs === 0) queueMicrotask(redial);
  }
}

/** A stream that joins other nodes than both ends meant to; what the node's own admit() need not know of. */
export function misdirected(
  hello: Hello,
  dialled: NodeId | undefined,
  self: NodeId,
): Refusal | undefined {
  if (dialled !== undefined && hello.nodeId !== dialled) {
    return {
      reason: 'wrongTarget',
      message: `The address of ${dialled} leads to ${hello.nodeId}: correct the address of ${dialled}.`,
    };
  }
  if (hello.target !== self) {
    return {
      reason: 'wrongTarget',
      message: `This is ${self}, not ${hello.target}: correct the address of ${hello.target}.`,
    };
  }
  return undefined;
}
