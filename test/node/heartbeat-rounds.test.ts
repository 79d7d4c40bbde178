// What a heartbeat is answered, and what it does to the lease.
import { describe, expect, test } from 'vitest';
import { revision } from '../../src/lib/ids.ts';
import { beatOf, LeaseWorld } from './lease-host.ts';

const acknowledged = expect.objectContaining({ kind: 'acknowledged', failures: [] });

function worldWith(...ids: readonly string[]): LeaseWorld {
  const world = new LeaseWorld();
  for (const id of ids) world.catalogue.register({ id, ttlMs: 3000 });
  world.lead();
  return world;
}

describe('the answer to a heartbeat', () => {
  test('failures come in the order of the request, by their reason', () => {
    const world = worldWith('a');
    world.tell(world.catalogue.register({ id: 'a', ttlMs: 3000, port: 81 }));
    const answers = world.beat('no such id', beatOf('a', 1), 'a', beatOf('a', 2), '../..');
    world.clock.rest();
    world.decideRounds();
    expect(answers).toEqual([
      {
        kind: 'acknowledged',
        revision: 2,
        failures: [
          { position: 0, reason: 'unknown' },
          { position: 1, reason: 'fenced' },
          { position: 4, reason: 'unknown' },
        ],
        heartbeatIntervalMs: 1000,
      },
    ]);
  });

  test('a generation that was never given here is unknown: its registration is lost, and it registers again', () => {
    const world = worldWith('a');
    const answers = world.beat(beatOf('a', 7));
    world.clock.rest();
    world.decideRounds();
    expect(answers).toMatchObject([{ failures: [{ position: 0, reason: 'unknown' }] }]);
  });

  test('an old generation does not renew a newer one (G10)', () => {
    const world = worldWith('a');
    world.tell(world.catalogue.register({ id: 'a', ttlMs: 3000, port: 81 }));
    for (let second = 0; second < 4; second++) {
      world.beat(beatOf('a', 1));
      world.pass(1000, true);
    }
    expect(world.has('a')).toBe(false);
  });

  test('the interval is a third of the smallest TTL named, 10 s where none is known', () => {
    const world = worldWith('a');
    world.tell(world.catalogue.register({ id: 'long', ttlMs: 60_000 }));
    const answers = [world.beat('long', 'a'), world.beat('long'), world.beat(), world.beat('none')];
    world.clock.rest();
    world.decideRounds();
    const intervals = answers.flat().map((answer) => 'heartbeatIntervalMs' in answer && answer);
    expect(intervals).toMatchObject([
      { heartbeatIntervalMs: 1000 },
      { heartbeatIntervalMs: 20_000 },
      { heartbeatIntervalMs: 10_000 },
      { heartbeatIntervalMs: 10_000 },
    ]);
  });

  test('an instance removed between arrival and round is unknown, its successor in the slot is not renewed', () => {
    const world = worldWith('a');
    const answers = world.beat('a');
    world.clock.rest();
    world.tell(world.catalogue.deregister('a'));
    world.tell(world.catalogue.register({ id: 'successor', ttlMs: 3000 }));
    world.clock.pass(10);
    const registeredMs = world.leases.lastHeartbeat('default', 'successor');
    world.decideRounds();
    expect(answers).toEqual([
      expect.objectContaining({ failures: [{ position: 0, reason: 'unknown' }] }),
    ]);
    expect(world.leases.lastHeartbeat('default', 'successor')).toBe(registeredMs);
  });

  test('an instance registered after the arrival and before the round is acknowledged', () => {
    const world = worldWith('a');
    const answers = world.beat('late');
    world.clock.rest();
    world.tell(world.catalogue.register({ id: 'late', ttlMs: 3000 }));
    world.decideRounds();
    expect(answers).toEqual([acknowledged]);
  });
});

describe('a lease', () => {
  test('without a TTL never falls due', () => {
    const world = new LeaseWorld();
    world.catalogue.register({ id: 'a', ttlMs: 0 });
    world.lead();
    world.tell(world.catalogue.register({ id: 'b', ttlMs: 0 }));
    const answers = world.beat('a', 'b');
    world.pass(500_000, true);
    expect(answers).toMatchObject([{ failures: [], heartbeatIntervalMs: 10_000 }]);
    expect(world.catalogue.registry.instanceCount).toBe(2);
  });

  test('is renewed by register, not by a change of status', () => {
    const world = worldWith('a', 'b');
    world.pass(2000, true);
    world.tell(world.catalogue.setLifecycle('a', 'draining'));
    expect(world.leases.renew('default', 'b')).toBe(true);
    world.pass(1200, true);
    expect([world.has('a'), world.has('b')]).toEqual([false, true]);
  });

  test('that is registered anew with a shorter TTL falls due earlier', () => {
    const world = new LeaseWorld();
    world.catalogue.register({ id: 'a', ttlMs: 60_000 });
    world.lead();
    world.tell(world.catalogue.register({ id: 'a', ttlMs: 2000 }));
    world.pass(2200, true);
    expect(world.has('a')).toBe(false);
  });

  test('remembers when it was heard, in Unix time of the arrival', () => {
    const world = worldWith('a');
    world.clock.pass(500);
    const arrivedUnixMs = world.clock.unixNow();
    world.beat('a');
    world.clock.pass(500);
    world.clock.rest();
    world.decideRounds();
    expect(world.leases.lastHeartbeat('default', 'a')).toBe(arrivedUnixMs);
    expect(world.leases.lastHeartbeat('default', 'none')).toBeUndefined();
    world.leases.stepDown();
    expect(world.leases.lastHeartbeat('default', 'a')).toBeUndefined();
  });
});

describe('beats that wait for an acknowledgement are bounded (G17)', () => {
  test('the limit is taken, one more is refused by name, and room is made again', () => {
    const world = new LeaseWorld({ maxPendingBeats: 4 });
    world.catalogue.register({ id: 'a' });
    world.lead();
    const taken = world.beat('a', 'a', 'a');
    const refused = world.beat();
    expect(taken).toEqual([]);
    expect(refused).toEqual([
      expect.objectContaining({ code: 'resourceExhausted', message: expect.stringMatching(/4$/) }),
    ]);
    world.clock.rest();
    world.decideRounds();
    expect(taken).toEqual([acknowledged]);
    expect(world.beat('a', 'a', 'a')).toEqual([]);
  });
});

test('a revision in the answer is never older than the state it was judged by (G11)', () => {
  const world = worldWith('a');
  const answers = world.beat('a');
  world.clock.rest();
  world.tell(world.catalogue.register({ id: 'b' }));
  world.decideRounds();
  expect(answers).toMatchObject([{ revision: revision(2) }]);
});
