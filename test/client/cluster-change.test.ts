// Changes of the cluster: which node is asked, and when a change is not tried again.
import { describe, expect, test } from 'vitest';
import { ClientError, type Fate } from '../../src/client/client-error.ts';
import { changeCluster } from '../../src/client/cluster-change.ts';
import type { StatusResponse__Output } from '../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import { FakeRuntime } from '../support/cli-context.ts';

const endpoints = ['a:1', 'b:1', 'c:1'];

const failure = (fate: Fate, statusName: string): ClientError =>
  new ClientError(`${statusName} told`, { fate, status: statusName });
const denied = failure('final', 'PERMISSION_DENIED');
const unknown = failure('unknown', 'ABORTED');
const elsewhere = failure('retry', 'UNAVAILABLE');

interface Run {
  readonly tried: readonly string[];
  readonly value: string | undefined;
  readonly error: ClientError | undefined;
}

/** `leaders`: the leader each node knows; undefined: it does not answer Status. */
async function run(
  leaders: readonly (string | undefined)[],
  answer: (endpoint: string, tried: number) => string | ClientError,
): Promise<Run> {
  const runtime = new FakeRuntime();
  const tried: string[] = [];
  const status = async (endpoint: string): Promise<StatusResponse__Output> => {
    const leader = leaders[endpoints.indexOf(endpoint)];
    if (leader === undefined) throw failure('unknown', 'DEADLINE_EXCEEDED');
    return { leader_id: leader } as StatusResponse__Output;
  };
  const options = { endpoints, timeoutMs: 5000, runtime, signal: undefined, status };
  try {
    const value = await changeCluster(options, async (endpoint) => {
      tried.push(endpoint);
      const answered = answer(endpoint, tried.length);
      if (typeof answered === 'string') return answered;
      throw answered;
    });
    return { tried, value, error: undefined };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return { tried, value: undefined, error };
  }
}

describe('a change of the cluster', () => {
  test('is not given to a node that is stuck, nor first to one that knows no leader', async () => {
    const { tried, value } = await run([undefined, '', 'n3'], (endpoint) =>
      endpoint === 'c:1' ? elsewhere : 'done',
    );
    expect({ tried, value }).toEqual({ tried: ['c:1', 'b:1'], value: 'done' });
  });

  test('is tried once when its fate is unknown: a second try would answer for itself (G3)', async () => {
    const { tried, error } = await run(['n1', 'n1', 'n1'], () => unknown);
    expect(tried).toEqual(['a:1']);
    expect(error).toBe(unknown);
  });

  test('goes on to the next node when it certainly did not happen', async () => {
    const { tried, value } = await run(['n1', 'n1', 'n1'], (_endpoint, count) =>
      count < 3 ? elsewhere : 'done',
    );
    expect({ tried, value }).toEqual({ tried: ['a:1', 'b:1', 'c:1'], value: 'done' });
  });

  test('finds the node on its own host when the others refuse it for where it comes from', async () => {
    const { tried, value } = await run(['n1', 'n1', 'n1'], (endpoint) =>
      endpoint === 'c:1' ? 'done' : denied,
    );
    expect({ tried, value }).toEqual({ tried: ['a:1', 'b:1', 'c:1'], value: 'done' });
  });

  test('ends when every node refuses it for where it comes from, each asked once', async () => {
    const { tried, error } = await run(['n1', 'n1', 'n1'], () => denied);
    expect(tried).toEqual(endpoints);
    expect(error).toMatchObject({ status: 'PERMISSION_DENIED', fate: 'final' });
  });

  test('says why when no node answers at all', async () => {
    const { tried, error } = await run([undefined, undefined, undefined], () => elsewhere);
    expect(tried.length).toBeGreaterThan(3);
    expect(error?.message).toBe('UNAVAILABLE told');
  });
});
