// Fail-over: where a call is tried again, how long, and what a failure in the end means.
import { describe, expect, test } from 'vitest';
import { ClientError, type Fate } from '../../src/client/client-error.ts';
import { backoffMs, withFailover } from '../../src/client/retry.ts';
import { FakeRuntime } from '../support/cli-context.ts';

const endpoints = ['a:1', 'b:1', 'c:1'];

function failure(
  fate: Fate,
  parts: { unreachable?: boolean; retryAfterMs?: number } = {},
): ClientError {
  return new ClientError(`${fate} failure`, { fate, status: 'UNAVAILABLE', ...parts });
}

interface Run {
  readonly tried: readonly string[];
  readonly slept: readonly number[];
  readonly elapsedMs: number;
  readonly value: string | undefined;
  readonly error: ClientError | undefined;
}

/** `answers` by number of the try; the last one is repeated. */
async function run(
  answers: readonly (ClientError | string)[],
  { timeoutMs = 10_000, first = 0, attemptMs = 0 } = {},
): Promise<Run> {
  const runtime = new FakeRuntime();
  const tried: string[] = [];
  const attempt = async (endpoint: string): Promise<string> => {
    const answer = answers[Math.min(tried.length, answers.length - 1)] ?? '';
    tried.push(endpoint);
    if (attemptMs > 0) await runtime.sleep(attemptMs);
    if (typeof answer === 'string') return answer;
    throw answer;
  };
  const options = { endpoints, first, timeoutMs, runtime, signal: undefined };
  let value: string | undefined;
  let error: ClientError | undefined;
  try {
    value = (await withFailover(options, attempt)).value;
  } catch (thrown) {
    if (!(thrown instanceof ClientError)) throw thrown;
    error = thrown;
  }
  return { tried, slept: runtime.slept, elapsedMs: runtime.now(), value, error };
}

describe('a call that fails', () => {
  test('goes to the next endpoint at once, beginning where the last one answered', async () => {
    const { tried, slept, value } = await run([failure('retry'), failure('unknown'), 'done'], {
      first: 1,
    });
    expect({ tried, slept, value }).toEqual({
      tried: ['b:1', 'c:1', 'a:1'],
      slept: [],
      value: 'done',
    });
  });

  test('waits only after a whole round in vain', async () => {
    const { tried, slept, value } = await run([
      failure('retry'),
      failure('retry'),
      failure('retry'),
      'done',
    ]);
    expect({ tried, value }).toEqual({ tried: ['a:1', 'b:1', 'c:1', 'a:1'], value: 'done' });
    expect(slept).toEqual([backoffMs(0, () => 0.5)]);
  });

  test('waits as long as the node asked for', async () => {
    const busy = failure('retry', { retryAfterMs: 700 });
    const { slept, value } = await run([busy, busy, busy, 'done']);
    expect({ slept, value }).toEqual({ slept: [700], value: 'done' });
  });

  test('is not tried again when the registry refused it for good', async () => {
    const { tried, error } = await run([failure('final')]);
    expect(tried).toEqual(['a:1']);
    expect(error?.fate).toBe('final');
  });

  test('is given up when its time is over, and not before', async () => {
    const { error, elapsedMs } = await run([failure('retry')], { timeoutMs: 5000, attemptMs: 100 });
    expect(error?.fate).toBe('retry');
    expect(elapsedMs).toBeGreaterThan(3500);
    expect(elapsedMs).toBeLessThanOrEqual(5100);
  });

  test('is given up early when nothing listens anywhere', async () => {
    const { error, elapsedMs } = await run([failure('retry', { unreachable: true })]);
    expect(error?.unreachable).toBe(true);
    expect(elapsedMs).toBeLessThanOrEqual(2000);
  });

  test('goes on for its whole time when one endpoint did answer', async () => {
    const gone = failure('retry', { unreachable: true });
    const { elapsedMs } = await run([gone, failure('retry'), gone]);
    expect(elapsedMs).toBeGreaterThan(8000);
  });

  test('stays unknown once one try may have been applied, whatever the later ones say (G9)', async () => {
    const { error } = await run([failure('unknown'), failure('retry')], { timeoutMs: 1000 });
    expect(error?.fate).toBe('unknown');
  });
});

describe('the wait between rounds', () => {
  test('doubles up to a second, with full jitter', () => {
    const longest = Array.from({ length: 12 }, (_, round) => backoffMs(round, () => 1));
    expect(longest).toEqual([25, 50, 100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000]);
    expect(backoffMs(3, () => 0)).toBe(0);
  });
});
