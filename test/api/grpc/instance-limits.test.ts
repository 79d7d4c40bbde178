// Every limit of a record, at the limit and one beyond, through the door (G17): what is taken, and the words of the refusal.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { RegisterResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterResponse.ts';
import { type DoorWorld, call, failure, instance, startWorld } from './door-world.ts';

let world: DoorWorld;
let client: RegistryClient;
beforeAll(async () => {
  world = await startWorld();
  client = world.registry();
});
afterAll(() => world[Symbol.asyncDispose]());

const send = (request: Record<string, unknown>) =>
  call<RegisterResponse__Output>((done) => client.register(request, done));
const pairs = (count: number, value: string | number = 'v') =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, value]));
const names = (count: number) => Array.from({ length: count }, (_, at) => `t${at}`);

const taken: readonly (readonly [string, Record<string, unknown>])[] = [
  ['namespace of 63 bytes', { namespace: 'n'.repeat(63) }],
  ['service_name of 63 bytes', { service_name: 's'.repeat(63) }],
  ['instance_id of 128 bytes', { instance_id: 'i'.repeat(128) }],
  ['host of 253 bytes', { host: `${'h'.repeat(63)}.`.repeat(3) + 'h'.repeat(61) }],
  ['64 metadata pairs', { metadata: pairs(64) }],
  ['metadata key of 128 bytes', { metadata: { ['k'.repeat(128)]: 'v' } }],
  ['metadata value of 512 bytes', { metadata: { k: 'ä'.repeat(256) } }],
  ['empty metadata value', { metadata: { k: '' } }],
  ['64 tags', { tags: names(64) }],
  ['64 tags and one of them again', { tags: [...names(64), 't0'] }],
  ['tag of 128 bytes', { tags: ['t'.repeat(128)] }],
  ['version of 128 bytes', { version: 'v'.repeat(128) }],
  ['region of 128 bytes', { region: 'r'.repeat(128) }],
  ['zone of 128 bytes', { zone: 'z'.repeat(128) }],
  ['weight 65535', { weight: 65_535 }],
  ['64 named ports', { ports: Object.fromEntries(names(64).map((name) => [name, 65_535])) }],
  ['ttl of 2 s', { ttl_ms: 2000 }],
  ['ttl of 24 h', { ttl_ms: 86_400_000 }],
];

const refused: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ namespace: 'n'.repeat(64) }, 'instance.namespace: 64 bytes, limit 63'],
  [{ namespace: '*' }, 'instance.namespace: is not a DNS label'],
  [{ service_name: '' }, 'instance.service_name: is empty'],
  [{ service_name: 's'.repeat(64) }, 'instance.service_name: 64 bytes, limit 63'],
  [{ service_name: 'Payment' }, 'instance.service_name: is not a DNS label'],
  [{ instance_id: '' }, 'instance.instance_id: is empty'],
  [{ instance_id: 'i'.repeat(129) }, 'instance.instance_id: 129 bytes, limit 128'],
  [{ instance_id: '..' }, 'instance.instance_id: has characters other'],
  [{ host: '' }, 'instance.host: is empty'],
  [{ host: 'web:80' }, 'instance.host: is neither'],
  [
    { host: `${`${'h'.repeat(63)}.`.repeat(3)}${'h'.repeat(62)}` },
    'instance.host: 254 bytes, limit 253',
  ],
  [{ port: 0 }, 'instance.port: is 0 or missing'],
  [{ port: 65_536 }, 'instance.port: is 65536, limit 65535'],
  [{ metadata: pairs(65) }, 'instance.metadata: 65 pairs, limit 64'],
  [{ metadata: pairs(5000) }, 'instance.metadata: 5000 pairs, limit 64'],
  [{ metadata: { '': 'v' } }, 'instance.metadata: has an empty key'],
  [
    { metadata: { ['k'.repeat(129)]: 'v' } },
    'instance.metadata: has a key of 129 bytes, limit 128',
  ],
  [{ metadata: { k: 'v'.repeat(513) } }, 'instance.metadata: has a value of 513 bytes, limit 512'],
  [{ tags: names(65) }, 'instance.tags: 65 tags, limit 64'],
  [{ tags: names(5000) }, 'instance.tags: 5000 tags, limit 64'],
  [{ tags: ['a', ''] }, 'instance.tags[1]: is empty'],
  [{ tags: ['t'.repeat(129)] }, 'instance.tags[0]: 129 bytes, limit 128'],
  [{ version: 'v'.repeat(129) }, 'instance.version: 129 bytes, limit 128'],
  [{ region: 'r'.repeat(129) }, 'instance.region: 129 bytes, limit 128'],
  [{ zone: 'z'.repeat(129) }, 'instance.zone: 129 bytes, limit 128'],
  [{ weight: 65_536 }, 'instance.weight: is 65536, limit 65535'],
  [{ ports: pairs(65, 1) }, 'instance.ports: 65 ports, limit 64'],
  [{ ports: { Admin: 1 } }, 'instance.ports (a name): is not a DNS label'],
  [{ ports: { admin: 0 } }, 'instance.ports (a number): is 0 or missing'],
  [{ ports: { admin: 65_536 } }, 'instance.ports (a number): is 65536, limit 65535'],
  [{ ttl_ms: 1999 }, 'instance.ttl_ms: 1999 ms is short, limit 2000'],
  [{ ttl_ms: 86_400_001 }, 'instance.ttl_ms: 86400001 ms is long, limit 86400000'],
  [{ status: 'UNHEALTHY' }, 'instance.status: UNHEALTHY is derived and cannot be stated'],
  [{ status: 9 }, 'instance.status: 9 is not a Status'],
  [{ lifecycle: 7 }, 'instance.lifecycle: 7 is not a Lifecycle'],
  [{ lifecycle: -1 }, 'instance.lifecycle: -1 is not a Lifecycle'],
];

