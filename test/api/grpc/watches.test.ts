// Watch through the door: state, changes, resumption, limits, and readers that do not read.
import { type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { WatchRequest } from '../../../src/rpc/gen/rollcall/v1/WatchRequest.ts';
import type { WatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { pollUntil } from '../../support/poll.ts';
import { type DoorWorld, call, failureOf, instance, startWorld } from './door-world.ts';

let world: DoorWorld;
let client: RegistryClient;
beforeAll(async () => {
  world = await startWorld({ limits: { watchesPerConnection: 4, watchOpenMs: 300 } });
  client = world.registry();
});
afterAll(() => world[Symbol.asyncDispose]());

type Fields = Record<string, unknown>;
const register = (overrides: Fields) =>
  call<{ revision: string; generation: string }>((done) =>
    client.register({ instance: instance(overrides) }, done as never),
  );

class Watching implements Disposable {
  readonly messages: WatchResponse__Output[] = [];
  error: ServiceError | undefined;
  readonly stream: ClientDuplexStream<WatchRequest, WatchResponse__Output>;

  constructor(first: Fields | undefined, by: RegistryClient = client) {
    this.stream = by.watch();
    this.stream.on('data', (message: WatchResponse__Output) => this.messages.push(message));
    this.stream.on('error', (error: ServiceError) => {
      this.error = error;
    });
    if (first !== undefined) this.stream.write(first);
  }
  async next(count: number): Promise<readonly WatchResponse__Output[]> {
    await pollUntil(() => this.messages.length >= count || this.error !== undefined, {
      what: `${count} messages`,
      timeoutMs: 8000,
      explain: () => JSON.stringify(this.messages),
    });
    if (this.error !== undefined) throw this.error;
    return this.messages;
  }
  async failed() {
    await pollUntil(() => this.error !== undefined, { what: 'an error', timeoutMs: 8000 });
    return failureOf(this.error as ServiceError);
  }
  /** `put a`, `remove b reason`. */
  told(): readonly string[] {
    return this.messages.flatMap(({ changes }) =>
      changes.map(({ kind, instance: about, reason }) =>
        [kind.toLowerCase(), about?.instance_id, reason].join(' ').trim(),
      ),
    );
  }
  [Symbol.dispose](): void {
    this.stream.cancel();
  }
}

const inNamespace = (namespace: string, more: Fields = {}): Fields => ({
  selector: { namespace, ...more },
});

describe('Watch', () => {
  test('begins with a reset, also of an empty state', async () => {
    using watch = new Watching(inNamespace('empty'));
    const [first] = await watch.next(1);
    expect(first).toMatchObject({ reset: true, more: false, changes: [] });
    expect(first?.resume_token).not.toBe('');
  });

  test('without a selector shows the namespace "default"', async () => {
    await register({ instance_id: 'in-default' });
    using watch = new Watching({});
    await watch.next(1);
    expect(watch.told()).toContain('put in-default');
  });

  test('tells the state, then one message per revision, each once and in order (G5)', async () => {
    const namespace = 'order';
    const { revision } = await register({ namespace, instance_id: 'a' });
    using watch = new Watching(inNamespace(namespace));
    await watch.next(1);
    const second = await register({ namespace, instance_id: 'b' });
    await call((done) =>
      client.deregister({ namespace, instance_id: 'a', reason: 'moving out' }, done),
    );
    await call((done) => client.deregister({ namespace, instance_id: 'b' }, done));
    const [first, ...rest] = await watch.next(4);
    expect(first).toMatchObject({ revision, reset: true });
    expect(rest.map((message) => Number(message.revision) - Number(second.revision))).toEqual([
      0, 1, 2,
    ]);
    expect(watch.told()).toEqual([
      'put a',
      'put b',
      'remove a moving out',
      'remove b deregistered',
    ]);
    expect(rest[1]?.changes[0]?.instance).toMatchObject({ namespace, service_name: 'payment' });
    expect(rest[1]?.changes[0]?.instance?.host).toBe('');
  });

  test('carries the whole record in a PUT', async () => {
    const namespace = 'whole';
    using watch = new Watching(inNamespace(namespace));
    await watch.next(1);
    const { generation } = await register({ namespace, tags: ['t'], metadata: { k: 'v' } });
    const [, message] = await watch.next(2);
    expect(message?.changes[0]).toMatchObject({
      kind: 'PUT',
      actor: '',
      instance: { host: '10.0.0.1', port: 8080, tags: ['t'], metadata: { k: 'v' }, generation },
    });
  });

  test('never splits a revision', async () => {
    const namespace = 'group';
    using watch = new Watching(inNamespace(namespace));
    await watch.next(1);
    await call((done) =>
      client.registerBatch(
        {
          instances: Array.from({ length: 50 }, (_, at) =>
            instance({ namespace, instance_id: `g${at}` }),
          ),
        },
        done,
      ),
    );
    const [, message] = await watch.next(2);
    expect(message?.changes).toHaveLength(50);
  });

  test('with healthy_only follows the state, not the events', async () => {
    const namespace = 'healthy';
    await register({ namespace, instance_id: 'h', status: 'STARTING' });
    using watch = new Watching(inNamespace(namespace, { healthy_only: true }));
    await watch.next(1);
    const setStatus = (request: Fields) =>
      call((done) => client.setStatus({ namespace, instance_id: 'h', ...request }, done));
    await setStatus({ status: 'HEALTHY' });
    await setStatus({ maintenance: 'ON' });
    await setStatus({ maintenance: 'OFF' });
    await watch.next(4);
    expect(watch.told()).toEqual(['put h', 'remove h no_longer_matches', 'put h']);
  });

  test('goes on after the client half-closed', async () => {
    const namespace = 'half';
    using watch = new Watching(inNamespace(namespace));
    watch.stream.end();
    await watch.next(1);
    await register({ namespace });
    await watch.next(2);
    expect(watch.told()).toEqual(['put p1']);
  });

  test('resumes exactly after a token', async () => {
    const namespace = 'resume';
    using before = new Watching(inNamespace(namespace));
    await before.next(1);
    await register({ namespace, instance_id: 'r1' });
    const token = (await before.next(2))[1]?.resume_token;
    await register({ namespace, instance_id: 'r2' });
    await register({ namespace, instance_id: 'r3' });
    using after = new Watching({ ...inNamespace(namespace), resume_token: token });
    const messages = await after.next(2);
    expect(messages.map(({ reset }) => reset)).toEqual([false, false]);
    expect(after.told()).toEqual(['put r2', 'put r3']);
  });

  test('takes acknowledgements, also of what was not sent', async () => {
    const namespace = 'acks';
    using watch = new Watching({ ...inNamespace(namespace), acknowledges: true });
    await watch.next(1);
    watch.stream.write({ acknowledge: '99999' });
    watch.stream.write({});
    await register({ namespace });
    await watch.next(2);
    expect(watch.error).toBeUndefined();
  });

  test('sends a progress mark within 5 s', { timeout: 15_000 }, async () => {
    using watch = new Watching(inNamespace('quiet'));
    await watch.next(1);
    const started = performance.now();
    const [, mark] = await watch.next(2);
    expect(performance.now() - started).toBeLessThan(5500);
    expect(mark).toMatchObject({ reset: false, changes: [] });
  });
});

describe('a Watch is refused', () => {
  test.for([
    [{ selector: { namespace: 'A' } }, 'selector.namespace: is not a DNS label'],
    [{ selector: { statuses: [9] } }, 'selector.statuses[0]: 9 is not a Status'],
    [{ read: { consistency: 3 } }, 'read.consistency: 3 is not a Consistency'],
    [{ resume_token: 'garbled' }, 'resume_token: is not a token of this service'],
  ])('for %j', async ([request, message]) => {
    using watch = new Watching(request as Fields);
    const told = await watch.failed();
    expect(told.code).toBe(status.INVALID_ARGUMENT);
    expect(told.message.startsWith(message as string)).toBe(true);
  });

  test('for a token of another selector', async () => {
    using watch = new Watching(inNamespace('token-a'));
    const [first] = await watch.next(1);
    using other = new Watching({ ...inNamespace('token-b'), resume_token: first?.resume_token });
    const told = await other.failed();
    expect(told.message).toBe('resume_token: was made for another selector');
  });

  test('for a selector in a later message', async () => {
    using watch = new Watching(inNamespace('later'));
    await watch.next(1);
    watch.stream.write(inNamespace('later'));
    const told = await watch.failed();
    expect(told.message).toBe('selector: is allowed in the first message only');
  });

  test('when it closes without a first message', async () => {
    using watch = new Watching(undefined);
    watch.stream.end();
    const told = await watch.failed();
    expect(told.message).toBe('selector: the stream closed before its first message');
  });

  test('when its first message does not come in time', async () => {
    using watch = new Watching(undefined);
    const told = await watch.failed();
    expect(told).toMatchObject({ code: status.DEADLINE_EXCEEDED, reason: 'deadline_exceeded' });
    expect(told.message).toContain('limit 300 ms');
  });

  test('beyond the limit of its connection, and the others live on (G17)', async () => {
    const crowded = world.registry();
    const namespace = 'crowd';
    const open = Array.from({ length: 4 }, () => new Watching(inNamespace(namespace), crowded));
    for (const watch of open) await watch.next(1);
    using fifth = new Watching(inNamespace(namespace), crowded);
    const told = await fifth.failed();
    expect(told).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: 'resource_exhausted',
    });
    expect(told.message).toContain('watches per connection, limit 4');
    expect(told.retryAfterMs).toBeGreaterThan(0);
    await register({ namespace });
    for (const watch of open) await watch.next(2);
    // Another connection has its own count, and so has this one once a watch has ended.
    using elsewhere = new Watching(inNamespace(namespace));
    await elsewhere.next(1);
    open.pop()?.stream.cancel();
    await pollUntil(
      async () => {
        using again = new Watching(inNamespace(namespace), crowded);
        await again.next(1);
        return true;
      },
      { what: 'a free place', timeoutMs: 5000 },
    );
    for (const watch of open) watch.stream.cancel();
  });
});

describe('a reader that goes away', () => {
  test('leaves nothing behind in the hub', async () => {
    await pollUntil(() => world.node.watches.count === 0, {
      what: 'the other tests to leave',
      timeoutMs: 5000,
    });
    const gone = world.registry();
    using watch = new Watching(inNamespace('gone'), gone);
    await watch.next(1);
    expect(world.node.watches.count).toBe(1);
    watch.stream.cancel();
    await pollUntil(() => world.node.watches.count === 0, {
      what: 'the cursor to close',
      timeoutMs: 5000,
    });
  });
});
