// Three things grpc-js has no option for. Each reaches into a private member, finds out first whether it is there, and
// reports when it is not, so that another release of grpc-js costs a guard and not the server.
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** What nghttp2 takes from one connection before it ends it: RST_STREAM frames at once, and per second. Its own values
 * (1000 and 33) let a client that cancels calls take down its own watches, which share the connection. */
const STREAM_RESETS = { burst: 100_000, ratePerSecond: 10_000 } as const;
/** First line of Node whose http2 knows the options. */
const FIRST_NODE_WITH_RESET_OPTIONS = 22;

/** Call before binding. False: this Node or grpc-js has no such option, and nghttp2's own values stand. */
export function raiseStreamResets(server: Server, nodeVersion: string): boolean {
  if (Number.parseInt(nodeVersion, 10) < FIRST_NODE_WITH_RESET_OPTIONS) return false;
  const options = privateMember(server, 'commonServerOptions');
  if (typeof options !== 'object' || options === null) return false;
  Object.assign(options, {
    streamResetBurst: STREAM_RESETS.burst,
    streamResetRate: STREAM_RESETS.ratePerSecond,
  });
  return true;
}

/** Call after binding. Takes no more connections than `limit`; the kernel turns further ones away. */
export function limitConnections(server: Server, limit: number): boolean {
  const servers = http2Servers(server);
  for (const http2Server of servers) http2Server.maxConnections = limit;
  return servers.length > 0;
}

const TIMEOUT_HEADER = 'grpc-timeout';
/** Longest delay of a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000001,
};

/** Call after binding. grpc-js lets a deadline of more than 24.8 days overflow and fail at once; such a call has none. */
export function tolerateLongDeadlines(server: Server): boolean {
  const servers = http2Servers(server);
  for (const http2Server of servers) {
    http2Server.prependListener(
      'stream',
      (_stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        const timeout = headers[TIMEOUT_HEADER];
        if (typeof timeout === 'string' && timeoutMs(timeout) > LONGEST_TIMER_MS) {
          delete headers[TIMEOUT_HEADER];
        }
      },
    );
  }
  return servers.length > 0;
}

/** Milliseconds of a grpc-timeout header; NaN for anything else, which grpc-js refuses. */
export function timeoutMs(header: string): number {
  const [, digits, unit] = /^([0-9]{1,8})\s*([HMSmun])$/.exec(header) ?? [];
  return Number(digits) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
}

function http2Servers(server: Server): readonly Http2Server[] {
  const servers = privateMember(server, 'http2Servers');
  return servers instanceof Map ? [...(servers.keys() as Iterable<Http2Server>)] : [];
}

function privateMember(server: Server, name: string): unknown {
  return (server as unknown as Readonly<Record<string, unknown>>)[name];
}
