// Register and its siblings through the door, as "Meaning" of the contract has it.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeregisterResponse__Output } from '../../../src/rpc/gen/rollcall/v1/DeregisterResponse.ts';
import type { GetInstanceResponse__Output } from '../../../src/rpc/gen/rollcall/v1/GetInstanceResponse.ts';
import type { Instance__Output } from '../../../src/rpc/gen/rollcall/v1/Instance.ts';
import type { RegisterBatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterBatchResponse.ts';
import type { RegisterResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterResponse.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { SetStatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/SetStatusResponse.ts';
import { type DoorWorld, call, failure, instance, startWorld } from './door-world.ts';

let world: DoorWorld;
let client: RegistryClient;
beforeAll(async () => {
  world = await startWorld();
  client = world.registry();
});
afterAll(() => world[Symbol.asyncDispose]());

type Fields = Record<string, unknown>;
const register = (overrides: Fields = {}, request: Fields = {}) =>
  call<RegisterResponse__Output>((done) =>
    client.register({ instance: instance(overrides), ...request }, done),
  );
const registerBatch = (instances: readonly Fields[], request: Fields = {}) =>
  call<RegisterBatchResponse__Output>((done) =>
    client.registerBatch({ instances: [...instances], ...request }, done),
  );
const deregister = (request: Fields) =>
  call<DeregisterResponse__Output>((done) => client.deregister(request, done));
const setStatus = (request: Fields) =>
  call<SetStatusResponse__Output>((done) => client.setStatus(request, done));
const get = async (instanceId: string, request: Fields = {}): Promise<Instance__Output> => {
  const answer = await call<GetInstanceResponse__Output>((done) =>
    client.getInstance({ instance_id: instanceId, ...request }, done),
  );
  if (answer.instance === null) throw new Error('no instance in the answer');
  return answer.instance;
};

describe('Register', () => {
  test('makes a new registration whose generation is its revision', async () => {
    const answer = await register({ instance_id: 'fresh' });
    expect(answer.generation).toBe(answer.revision);
    expect(answer.heartbeat_interval_ms).toBe(10_000);
    const own = await register({ instance_id: 'own-ttl', ttl_ms: 6001 });
    expect(own.heartbeat_interval_ms).toBe(2000);
  });

  test('fills in the defaults that reads return', async () => {
    const { revision } = await register({ instance_id: 'defaults', namespace: '' });
    const now = Date.now();
    const read = await get('defaults');
    expect(read).toMatchObject({
      namespace: 'default',
      weight: 100,
      ttl_ms: 30_000,
      lifecycle: 'SERVING',
      status: 'HEALTHY',
      maintenance: false,
      generation: revision,
      revision,
      checks: [],
    });
    expect(Math.abs(Number(read.registered_at_ms) - now)).toBeLessThan(10_000);
    expect(Number(read.last_heartbeat_ms)).toBeGreaterThanOrEqual(Number(read.registered_at_ms));
  });

  test('unchanged uses no revision and keeps the generation', async () => {
    const first = await register({ instance_id: 'same', tags: ['a', 'b'] });
    const other = await register({ instance_id: 'other' });
    const again = await register({ instance_id: 'same', tags: ['a', 'b', 'a'] });
    expect(again.generation).toBe(first.generation);
    expect(again.revision).toBe(other.revision);
  });

  test('what was read may be changed and registered: fields of the registry are ignored', async () => {
    const first = await register({ instance_id: 'loop' });
    const read = await get('loop');
    const unchanged = await register({ ...read });
    expect(unchanged.generation).toBe(first.generation);
    const changed = await register({ ...read, weight: 7 });
    expect(Number(changed.generation)).toBeGreaterThan(Number(first.generation));
    expect((await get('loop')).weight).toBe(7);
  });

  test.for([
    [{ status: 'STATUS_UNSPECIFIED' }, 'SERVING', 'HEALTHY'],
    [{ status: 'HEALTHY' }, 'SERVING', 'HEALTHY'],
    [{ status: 'STARTING' }, 'STARTING', 'STARTING'],
    [{ status: 'DRAINING' }, 'DRAINING', 'DRAINING'],
    [{ lifecycle: 'STARTING', status: 'UNHEALTHY' }, 'STARTING', 'STARTING'],
    [{ lifecycle: 'SERVING', status: 'DRAINING' }, 'SERVING', 'HEALTHY'],
  ] as const)('takes %j as lifecycle %s', async ([overrides, lifecycle, shown]) => {
    await register({ instance_id: 'cycle', ...overrides });
    expect(await get('cycle')).toMatchObject({ lifecycle, status: shown });
  });

  test('with if_generation writes only over that generation', async () => {
    const first = await register({ instance_id: 'fence' });
    const second = await register(
      { instance_id: 'fence', weight: 2 },
      { if_generation: first.generation },
    );
    for (const stale of [first.generation, '18446744073709551615']) {
      const told = await failure(
        register({ instance_id: 'fence', weight: 3 }, { if_generation: stale }),
      );
      expect(told).toMatchObject({ code: status.FAILED_PRECONDITION, reason: 'generation' });
      expect(told.message).toMatch(/^generation: /);
    }
    expect((await get('fence')).generation).toBe(second.generation);
  });

  test('never touches the override of the operator', async () => {
    await register({ instance_id: 'held' });
    await setStatus({ instance_id: 'held', maintenance: 'ON' });
    await register({ instance_id: 'held', weight: 9, maintenance: false });
    expect(await get('held')).toMatchObject({ maintenance: true, status: 'UNHEALTHY', weight: 9 });
  });

  test('with a request_id happens once and answers the same (G4)', async () => {
    const first = await register({ instance_id: 'once' }, { request_id: 'reg-1' });
    await register({ instance_id: 'once', weight: 5 });
    const replay = await register({ instance_id: 'once' }, { request_id: 'reg-1' });
    expect(replay).toEqual(first);
    expect((await get('once')).weight).toBe(5);
    const told = await failure(register({ instance_id: 'twice' }, { request_id: 'reg-1' }));
    expect(told).toMatchObject({ code: status.INVALID_ARGUMENT, field: 'request_id' });
  });
});

describe('RegisterBatch', () => {
  test('is one revision, with generations in the order of the request', async () => {
    const kept = await register({ instance_id: 'b1' });
    const answer = await registerBatch([
      instance({ instance_id: 'b2' }),
      instance({ instance_id: 'b1' }),
      instance({ instance_id: 'b3', ttl_ms: 9000 }),
    ]);
    expect(answer.generations).toEqual([answer.revision, kept.generation, answer.revision]);
    expect(answer.heartbeat_interval_ms).toBe(3000);
  });

  test('of unchanged entries writes nothing', async () => {
    const batch = [instance({ instance_id: 'u1' }), instance({ instance_id: 'u2' })];
    const first = await registerBatch(batch);
    expect(await registerBatch(batch)).toEqual(first);
  });

  test('is all or nothing, and names the entry at fault', async () => {
    const told = await failure(
      registerBatch([
        instance({ instance_id: 'good' }),
        instance({ instance_id: 'bad', metadata: Object.fromEntries(metadata(65)) }),
      ]),
    );
    expect(told.message).toBe('instances[1].metadata: 65 pairs, limit 64');
    expect((await failure(get('good'))).code).toBe(status.NOT_FOUND);
  });

  test.for([
    ['no instance', [], 'instances: is empty'],
    [
      'an id twice',
      [instance(), instance({ service_name: 'other' })],
      'instances[1].instance_id: is in the batch twice',
    ],
  ] as const)('refuses %s', async ([, instances, message]) => {
    const told = await failure(registerBatch(instances));
    expect(told).toMatchObject({ code: status.INVALID_ARGUMENT, message });
  });

  test('takes an id once in each namespace', async () => {
    const two = [instance({ instance_id: 'ns' }), instance({ instance_id: 'ns', namespace: 'b' })];
    expect((await registerBatch(two)).generations).toHaveLength(2);
  });

  test('takes 1000 instances and refuses 1001', async () => {
    const many = Array.from({ length: 1001 }, (_, at) => instance({ instance_id: `m${at}` }));
    expect((await registerBatch(many.slice(1))).generations).toHaveLength(1000);
    const told = await failure(registerBatch(many));
    expect(told.message).toBe('instances: 1001 instances, limit 1000');
  });

  test('refuses more than 1 MiB of instances', async () => {
    const big = Object.fromEntries(metadata(30, 'v'.repeat(500)));
    const many = Array.from({ length: 70 }, (_, at) =>
      instance({ instance_id: `big${at}`, metadata: big }),
    );
    const told = await failure(registerBatch(many));
    expect(told.message).toMatch(/^instances: \d+ bytes, limit 1048576$/);
    expect((await registerBatch(many.slice(0, 60))).generations).toHaveLength(60);
  });
});

function metadata(count: number, value = 'v'): [string, string][] {
  return Array.from({ length: count }, (_, at) => [`k${at}`, value]);
}

describe('Deregister', () => {
  test('removes, and says so', async () => {
    const { generation } = await register({ instance_id: 'gone' });
    const answer = await deregister({ instance_id: 'gone', generation, reason: 'done' });
    expect(answer.existed).toBe(true);
    expect(answer.watchers_pending).toBe(0);
    expect((await failure(get('gone'))).message).toMatch(/^not_found: /);
  });

  test('of what is not there is OK and uses no revision', async () => {
    const { revision } = await register({ instance_id: 'witness' });
    const answer = await deregister({ instance_id: 'nobody', generation: '4' });
    expect(answer).toMatchObject({ existed: false, revision });
  });

  test('of another generation is FAILED_PRECONDITION (G10)', async () => {
    const { generation } = await register({ instance_id: 'newer' });
    const told = await failure(
      deregister({ instance_id: 'newer', generation: String(Number(generation) - 1) }),
    );
    expect(told).toMatchObject({ code: status.FAILED_PRECONDITION, reason: 'generation' });
    expect((await get('newer')).generation).toBe(generation);
  });

  test('replays existed = false too, for the same request_id (G4)', async () => {
    const request = { instance_id: 'late', request_id: 'dereg-1' };
    const first = await deregister(request);
    await register({ instance_id: 'late' });
    expect(await deregister(request)).toEqual(first);
    expect((await get('late')).instance_id).toBe('late');
  });

  test.for([
    [{ instance_id: '' }, 'instance_id: is empty'],
    [{ instance_id: 'a', namespace: 'A' }, 'namespace: is not a DNS label'],
    [{ instance_id: 'a', reason: 'r'.repeat(513) }, 'reason: 513 bytes, limit 512'],
    [{ instance_id: 'a', request_id: 'r'.repeat(129) }, 'request_id: 129 bytes, limit 128'],
  ])('refuses %j', async ([request, message]) => {
    const told = await failure(deregister(request as Fields));
    expect(told.code).toBe(status.INVALID_ARGUMENT);
    expect(told.message).toContain(message as string);
  });

  test('with drain is UNIMPLEMENTED, by name, and removes nothing', async () => {
    await register({ instance_id: 'undrained' });
    const told = await failure(deregister({ instance_id: 'undrained', drain: {} }));
    expect(told).toMatchObject({
      code: status.UNIMPLEMENTED,
      message: 'drain: not in this version',
    });
    expect((await get('undrained')).instance_id).toBe('undrained');
  });
});

describe('SetStatus', () => {
  test.for([
    ['STARTING', 'STARTING', 'STARTING'],
    ['DRAINING', 'DRAINING', 'DRAINING'],
    ['HEALTHY', 'SERVING', 'HEALTHY'],
  ] as const)('%s sets the lifecycle; the revision moves, the generation does not', async (row) => {
    const [asked, lifecycle, shown] = row;
    const { generation } = await register({ instance_id: 'phase', status: 'STARTING' });
    const { revision } = await setStatus({ instance_id: 'phase', status: asked, reason: 'why' });
    const read = await get('phase');
    expect(read).toMatchObject({ lifecycle, status: shown, generation });
    expect(Number(read.revision)).toBeLessThanOrEqual(Number(revision));
    await deregister({ instance_id: 'phase' });
  });

  test('to what it already is, or to nothing, writes nothing', async () => {
    const { revision } = await register({ instance_id: 'still' });
    for (const request of [{}, { status: 'HEALTHY' }, { maintenance: 'OFF' }]) {
      expect(await setStatus({ instance_id: 'still', ...request })).toEqual({ revision });
    }
  });

  test.for([
    [{ status: 'UNHEALTHY' }, status.INVALID_ARGUMENT, 'status: UNHEALTHY is derived'],
    [{ status: 9 }, status.INVALID_ARGUMENT, 'status: 9 is not a Status'],
    [{ maintenance: 5 }, status.INVALID_ARGUMENT, 'maintenance: 5 is not a Maintenance'],
    [{ reason: 'r'.repeat(513) }, status.INVALID_ARGUMENT, 'reason: 513 bytes, limit 512'],
    [{ instance_id: 'nobody' }, status.NOT_FOUND, 'not_found: '],
    [{ generation: '1', status: 'DRAINING' }, status.FAILED_PRECONDITION, 'generation: '],
    [{ drain: { timeout_ms: 1000 } }, status.UNIMPLEMENTED, 'drain: not in this version'],
  ] as const)('refuses %j', async ([request, code, message]) => {
    await register({ instance_id: 'picky' });
    await register({ instance_id: 'picky', weight: 2 });
    const told = await failure(setStatus({ instance_id: 'picky', ...request }));
    expect(told.code).toBe(code);
    expect(told.message.startsWith(message)).toBe(true);
  });
});
