// When to try again, where, and when to give up. A write keeps its request_id over all tries, so that a try whose fate is
// unknown is answered with its first outcome.
import { ClientError } from './client-error.ts';
import type { ClientRuntime } from './runtime.ts';

/** One try may take this long: a node without a quorum says so within 2 s, so a silent one is stuck. */
const ATTEMPT_MS = 3000;
/** Nothing listens anywhere: no use in waiting for the whole timeout. */
const UNREACHABLE_MS = 2000;
const FIRST_DELAY_MS = 25;
const LONGEST_DELAY_MS = 1000;

/** Full jitter: uniform in [0, cap), so that many clients do not come back together. */
export function backoffMs(round: number, random: () => number): number {
  return random() * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(round, 10));
}

export interface RetryOptions {
  readonly endpoints: readonly string[];
  /** Position in `endpoints` of the first try. */
  readonly first: number;
  readonly timeoutMs: number;
  readonly runtime: ClientRuntime;
  readonly signal: AbortSignal | undefined;
  /** Of one try, in milliseconds. Default 3000. */
  readonly attemptMs?: number;
  /** False: a try whose fate is unknown is the last one, because a second would answer for itself, not for the first.
   * Default true. */
  readonly repeatable?: boolean;
}

export interface Attempted<T> {
  readonly value: T;
  /** Position of the endpoint that answered. */
  readonly answeredBy: number;
}

/**
 * Calls `attempt` on one endpoint after the other until it succeeds. Rejects with a ClientError: a final one at once,
 * any other when the timeout is over; its fate is `unknown` as soon as one try may have been applied.
 */
export async function withFailover<T>(
  options: RetryOptions,
  attempt: (endpoint: string, timeoutMs: number) => Promise<T>,
): Promise<Attempted<T>> {
  const { endpoints, runtime, signal, attemptMs = ATTEMPT_MS, repeatable = true } = options;
  const startedAt = runtime.now();
  const failures = new Map<string, ClientError>();
  let reachedAt: number | undefined;
  let perhapsApplied = false;
  for (let tried = 0; ; tried++) {
    const position = (options.first + tried) % endpoints.length;
    const endpoint = endpoints[position] ?? '';
    const remainingMs = options.timeoutMs - (runtime.now() - startedAt);
    try {
      const value = await attempt(endpoint, Math.max(1, Math.min(attemptMs, remainingMs)));
      return { value, answeredBy: position };
    } catch (error) {
      if (!(error instanceof ClientError) || error.fate === 'final') throw error;
      if (!repeatable && error.fate === 'unknown') throw error;
      failures.set(endpoint, error);
      perhapsApplied ||= error.fate === 'unknown';
      if (!error.unreachable) reachedAt = runtime.now();
      // The next endpoint is tried at once; only after a whole round in vain is there a wait.
      const roundOver = (tried + 1) % endpoints.length === 0;
      const round = Math.floor(tried / endpoints.length);
      const pauseMs = roundOver
        ? Math.max(
            backoffMs(round, () => runtime.random()),
            error.retryAfterMs ?? 0,
          )
        : 0;
      const elapsedMs = runtime.now() - startedAt;
      const allUnreachable = reachedAt === undefined && failures.size === endpoints.length;
      const budgetMs = allUnreachable
        ? Math.min(UNREACHABLE_MS, options.timeoutMs)
        : options.timeoutMs;
      if (signal?.aborted === true || elapsedMs + pauseMs >= budgetMs) {
        throw giveUp([...failures.values()], error, perhapsApplied);
      }
      if (pauseMs > 0) await runtime.sleep(pauseMs, signal);
    }
  }
}

function giveUp(
  failures: readonly ClientError[],
  last: ClientError,
  perhapsApplied: boolean,
): ClientError {
  // What leaves the outcome open says more than what came after it.
  const told =
    failures.find((failure) => failure.fate === 'unknown') ??
    failures.find((failure) => !failure.unreachable) ??
    last;
  const unreachable = failures.every((failure) => failure.unreachable);
  const message = unreachable
    ? failures.map((failure) => failure.message).join(', ')
    : told.message;
  return new ClientError(message, {
    fate: perhapsApplied ? 'unknown' : 'retry',
    status: told.status,
    unreachable,
    cause: last,
  });
}
