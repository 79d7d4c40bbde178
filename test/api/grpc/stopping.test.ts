// How a door stops (facts of grpc-js: tryShutdown alone waits for ever on an open watch; drain after it does nothing).
import { type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { revision } from '../../../src/lib/ids.ts';
import { pollUntil } from '../../support/poll.ts';
import { type DoorWorld, call, failureOf, instance, startWorld } from './door-world.ts';

interface Followed {
  readonly messages: unknown[];
  error: ServiceError | undefined;
}

function follow(stream: Pick<NodeJS.EventEmitter, 'on'>): Followed {
  const followed: Followed = { messages: [], error: undefined };
  stream.on('data', (message: unknown) => followed.messages.push(message));
  stream.on('error', (error: ServiceError) => {
    followed.error = error;
  });
  return followed;
}

function openStreams(world: DoorWorld) {
  const client = world.registry();
  const watch = client.watch();
  watch.write({});
  const silent = client.watch();
  const beats = client.heartbeatStream();
  beats.write({ beats: [] });
  const health = world.client('grpc.health.v1.Health');
  const healthWatch = (health['watch'] as (request: object) => NodeJS.EventEmitter).call(health, {
    service: '',
  });
  return {
    watch: follow(watch),
    silent: follow(silent),
    beats: follow(beats),
    health: follow(healthWatch),
  };
}

describe('a door that stops', () => {
  test('says NOT_SERVING, ends each stream with shutting_down, and is done at once', async () => {
    await using world = await startWorld();
    const streams = openStreams(world);
    await pollUntil(
      () =>
        streams.watch.messages.length > 0 &&
        streams.beats.messages.length > 0 &&
        streams.health.messages.length > 0,
      { what: 'the streams to be open', timeoutMs: 5000 },
    );
    const started = performance.now();
    await world.door.stop({ graceMs: 5000 });
    expect(performance.now() - started).toBeLessThan(1000);
    await pollUntil(() => Object.values(streams).every(({ error }) => error !== undefined), {
      what: 'every stream to end',
      timeoutMs: 5000,
    });
    for (const { error } of Object.values(streams)) {
      const told = failureOf(error as ServiceError);
      expect(told).toMatchObject({ code: status.UNAVAILABLE, reason: 'shutting_down' });
      expect(told.message).toMatch(/^shutting_down: /);
    }
    expect(streams.health.messages).toEqual([{ status: 'SERVING' }, { status: 'NOT_SERVING' }]);
    expect(streams.watch.messages.at(-1)).toMatchObject({
      resume_token: expect.stringMatching(/./),
    });
    await expect(
      call((done) => world.registry().register({ instance: instance() }, done)),
    ).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  test('lets a call in flight finish', async () => {
    await using world = await startWorld();
    const client = world.registry();
    await call((done) => client.register({ instance: instance() }, done));
    const waiting = call((done) =>
      client.getInstance(
        { instance_id: 'p1', read: { consistency: 'STALE', min_revision: '2' } },
        done,
      ),
    );
    const other = world.registry();
    await call((done) => other.listServices({}, done));
    const stopped = world.door.stop({ graceMs: 5000 });
    await world.node.write(
      {
        kind: 'deregister',
        namespace: 'default',
        instanceId: 'p1',
        generation: revision(0),
        reason: '',
      },
      { requestId: '', actor: '' },
    );
    await expect(waiting).rejects.toMatchObject({ code: status.NOT_FOUND });
    await stopped;
  });

  test('cuts off what does not end within the grace', async () => {
    await using world = await startWorld();
    const client = world.registry();
    const waiting = call((done) =>
      client.getInstance(
        { instance_id: 'p1', read: { consistency: 'STALE', min_revision: '9' } },
        done,
      ),
    );
    const refused = expect(waiting).rejects.toMatchObject({ code: expect.any(Number) });
    await call((done) => client.listServices({}, done));
    const started = performance.now();
    await world.door.stop({ graceMs: 300 });
    const took = performance.now() - started;
    expect(took).toBeGreaterThan(250);
    expect(took).toBeLessThan(2000);
    await refused;
  });

  test('refuses an address it cannot bind', async () => {
    await using world = await startWorld();
    await using other = await startWorld();
    await expect(other.door.listen(world.address)).rejects.toThrow();
  });
});
