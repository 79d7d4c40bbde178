// Calls that change the cluster have no request_id: a second try after one of unknown fate would answer for itself ("already
// exists"). So they go only to a node that has just answered, and the first try that may have been applied is the last.
import type { StatusResponse__Output } from '../rpc/gen/rollcall/v1/StatusResponse.ts';
import { ClientError } from './client-error.ts';
import { type RetryOptions, withFailover } from './retry.ts';

export type Attempt<T> = (endpoint: string, timeoutMs: number) => Promise<T>;

export interface ChangeOptions
  extends Pick<RetryOptions, 'endpoints' | 'timeoutMs' | 'runtime' | 'signal'> {
  readonly status: (endpoint: string, timeoutMs: number) => Promise<StatusResponse__Output>;
}

/** A node that is well answers Status within milliseconds; a stuck one must not take the change and keep it. */
const STATUS_MS = 1000;

/**
 * Tries the change on the nodes that answer, those that know a leader first, until one takes it. A node may refuse it for
 * where the call comes from, while another one, on the caller's host, does not. Rejects with a ClientError.
 */
export async function changeCluster<T>(options: ChangeOptions, attempt: Attempt<T>): Promise<T> {
  const { timeoutMs, runtime, signal } = options;
  const startedAt = runtime.now();
  const endpoints = await answering(options);
  const remainingMs = Math.max(1, timeoutMs - (runtime.now() - startedAt));
  const denied = new Map<string, ClientError>();
  const { value } = await withFailover<T>(
    {
      endpoints,
      first: 0,
      timeoutMs: remainingMs,
      attemptMs: remainingMs,
      repeatable: false,
      runtime,
      signal,
    },
    async (endpoint, limitMs) => {
      const earlier = denied.get(endpoint);
      if (earlier !== undefined) throw earlier;
      try {
        return await attempt(endpoint, limitMs);
      } catch (error) {
        if (!(error instanceof ClientError) || error.status !== 'PERMISSION_DENIED') throw error;
        denied.set(endpoint, asRetry(error));
        throw denied.size < endpoints.length ? asRetry(error) : error;
      }
    },
  );
  return value;
}

const asRetry = (error: ClientError): ClientError =>
  new ClientError(error.message, { fate: 'retry', status: error.status, cause: error });

/** The endpoints that answer now, those that know a leader first; all of them where none answers, for the error to say why. */
async function answering(options: ChangeOptions): Promise<readonly string[]> {
  const { endpoints, timeoutMs, status } = options;
  if (endpoints.length === 1) return endpoints;
  const limitMs = Math.min(STATUS_MS, timeoutMs);
  const asked = await Promise.allSettled(endpoints.map((endpoint) => status(endpoint, limitMs)));
  const rank = (position: number): number => {
    const answer = asked[position];
    if (answer?.status !== 'fulfilled') return 2;
    return answer.value.leader_id === '' ? 1 : 0;
  };
  const ranked = endpoints.map((endpoint, position) => ({ endpoint, rank: rank(position) }));
  const alive = ranked.filter((one) => one.rank < 2).toSorted((a, b) => a.rank - b.rank);
  return (alive.length > 0 ? alive : ranked).map(({ endpoint }) => endpoint);
}
