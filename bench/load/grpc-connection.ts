// gRPC over node:http2 with hand-framed messages: the load generator's own client. The grpc-js client tops out well
// below what a server answers, so it would measure itself.
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from 'node:http2';

/** A call that ended with a status other than OK, or on a broken connection (code undefined). */
class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: number | undefined;
  constructor(code: number | undefined, message: string) {
    super(message);
    this.code = code;
  }
}

export interface MessageStream {
  write(message: Uint8Array): void;
  close(): void;
}

/** One HTTP/2 connection. */
export interface GrpcConnection {
  unary(path: string, message: Uint8Array, timeoutMs?: number): Promise<Buffer>;
  /** A bidirectional stream; `onEnd` is told once. */
  stream(
    path: string,
    onMessage: (message: Buffer) => void,
    onEnd: (error: Error | undefined) => void,
  ): MessageStream;
  close(): void;
}

/** Five bytes of gRPC framing before each message: no compression, length. */
function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

const baseHeaders = {
  ':method': 'POST',
  'content-type': 'application/grpc',
  te: 'trailers',
};

function statusError(headers: IncomingHttpHeaders): CallError | undefined {
  const status = Number(headers['grpc-status'] ?? Number.NaN);
  if (status === 0) return undefined;
  const text = decodeURIComponent([headers['grpc-message'] ?? ''].flat().join(''));
  return new CallError(Number.isNaN(status) ? undefined : status, `grpc-status ${status}: ${text}`);
}

/** Opens lazily: the first calls wait for the connection. A broken connection fails its calls and every later one. */
export function openConnection(address: string): GrpcConnection {
  const session = connect(`http://${address}`, { settings: { initialWindowSize: 1 << 20 } });
  session.on('error', () => undefined);
  session.on('connect', () => session.setLocalWindowSize(8 << 20));
  return {
    unary: (path, message, timeoutMs) => unaryCall(session, path, message, timeoutMs),
    stream: (path, onMessage, onEnd) => streamCall(session, path, onMessage, onEnd),
    close: () => session.destroy(),
  };
}

function unaryCall(
  session: ClientHttp2Session,
  path: string,
  message: Uint8Array,
  timeoutMs: number | undefined,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (session.destroyed || session.closed) {
      reject(new CallError(undefined, 'the connection is closed'));
      return;
    }
    const stream = session.request({ ...baseHeaders, ':path': path });
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => stream.close(8), timeoutMs);
    let body: Buffer | undefined;
    let outcome: CallError | undefined = new CallError(undefined, 'the stream closed early');
    stream.on('response', (headers) => {
      if (headers['grpc-status'] !== undefined) outcome = statusError(headers);
    });
    stream.on('trailers', (headers) => {
      outcome = statusError(headers);
    });
    stream.on('data', (chunk: Buffer) => {
      body = body === undefined ? chunk : Buffer.concat([body, chunk]);
    });
    stream.on('error', () => undefined);
    stream.on('close', () => {
      clearTimeout(timer);
      if (outcome === undefined && body !== undefined) resolve(body.subarray(5));
      else reject(outcome ?? new CallError(undefined, 'no message'));
    });
    stream.end(frame(message));
  });
}

function streamCall(
  session: ClientHttp2Session,
  path: string,
  onMessage: (message: Buffer) => void,
  onEnd: (error: Error | undefined) => void,
): MessageStream {
  const stream: ClientHttp2Stream = session.request({ ...baseHeaders, ':path': path });
  let pending: Buffer = Buffer.alloc(0);
  let outcome: Error | undefined = new CallError(undefined, 'the stream closed early');
  stream.on('response', (headers) => {
    if (headers['grpc-status'] !== undefined) outcome = statusError(headers);
  });
  stream.on('trailers', (headers) => {
    outcome = statusError(headers);
  });
  stream.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= 5) {
      const length = pending.readUInt32BE(1);
      if (pending.length < 5 + length) return;
      const message = pending.subarray(5, 5 + length);
      pending = pending.subarray(5 + length);
      onMessage(message);
    }
  });
  stream.on('error', () => undefined);
  stream.on('close', () => onEnd(outcome));
  return {
    write: (message) => {
      if (!stream.destroyed) stream.write(frame(message));
    },
    close: () => stream.close(8),
  };
}
