// GetInstance, ListInstances and ListServices through the door: order, pages of one revision, freshness.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GetInstanceResponse__Output } from '../../../src/rpc/gen/rollcall/v1/GetInstanceResponse.ts';
import type { ListInstancesResponse__Output } from '../../../src/rpc/gen/rollcall/v1/ListInstancesResponse.ts';
import type { ListServicesResponse__Output } from '../../../src/rpc/gen/rollcall/v1/ListServicesResponse.ts';
import type { RegisterBatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterBatchResponse.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import { type DoorWorld, call, failure, instance, startWorld } from './door-world.ts';

let world: DoorWorld;
let client: RegistryClient;
beforeAll(async () => {
  world = await startWorld({ limits: { ringChanges: 150 } });
  client = world.registry();
});
afterAll(() => world[Symbol.asyncDispose]());

type Fields = Record<string, unknown>;
const registerAll = (instances: readonly Fields[]) =>
  call<RegisterBatchResponse__Output>((done) =>
    client.registerBatch({ instances: [...instances] }, done),
  );
const list = (request: Fields) =>
  call<ListInstancesResponse__Output>((done) => client.listInstances(request, done));
const services = (request: Fields) =>
  call<ListServicesResponse__Output>((done) => client.listServices(request, done));
const get = (request: Fields, timeoutMs = 5000) =>
  call<GetInstanceResponse__Output>((done) =>
    client.getInstance(request, { deadline: Date.now() + timeoutMs }, done),
  );
const idsOf = (answer: ListInstancesResponse__Output) =>
  answer.instances.map(({ instance_id }) => instance_id);

/** Every page of a walk; `between` runs after each page but the last. */
async function walk(request: Fields, between: () => Promise<unknown> = () => Promise.resolve()) {
  const pages: ListInstancesResponse__Output[] = [];
  for (let token = ''; ; ) {
    const page = await list({ ...request, page_token: token });
    pages.push(page);
    token = page.next_page_token;
    if (token === '') return pages;
    await between();
  }
}

describe('GetInstance', () => {
  test('is NOT_FOUND for what is not there', async () => {
    const told = await failure(get({ instance_id: 'nobody' }));
    expect(told).toMatchObject({ code: status.NOT_FOUND, reason: 'not_found' });
  });

  test('tells the last heartbeat exactly when linearizable, as of the last change when stale', async () => {
    await registerAll([instance({ namespace: 'get', instance_id: 'g1' })]);
    const request = { namespace: 'get', instance_id: 'g1' };
    const registered = await get(request);
    const before = Date.now();
    await call((done) => client.heartbeat({ beats: [request] }, done));
    const exact = await get(request);
    const stale = await get({ ...request, read: { consistency: 'STALE' } });
    expect(Number(exact.instance?.last_heartbeat_ms)).toBeGreaterThanOrEqual(before - 1);
    expect(stale.instance?.last_heartbeat_ms).toBe(stale.instance?.registered_at_ms);
    expect(exact.revision).toBe(registered.revision);
    expect(exact.age_ms).toBe(0);
    expect({ ...exact.instance, last_heartbeat_ms: '' }).toEqual({
      ...stale.instance,
      last_heartbeat_ms: '',
    });
  });

  test('waits for min_revision until the deadline, then is UNAVAILABLE behind (G11)', async () => {
    const { revision } = await registerAll([instance({ namespace: 'get', instance_id: 'g2' })]);
    const request = { namespace: 'get', instance_id: 'g2' };
    const read = { consistency: 'STALE', min_revision: revision };
    expect((await get({ ...request, read })).revision).toBe(revision);
    const ahead = { consistency: 'STALE', min_revision: String(Number(revision) + 1000) };
    const started = performance.now();
    const told = await failure(get({ ...request, read: ahead }, 600));
    expect(told).toMatchObject({ code: status.UNAVAILABLE, reason: 'behind' });
    expect(told.message).toMatch(/^behind: /);
    expect(performance.now() - started).toBeGreaterThan(300);
  });

  test('refuses a consistency that does not exist', async () => {
    const told = await failure(get({ instance_id: 'a', read: { consistency: 7 } }));
    expect(told.message).toBe('read.consistency: 7 is not a Consistency');
  });
});

describe('ListInstances', () => {
  test('is sorted by service, then instance id, bytewise', async () => {
    const namespace = 'sorted';
    await registerAll(
      [
        ['web', 'b'],
        ['api', 'z'],
        ['web', 'B'],
        ['web', 'a:1'],
        ['web', 'a.1'],
        ['web', 'a'],
      ].map(([service, id]) => instance({ namespace, service_name: service, instance_id: id })),
    );
    const answer = await list({ selector: { namespace } });
    expect(idsOf(answer)).toEqual(['z', 'B', 'a', 'a.1', 'a:1', 'b']);
    expect(answer).toMatchObject({ next_page_token: '', age_ms: 0, all_unhealthy: false });
    expect(idsOf(await list({ selector: { namespace, services: ['web', 'api', 'web'] } }))).toEqual(
      idsOf(answer),
    );
  });

  test('of an unknown service is OK and empty', async () => {
    const answer = await list({ selector: { services: ['nowhere'] } });
    expect(answer).toMatchObject({ instances: [], next_page_token: '', all_unhealthy: false });
  });

  test('ANDs every part of a selector', async () => {
    const namespace = 'select';
    await registerAll([
      instance({ namespace, instance_id: 's1', tags: ['x', 'y'], metadata: { a: '1', b: '2' } }),
      instance({ namespace, instance_id: 's2', tags: ['x'], metadata: { a: '1' }, zone: 'z1' }),
      instance({ namespace, instance_id: 's3', tags: ['y'], status: 'STARTING', version: 'v2' }),
    ]);
    const ids = async (selector: Fields) =>
      idsOf(await list({ selector: { namespace, ...selector } }));
    expect(await ids({ tags: ['x'] })).toEqual(['s1', 's2']);
    expect(await ids({ tags: ['y', 'x'] })).toEqual(['s1']);
    expect(await ids({ metadata: { a: '1' }, zone: 'z1' })).toEqual(['s2']);
    expect(await ids({ metadata: { a: '1', b: '1' } })).toEqual([]);
    expect(await ids({ version: 'v2' })).toEqual(['s3']);
    expect(await ids({ healthy_only: true })).toEqual(['s1', 's2']);
    expect(await ids({ statuses: ['STARTING'] })).toEqual(['s3']);
    expect(await ids({ statuses: ['STARTING', 'HEALTHY'] })).toEqual(['s1', 's2', 's3']);
    expect(await ids({ region: 'nowhere' })).toEqual([]);
  });

  test('shows each change at once: what is kept is dropped when its service changes (G2)', async () => {
    const namespace = 'fresh';
    const selector = { namespace, services: ['web'] };
    for (let at = 0; at < 5; at += 1) {
      const id = `f${at}`;
      const { revision } = await registerAll([
        instance({ namespace, service_name: 'web', instance_id: id }),
      ]);
      for (const wide of [selector, { namespace }]) {
        const answer = await list({ selector: wide });
        expect(idsOf(answer)).toContain(id);
        expect(answer.revision).toBe(revision);
      }
    }
    // An id that moves to another service leaves this one.
    await registerAll([instance({ namespace, service_name: 'api', instance_id: 'f0' })]);
    expect(idsOf(await list({ selector }))).toEqual(['f1', 'f2', 'f3', 'f4']);
    // A change elsewhere shows in the revision, though the list is the same.
    const { revision } = await registerAll([instance({ namespace: 'elsewhere' })]);
    expect((await list({ selector })).revision).toBe(revision);
  });

  test('says all_unhealthy when what matches is not healthy, and hands nothing of it out', async () => {
    const namespace = 'sick';
    await registerAll([
      instance({ namespace, instance_id: 'u1' }),
      instance({ namespace, instance_id: 'u2' }),
    ]);
    const selector = { namespace, healthy_only: true };
    expect(await list({ selector })).toMatchObject({ all_unhealthy: false });
    for (const id of ['u1', 'u2']) {
      await call((done) =>
        client.setStatus({ namespace, instance_id: id, maintenance: 'ON' }, done),
      );
    }
    expect(await list({ selector })).toMatchObject({ instances: [], all_unhealthy: true });
  });

  test.for([
    [{ page_size: 1001 }, 'page_size: is 1001, limit 1000'],
    [{ page_token: 'garbled' }, 'page_token: is not a token of this service'],
    [{ selector: { namespace: 'A' } }, 'selector.namespace: is not a DNS label'],
    [{ selector: { services: ['a', 'B'] } }, 'selector.services[1]: is not a DNS label'],
    [{ selector: { services: labels(65) } }, 'selector.services: 65 services, limit 64'],
    [{ selector: { tags: labels(65) } }, 'selector.tags: 65 tags, limit 64'],
    [{ selector: { tags: [''] } }, 'selector.tags[0]: is empty'],
    [{ selector: { metadata: { '': 'v' } } }, 'selector.metadata: has an empty key'],
    [
      { selector: { metadata: Object.fromEntries(labels(65).map((key) => [key, 'v'])) } },
      'selector.metadata: 65 pairs, limit 64',
    ],
    [{ selector: { zone: 'z'.repeat(129) } }, 'selector.zone: 129 bytes, limit 128'],
    [{ selector: { region: 'z'.repeat(129) } }, 'selector.region: 129 bytes, limit 128'],
    [{ selector: { version: 'z'.repeat(129) } }, 'selector.version: 129 bytes, limit 128'],
    [{ selector: { statuses: [0] } }, 'selector.statuses[0]: 0 is not a Status'],
    [{ selector: { statuses: ['HEALTHY', 9] } }, 'selector.statuses[1]: 9 is not a Status'],
  ])('refuses %j', async ([request, message]) => {
    const told = await failure(list(request as Fields));
    expect(told.code).toBe(status.INVALID_ARGUMENT);
    expect(told.message.startsWith(message as string)).toBe(true);
  });

  test('takes a selector of 64 services, 64 tags and 64 pairs', async () => {
    const selector = {
      services: labels(64),
      tags: labels(64),
      metadata: Object.fromEntries(labels(64).map((key) => [key, 'v'])),
    };
    expect((await list({ selector, page_size: 1000 })).instances).toEqual([]);
  });
});

function labels(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `l${at}`);
}

