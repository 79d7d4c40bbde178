// Between a cursor of the hub and a stream of grpc-js. grpc-js takes whatever is written and keeps it in memory, so what
// a reader has not taken is counted here, in bytes: a cursor is told to wait long before a buffer grows.
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { RegistryError } from '../../lib/registry-error.ts';
import type { WatchSink } from '../../node/watch-hub.ts';

/** Written and not yet taken by HTTP/2 flow control; beyond, the cursor waits until all of it is taken. */
const PENDING_BYTES = 128 * 1024;

export interface WatchSinkOptions {
  readonly call: ServerDuplexStream<Buffer, Buffer>;
  /** The reader took everything after a `false`. */
  readonly drained: () => void;
  readonly ended: (error: RegistryError) => void;
}

export function createWatchSink({ call, drained, ended }: WatchSinkOptions): WatchSink {
  let pendingBytes = 0;
  let pendingMessages = 0;
  let blocked = false;

  const taken = (bytes: number): void => {
    pendingBytes -= bytes;
    pendingMessages -= 1;
    if (!blocked || pendingMessages > 0) return;
    blocked = false;
    drained();
  };
  return {
    write(message) {
      const { length } = message;
      pendingBytes += length;
      pendingMessages += 1;
      // The hub's messages are Buffers of our own format, shared between readers and never changed.
      const hasRoom = call.write(message as Buffer, () => taken(length));
      blocked = !hasRoom || pendingBytes > PENDING_BYTES;
      return !blocked;
    },
    end: ended,
  };
}
