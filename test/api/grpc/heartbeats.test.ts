// Heartbeat and HeartbeatStream through the door.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HeartbeatResponse__Output } from '../../../src/rpc/gen/rollcall/v1/HeartbeatResponse.ts';
import type { RegisterResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterResponse.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import { pollUntil } from '../../support/poll.ts';
import { type DoorWorld, call, failure, failureOf, instance, startWorld } from './door-world.ts';

let world: DoorWorld;
let client: RegistryClient;
beforeAll(async () => {
  world = await startWorld({ limits: { beats: 5, heartbeatStreamPending: 2 } });
  client = world.registry();
});
afterAll(() => world[Symbol.asyncDispose]());

type Fields = Record<string, unknown>;
const register = (overrides: Fields) =>
  call<RegisterResponse__Output>((done) =>
    client.register({ instance: instance(overrides) }, done),
  );
const heartbeat = (beats: readonly Fields[]) =>
  call<HeartbeatResponse__Output>((done) => client.heartbeat({ beats: [...beats] }, done));

describe('Heartbeat', () => {
  test('without beats is fine', async () => {
    const { revision } = await register({ instance_id: 'h0' });
    expect(await heartbeat([])).toEqual({
      revision,
      failures: [],
      heartbeat_interval_ms: 10_000,
    });
  });

  test('renews, and says how often: a third of the smallest TTL named', async () => {
    const short = await register({ instance_id: 'short', ttl_ms: 9000 });
    await register({ instance_id: 'long', ttl_ms: 60_000 });
    const answer = await heartbeat([
      { instance_id: 'long' },
      { instance_id: 'short', generation: short.generation, namespace: 'default' },
    ]);
    expect(answer).toMatchObject({ failures: [], heartbeat_interval_ms: 3000 });
  });

  test('reports what cannot be renewed in the order of the request', async () => {
    const old = await register({ instance_id: 'h1' });
    await register({ instance_id: 'h1', weight: 2 });
    const answer = await heartbeat([
      { instance_id: 'not/possible' },
      { instance_id: 'h1', generation: old.generation },
      { instance_id: 'h1' },
      { instance_id: 'nobody' },
      { instance_id: 'h1', namespace: 'Not-A-Label' },
    ]);
    expect(answer.failures).toEqual([
      { namespace: '', instance_id: 'not/possible', reason: 'UNKNOWN' },
      { namespace: '', instance_id: 'h1', reason: 'FENCED' },
      { namespace: '', instance_id: 'nobody', reason: 'UNKNOWN' },
      { namespace: 'Not-A-Label', instance_id: 'h1', reason: 'UNKNOWN' },
    ]);
    expect(answer.heartbeat_interval_ms).toBe(10_000);
  });

  test('an id longer than any that can exist is unknown, and cut in the answer', async () => {
    const answer = await heartbeat([{ instance_id: 'x'.repeat(100_000) }, { instance_id: '' }]);
    expect(answer.failures.map(({ reason }) => reason)).toEqual(['UNKNOWN', 'UNKNOWN']);
    expect(answer.failures[0]?.instance_id.length).toBeLessThanOrEqual(128);
  });

  test('takes as many beats as the limit and refuses one more (G17)', async () => {
    const beats = Array.from({ length: 6 }, () => ({ instance_id: 'nobody' }));
    expect((await heartbeat(beats.slice(1))).failures).toHaveLength(5);
    const told = await failure(heartbeat(beats));
    expect(told.code).toBe(status.INVALID_ARGUMENT);
    expect(told.message).toBe('beats: 6 beats, limit 5');
  });
});

describe('HeartbeatStream', () => {
  test('answers each message once and in order, then ends after the half-close', async () => {
    const stream = client.heartbeatStream();
    const answers: HeartbeatResponse__Output[] = [];
    stream.on('data', (answer: HeartbeatResponse__Output) => answers.push(answer));
    const ended = new Promise<void>((resolve, reject) => {
      stream.on('end', resolve);
      stream.on('error', reject);
    });
    // Ten at once, though only two of them are being answered at a time.
    for (let at = 0; at < 10; at += 1) stream.write({ beats: [{ instance_id: `absent-${at}` }] });
    stream.end();
    await ended;
    expect(answers.map(({ failures }) => failures[0]?.instance_id)).toEqual(
      Array.from({ length: 10 }, (_, at) => `absent-${at}`),
    );
  });

  test('stays open while the client is silent', async () => {
    const stream = client.heartbeatStream();
    const answers: HeartbeatResponse__Output[] = [];
    stream.on('data', (answer: HeartbeatResponse__Output) => answers.push(answer));
    stream.on('error', () => {});
    for (const wanted of [1, 2]) {
      stream.write({ beats: [] });
      await pollUntil(() => answers.length === wanted, { what: 'an answer', timeoutMs: 5000 });
    }
    stream.cancel();
  });

  test('ends with the error of a message that is refused, after the answers before it', async () => {
    const stream = client.heartbeatStream();
    const answers: HeartbeatResponse__Output[] = [];
    stream.on('data', (answer: HeartbeatResponse__Output) => answers.push(answer));
    const failed = new Promise<Error>((resolve) => stream.on('error', resolve));
    stream.write({ beats: [] });
    stream.write({ beats: Array.from({ length: 6 }, () => ({ instance_id: 'a' })) });
    const told = failureOf((await failed) as Parameters<typeof failureOf>[0]);
    expect(told.message).toBe('beats: 6 beats, limit 5');
    expect(answers).toHaveLength(1);
  });
});