describe('a walk over pages', () => {
  const namespace = 'pages';
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) =>
      instance({ namespace, instance_id: `i${String(at).padStart(3, '0')}` }),
    );

  test('is the state of one revision, whatever changes meanwhile', async () => {
    const { revision } = await registerAll(many(25));
    let step = 0;
    const pages = await walk({ selector: { namespace }, page_size: 10 }, async () => {
      step += 1;
      await registerAll([instance({ namespace, instance_id: `i00${step}-new` })]);
      await call((done) => client.deregister({ namespace, instance_id: `i02${step}` }, done));
    });
    expect(pages.map((page) => page.instances.length)).toEqual([10, 10, 5]);
    expect(new Set(pages.map((page) => page.revision))).toEqual(new Set([revision]));
    expect(pages.flatMap(idsOf)).toEqual(many(25).map((fields) => fields['instance_id']));
    expect(pages.at(-1)?.age_ms).toBe(4_294_967_295);
  });

  test('whose revision has left the ring is FAILED_PRECONDITION page_token', async () => {
    const first = await list({ selector: { namespace }, page_size: 10 });
    for (const weight of [3, 4, 5]) {
      await registerAll(many(100).map((fields) => ({ ...fields, weight })));
    }
    const told = await failure(
      list({ selector: { namespace }, page_size: 10, page_token: first.next_page_token }),
    );
    expect(told).toMatchObject({ code: status.FAILED_PRECONDITION, reason: 'page_token' });
    expect(told.message).toMatch(/^page_token: /);
  });

  test('does not go on with another selector', async () => {
    const first = await list({ selector: { namespace }, page_size: 1 });
    const told = await failure(
      list({ selector: { namespace, healthy_only: true }, page_token: first.next_page_token }),
    );
    expect(told.message).toBe('page_token: was made for another list');
  });

  test('is cut before a message exceeds 3 MiB', async () => {
    const metadata = Object.fromEntries(labels(30).map((key) => [key, 'v'.repeat(500)]));
    for (let part = 0; part < 5; part += 1) {
      await registerAll(
        Array.from({ length: 60 }, (_, at) =>
          instance({ namespace: 'big', instance_id: `x${part}-${at}`, metadata }),
        ),
      );
    }
    const pages = await walk({ selector: { namespace: 'big' } });
    expect(pages.length).toBe(2);
    expect(pages.flatMap(idsOf)).toHaveLength(300);
    expect(pages[0]?.instances.length).toBeGreaterThan(190);
  });
});