describe('a record', () => {
  test.for(taken)('with %s is taken', async ([, overrides]) => {
    await expect(send({ instance: instance(overrides) })).resolves.toMatchObject({
      heartbeat_interval_ms: expect.any(Number),
    });
  });

  test.for(refused)('with %j is refused', async ([overrides, message]) => {
    const told = await failure(send({ instance: instance(overrides) }));
    expect(told.code).toBe(status.INVALID_ARGUMENT);
    expect(told.message.slice(0, message.length)).toBe(message);
    expect(told.reason).toBe('invalid_argument');
    expect(told.field).toBe(message.slice(0, message.indexOf(': ')));
  });

  test('that is missing is refused', async () => {
    const told = await failure(send({}));
    expect(told.message).toBe('instance: is missing');
  });

  test('has at most 16 KiB, counted as it is kept', async () => {
    // 29 values of 512 bytes and one that fills up.
    const metadata = pairs(31, 'v'.repeat(512));
    const probe = await failure(
      send({ instance: instance({ metadata: { ...metadata, fill: 'v'.repeat(512) } }) }),
    );
    const bytes = Number(/^instance: (\d+) bytes, limit 16384$/.exec(probe.message)?.[1]);
    const fits = { ...metadata, fill: 'v'.repeat(512 - (bytes - 16_384)) };
    await expect(send({ instance: instance({ metadata: fits }) })).resolves.toBeDefined();
    const over = { ...fits, fill: `${fits.fill}v` };
    const told = await failure(send({ instance: instance({ metadata: over }) }));
    expect(told.message).toBe('instance: 16385 bytes, limit 16384');
    expect(told.field).toBe('instance');
  });

  test.for([
    [{ checks: [{ name: 'http', http: { path: '/' } }] }, 'instance.checks: not in this version'],
    [{ deregister_after_ms: 1 }, 'instance.deregister_after_ms: not in this version'],
  ] as const)('with %j is UNIMPLEMENTED, by name', async ([overrides, message]) => {
    const told = await failure(send({ instance: instance(overrides) }));
    expect(told.code).toBe(status.UNIMPLEMENTED);
    expect(told.message).toBe(message);
  });

  test('with text that is not UTF-8 is refused, so that no reader chokes on it', async () => {
    const { decodeRegister } = await import('../../../src/api/grpc/decode.ts');
    const { defaultLimits } = await import('../../../src/config/limits.ts');
    const zone = Buffer.from([0x5a, 0x02, 0xc3, 0x28]);
    const request = Buffer.concat([Buffer.from([0x0a, zone.length]), zone]);
    expect(() => decodeRegister(request, defaultLimits)).toThrow(
      'instance.zone: is not valid UTF-8',
    );
  });
});

describe('a request', () => {
  test('takes a request_id of 128 bytes and refuses one of 129', async () => {
    await expect(
      send({ instance: instance({ instance_id: 'r' }), request_id: 'r'.repeat(128) }),
    ).resolves.toBeDefined();
    const told = await failure(send({ instance: instance(), request_id: 'r'.repeat(129) }));
    expect(told.message).toBe('request_id: 129 bytes, limit 128');
  });

  test('of more than 4 MiB ends with RESOURCE_EXHAUSTED naming the limit', async () => {
    const told = await failure(send({ instance: instance({ zone: 'z'.repeat(4 * 1024 * 1024) }) }));
    expect(told).toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: 'resource_exhausted' });
    expect(told.message).toMatch(/^resource_exhausted: message of \d+ bytes, limit 4194304/);
    expect(told.retryAfterMs).toBeGreaterThan(0);
    const huge = await failure(send({ instance: instance({ zone: 'z'.repeat(9 * 1024 * 1024) }) }));
    expect(huge.code).toBe(status.RESOURCE_EXHAUSTED);
  });
});
