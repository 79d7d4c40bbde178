// Every bound of the peer transport, with its default. Reaching one is never silent: send() answers false, or a stream ends.

export interface PeerTransportLimits {
  /** Messages to one peer that are queued or not yet flushed; beyond, send() answers false. Default 4096. */
  readonly maxQueuedMessages: number;
  /** Bytes of those messages. Default 64 MiB; the core keeps at most 8 MiB of entries in flight to one peer. */
  readonly maxQueuedBytes: number;
  /** One gRPC message. A batch that would be larger is cut between frames; one frame alone must fit. Default 4 MiB. */
  readonly maxMessageBytes: number;
  /** Queued batches travel together up to this size, so that a busy stream pays per byte, not per batch. Default 256 KiB. */
  readonly maxJoinedBytes: number;
  /** A first message, before anything is known about its sender. Default 16 KiB. */
  readonly maxHelloBytes: number;
  /** An inbound connection without an accepted hello is closed after this. Default 5 s. */
  readonly helloTimeoutMs: number;
  /** Inbound connections without an accepted hello; one more closes the oldest of them. Default 32. */
  readonly maxPendingHellos: number;
  /** An unanswered dial is given up and begun anew after this. Default 1 s. */
  readonly dialTimeoutMs: number;
  /** Redials: the first at once, then after a jittered delay that doubles from the first to the second. Default 50 ms, 1 s. */
  readonly minRedialDelayMs: number;
  readonly maxRedialDelayMs: number;
  /** HTTP/2 pings on an open stream, and how long one may stay unanswered: ends links whose other host vanished, and those
   * that a healed partition left waiting for TCP to retransmit. Default 2 s each. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** stop() lets queued frames go out for at most this long. Default 200 ms. */
  readonly stopFlushMs: number;
}

const MIB = 1 << 20;

export const defaultPeerTransportLimits: PeerTransportLimits = {
  maxQueuedMessages: 4096,
  maxQueuedBytes: 64 * MIB,
  maxMessageBytes: 4 * MIB,
  maxJoinedBytes: 256 * 1024,
  maxHelloBytes: 16 * 1024,
  helloTimeoutMs: 5000,
  maxPendingHellos: 32,
  dialTimeoutMs: 1000,
  minRedialDelayMs: 50,
  maxRedialDelayMs: 1000,
  pingIntervalMs: 2000,
  pingTimeoutMs: 2000,
  stopFlushMs: 200,
};
