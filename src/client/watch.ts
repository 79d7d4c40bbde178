// A watch that outlives streams, nodes and leaders: whatever ends a stream, the next endpoint continues it with the token.
import type { ServiceError } from '@grpc/grpc-js';
import type { Consistency } from '../rpc/gen/rollcall/v1/Consistency.ts';
import type { Selector } from '../rpc/gen/rollcall/v1/Selector.ts';
import type { WatchResponse__Output } from '../rpc/gen/rollcall/v1/WatchResponse.ts';
import { ClientError, clientErrorFrom } from './client-error.ts';
import type { RegistryClient } from './registry-client.ts';
import { backoffMs } from './retry.ts';

export interface WatchOptions {
  readonly selector: Selector;
  /** '' starts with the state. */
  readonly resumeToken: string;
  readonly consistency?: Consistency;
  readonly signal: AbortSignal;
  /** Told why a stream ended and where the next one is tried. */
  readonly onReconnect?: (reason: string, endpoint: string) => void;
}

/** A node marks progress every 5 s at the latest; one that is silent for three marks is gone. */
const SILENCE_MS = 15_000;
/** A node without a quorum says so within 2 s: one that has said nothing at all by now is stuck. */
const FIRST_MESSAGE_MS = 5000;

/**
 * Yields messages until the signal is aborted. Throws ClientError when a node refuses the watch for good, or when no
 * endpoint has sent anything within the client's timeout since the start; once something came, it tries for ever.
 */
export async function* watch(
  client: RegistryClient,
  options: WatchOptions,
): AsyncGenerator<WatchResponse__Output, void, undefined> {
  const { runtime, endpoints } = client;
  const { signal } = options;
  const startedAt = runtime.now();
  let token = options.resumeToken;
  let heard = false;
  let failures = 0;
  for (let tried = 0; !signal.aborted; tried++) {
    const endpoint = endpoints[tried % endpoints.length] ?? '';
    try {
      for await (const message of streamOnce(client, endpoint, token, options)) {
        token = message.resume_token;
        heard = true;
        failures = 0;
        yield message;
      }
    } catch (error) {
      if (!(error instanceof ClientError) || error.fate === 'final') throw error;
      if (signal.aborted) return;
      const waitedMs = runtime.now() - startedAt;
      if (!heard && waitedMs >= client.timeoutMs) throw error;
      failures++;
      if (!heard && error.unreachable && failures >= 2 * endpoints.length) throw error;
      options.onReconnect?.(error.message, endpoints[(tried + 1) % endpoints.length] ?? '');
      if (failures % endpoints.length === 0) {
        const round = failures / endpoints.length;
        const pauseMs = Math.max(
          backoffMs(round, () => runtime.random()),
          error.retryAfterMs ?? 0,
        );
        await runtime.sleep(pauseMs, signal);
      }
    }
  }
}

/** One stream. Ends with a ClientError always, because a node never ends a watch without a status. */
async function* streamOnce(
  client: RegistryClient,
  endpoint: string,
  token: string,
  options: WatchOptions,
): AsyncGenerator<WatchResponse__Output, void, undefined> {
  const silence = new AbortController();
  const call = client.stub(endpoint).watch();
  const cancel = (): void => call.cancel();
  options.signal.addEventListener('abort', cancel, { once: true });
  const openedAt = client.runtime.now();
  let heardAt: number | undefined;
  const patience = (): number =>
    heardAt === undefined ? openedAt + FIRST_MESSAGE_MS : heardAt + SILENCE_MS;
  const guard = guardSilence(client, patience, cancel, silence.signal);
  try {
    call.write({
      selector: options.selector,
      resume_token: token,
      read: { consistency: options.consistency ?? 'LINEARIZABLE' },
    });
    call.end();
    for await (const message of call as AsyncIterable<WatchResponse__Output>) {
      heardAt = client.runtime.now();
      yield message;
    }
    throw new ClientError(`${endpoint} ended the stream`, { fate: 'retry', status: 'OK' });
  } catch (error) {
    throw isServiceError(error) ? clientErrorFrom(error, endpoint) : error;
  } finally {
    silence.abort();
    options.signal.removeEventListener('abort', cancel);
    call.cancel();
    await guard;
  }
}

async function guardSilence(
  client: RegistryClient,
  patience: () => number,
  cancel: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const remainingMs = patience() - client.runtime.now();
    if (remainingMs <= 0) return cancel();
    await client.runtime.sleep(remainingMs, signal);
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