describe('ListServices', () => {
  test('counts, unites tags and tells the last change, sorted by name', async () => {
    const namespace = 'sums';
    await registerAll([
      instance({ namespace, service_name: 'web', instance_id: 'w1', tags: ['b', 'a'] }),
      instance({ namespace, service_name: 'web', instance_id: 'w2', tags: ['c', 'a'] }),
    ]);
    const { revision } = await registerAll([
      instance({ namespace, service_name: 'api', instance_id: 'a1', status: 'STARTING' }),
    ]);
    const web = { namespace, service_name: 'web', healthy: 2, total: 2, tags: ['a', 'b', 'c'] };
    const answer = await services({ namespace });
    expect(answer.services).toMatchObject([
      { namespace, service_name: 'api', healthy: 0, total: 1, tags: [], revision },
      { ...web, revision: String(Number(revision) - 1) },
    ]);
    expect(answer).toMatchObject({ revision, age_ms: 0, next_page_token: '' });
    await call((done) => client.deregister({ namespace, instance_id: 'a1' }, done));
    expect((await services({ namespace })).services).toMatchObject([web]);
  });

  test('walks all namespaces in pages of one revision', async () => {
    for (const namespace of ['wa', 'wb']) {
      await registerAll(
        ['one', 'two'].map((service) =>
          instance({ namespace, service_name: service, instance_id: service }),
        ),
      );
    }
    const names: string[] = [];
    const revisions = new Set<string>();
    for (let token = ''; ; ) {
      const page = await services({ namespace: '*', page_size: 1, page_token: token });
      names.push(...page.services.map((found) => `${found.namespace}/${found.service_name}`));
      revisions.add(page.revision);
      token = page.next_page_token;
      if (token === '') break;
      await registerAll([instance({ namespace: 'w0', instance_id: `late-${names.length}` })]);
    }
    expect(names).toEqual([...names].toSorted());
    expect(names).toEqual(expect.arrayContaining(['wa/one', 'wa/two', 'wb/one', 'wb/two']));
    expect(names).not.toContain('w0/payment');
    expect(revisions.size).toBe(1);
  });

  test('stays within a message, whatever the tags of a service come to (G17)', async () => {
    await using small = await startWorld({ limits: { messageOutBytes: 64 * 1024 } });
    const registry = small.registry({ 'grpc.max_receive_message_length': 64 * 1024 });
    const tags = Array.from({ length: 20 * 64 }, (_, at) => `tag-${1000 + at}-${'é'.repeat(40)}`);
    const instances = Array.from({ length: 20 }, (_, at) =>
      instance({
        instance_id: `i${at}`,
        service_name: 'tagged',
        tags: tags.slice(at * 64, (at + 1) * 64),
      }),
    );
    await call((done) => registry.registerBatch({ instances }, done));
    await call((done) => registry.register({ instance: instance({ service_name: 'zz' }) }, done));
    const answers: ListServicesResponse__Output[] = [];
    for (let token = ''; ; ) {
      const answer = await call<ListServicesResponse__Output>((done) =>
        registry.listServices({ page_token: token }, done),
      );
      answers.push(answer);
      token = answer.next_page_token;
      if (token === '') break;
    }
    const [tagged, other] = answers.flatMap((answer) => answer.services);
    expect([tagged?.total, other?.service_name]).toEqual([20, 'zz']);
    expect(tagged?.tags.length).toBeGreaterThan(300);
    expect(tagged?.tags).toEqual(tags.slice(0, tagged?.tags.length));
  });

  test('of a namespace without services is empty', async () => {
    expect((await services({ namespace: 'void' })).services).toEqual([]);
  });
});
