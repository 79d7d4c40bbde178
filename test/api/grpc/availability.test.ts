// What callers are told while the cluster has no quorum, and what still works: three real nodes on a network in memory.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HealthCheckResponse } from './health-messages.ts';
import type { ListInstancesResponse__Output } from '../../../src/rpc/gen/rollcall/v1/ListInstancesResponse.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { WatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { pollUntil } from '../../support/poll.ts';
import { type DoorWorld, call, failure, instance, startWorld } from './door-world.ts';

let world: DoorWorld;
let client: RegistryClient;
beforeAll(async () => {
  world = await startWorld({ members: 3 });
  client = world.registry();
  await call((done) => client.register({ instance: instance() }, done));
  world.network.partition('n1 | n2 n3');
  await pollUntil(() => world.node.status().leaderId === '', {
    what: 'n1 to miss its leader',
    timeoutMs: 10_000,
  });
});
afterAll(() => world[Symbol.asyncDispose]());

const health = async (service: string) => {
  const checker = world.client('grpc.health.v1.Health');
  const answer = await call<HealthCheckResponse>((done) =>
    (checker['check'] as (request: object, done: unknown) => unknown).call(
      checker,
      { service },
      done,
    ),
  );
  return answer.status;
};

describe('without a quorum', () => {
  const calls = {
    Register: (deadline: number) =>
      call((done) =>
        client.register({ instance: instance({ instance_id: 'lost' }) }, { deadline }, done),
      ),
    Deregister: (deadline: number) =>
      call((done) => client.deregister({ instance_id: 'p1' }, { deadline }, done)),
    Heartbeat: (deadline: number) =>
      call((done) => client.heartbeat({ beats: [{ instance_id: 'p1' }] }, { deadline }, done)),
    GetInstance: (deadline: number) =>
      call((done) => client.getInstance({ instance_id: 'p1' }, { deadline }, done)),
    ListInstances: (deadline: number) =>
      call((done) => client.listInstances({}, { deadline }, done)),
    ListServices: (deadline: number) => call((done) => client.listServices({}, { deadline }, done)),
  };

  test('every write and linearizable read answers no_quorum within 2 s', async () => {
    const started = performance.now();
    const deadline = Date.now() + 60_000;
    const told = await Promise.all(Object.values(calls).map((start) => failure(start(deadline))));
    expect(performance.now() - started).toBeLessThan(2600);
    for (const { code, reason, message } of told) {
      expect({ code, reason }).toEqual({ code: status.UNAVAILABLE, reason: 'no_quorum' });
      expect(message).toMatch(/^no_quorum: /);
    }
  });

  test('a shorter deadline is answered in time, with a reason', async () => {
    for (const name of ['Register', 'ListInstances'] as const) {
      const told = await failure(calls[name](Date.now() + 500));
      expect(told).toMatchObject({ code: status.UNAVAILABLE, reason: 'no_quorum' });
    }
  });

  test('stale reads and watches go on, and say how old they are', async () => {
    const read = { consistency: 'STALE' } as const;
    const answer = await call<ListInstancesResponse__Output>((done) =>
      client.listInstances({ read }, done),
    );
    expect(answer.instances).toHaveLength(1);
    expect(answer.age_ms).toBeGreaterThan(0);
    const watch = client.watch();
    const messages: WatchResponse__Output[] = [];
    watch.on('data', (message: WatchResponse__Output) => messages.push(message));
    watch.on('error', () => {});
    watch.write({ read });
    await pollUntil(() => messages.length > 0, { what: 'the state', timeoutMs: 3000 });
    expect(messages[0]?.changes).toHaveLength(1);
    watch.cancel();
  });

  test('health "" is SERVING, the Registry is not', async () => {
    expect(await health('')).toBe('SERVING');
    expect(await health('rollcall.v1.Registry')).toBe('NOT_SERVING');
  });
});
