// SaveSnapshot: the bytes of a backup as a stream, at the pace of whoever takes it. grpc-js keeps in memory whatever is written, so
// the next part is made only once the one before has been taken.
import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js';
import { type Door, admitSize, callOptions, failureOf } from './call.ts';
import { encodeSnapshotChunk } from './encode.ts';
import type { OpenStreams } from './open-streams.ts';

type BackupCall = ServerWritableStream<Buffer, Buffer>;

export function backupHandler(
  door: Door,
  streams: OpenStreams,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    void send(door, streams, call);
  };
}

async function send(door: Door, streams: OpenStreams, call: BackupCall): Promise<void> {
  const gone = new AbortController();
  let failed = false;
  const fail = (error: unknown): void => {
    if (failed || gone.signal.aborted) return;
    failed = true;
    call.emit('error', failureOf(door, call, error));
    gone.abort();
  };
  call.on('cancelled', () => gone.abort());
  streams.add(fail);
  try {
    admitSize(door, call.request);
    const { signal } = gone;
    for await (const part of door.node.backup(callOptions(call, door.clock, signal))) {
      if (signal.aborted) return;
      await taken(call, encodeSnapshotChunk(part), signal);
      if (signal.aborted) return;
    }
    call.end();
  } catch (error) {
    fail(error);
  } finally {
    streams.remove(fail);
  }
}

/** Resolves once the message has left this process, or nobody waits for it any more. */
function taken(call: BackupCall, message: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    call.write(message, done);
  });
}
