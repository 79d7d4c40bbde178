// A watch over failing nodes: it goes on elsewhere with the token of the last message it handed out (G5).
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { systemRuntime } from '../../src/cli/system-clock.ts';
import { type ClientRuntime, RegistryClient, watch } from '../../src/client/index.ts';
import { FakeRuntime } from '../support/cli-context.ts';
import { type Answer, ScriptedRegistry, type WatchScript } from '../support/scripted-registry.ts';

const noCalls = (): Answer => ({ kind: 'error', code: status.UNIMPLEMENTED, details: '' });
const message = (revision: number) => ({ revision, resume_token: `t${revision}` });
const stopping: { readonly code: status; readonly details: string } = {
  code: status.UNAVAILABLE,
  details: 'shutting_down: try another one',
};

/** A node that sends messages of these revisions, then says nothing more or ends the stream. */
function sends(revisions: readonly number[], end?: typeof stopping): WatchScript {
  const messages = revisions.map(message);
  return () => ({ messages, ...(end === undefined ? {} : { end }) });
}

/** Long sleeps take a moment of real time, so that what sockets bring meanwhile comes first. */
function hastyRuntime(fake: FakeRuntime): ClientRuntime {
  return {
    now: () => fake.now(),
    unixNow: () => fake.unixNow(),
    random: () => fake.random(),
    async sleep(delayMs, signal) {
      await systemRuntime.sleep(Math.min(delayMs, 100), signal);
      await fake.sleep(delayMs, signal);
    },
  };
}

interface Followed {
  readonly revisions: readonly string[];
  readonly reconnects: readonly string[];
  readonly tokens: readonly (readonly unknown[])[];
  readonly error: unknown;
}

/** Follows the scripted nodes until a message of revision `until`, or until the watch throws. */
async function follow(
  scripts: readonly WatchScript[],
  until: number,
  runtime: ClientRuntime = systemRuntime,
): Promise<Followed> {
  const nodes = await Promise.all(scripts.map((script) => ScriptedRegistry.start(noCalls, script)));
  const endpoints = nodes.map((node) => node.endpoint);
  const client = new RegistryClient({ endpoints, timeoutMs: 10_000, runtime });
  const stop = new AbortController();
  const revisions: string[] = [];
  const reconnects: string[] = [];
  let error: unknown;
  try {
    const messages = watch(client, {
      selector: {},
      resumeToken: '',
      signal: stop.signal,
      onReconnect: (reason) => reconnects.push(reason),
    });
    for await (const { revision } of messages) {
      revisions.push(revision);
      if (Number(revision) >= until) stop.abort();
    }
  } catch (thrown) {
    error = thrown;
  } finally {
    client.close();
    for (const node of nodes) await node[Symbol.asyncDispose]();
  }
  const tokens = nodes.map((node) => node.asked.map(({ request }) => request['resume_token']));
  return { revisions, reconnects, tokens, error };
}

describe('a watch', () => {
  test('goes on at the next node with the token of the last message, missing and repeating nothing', async () => {
    const { revisions, reconnects, tokens, error } = await follow(
      [sends([1, 2], stopping), sends([3, 4])],
      4,
    );
    expect(error).toBeUndefined();
    expect(revisions).toEqual(['1', '2', '3', '4']);
    expect(reconnects).toEqual([stopping.details]);
    expect(tokens).toEqual([[''], ['t2']]);
  });

  test('comes back to a node when the others are down too', async () => {
    let opened = 0;
    const only: WatchScript = () => {
      opened++;
      return { messages: [message(opened)], ...(opened < 3 ? { end: stopping } : {}) };
    };
    const { revisions, tokens } = await follow([only], 3);
    expect(revisions).toEqual(['1', '2', '3']);
    expect(tokens).toEqual([['', 't1', 't2']]);
  });

  test('ends with the error when a node refuses it for good', async () => {
    const end = { code: status.INVALID_ARGUMENT, details: 'resume_token: garbled' };
    const { revisions, error } = await follow([sends([], end), sends([1])], 1);
    expect(revisions).toEqual([]);
    expect(error).toMatchObject({ fate: 'final', message: 'resume_token: garbled' });
  });

  test('leaves a node that accepts the stream and says nothing for five seconds', async () => {
    const fake = new FakeRuntime();
    const scripts = [sends([]), sends([1])];
    const { revisions, tokens } = await follow(scripts, 1, hastyRuntime(fake));
    expect(revisions).toEqual(['1']);
    expect(tokens).toEqual([[''], ['']]);
    expect(fake.slept[0]).toBe(5000);
  });
});
