// The hub seen by its readers: what they get, when, and what it costs.
import { describe, expect, test } from 'vitest';
import { RegistryError } from '../../src/lib/registry-error.ts';
import { Reader, at, WatchWorld } from './watch-world.ts';

const ids = (count: number, prefix = 'i') =>
  Array.from({ length: count }, (_, nth) => ({ id: `${prefix}${String(nth).padStart(4, '0')}` }));

describe('a reader that keeps up', () => {
  test('gets the state first, then one message per revision that concerns it, in order (G5)', () => {
    const world = new WatchWorld();
    const { catalogue } = world;
    world.publish(catalogue.register({ id: 'a' }, { id: 'b', service: 's1' }));
    const reader = world.watch({ services: ['s0'] });
    const concerning: number[] = [];
    for (let port = 1; port <= 60; port++) {
      const service = port % 3 === 0 ? 's1' : 's0';
      const applied = catalogue.register({ id: `${service}-x`, service, port });
      if (service === 's0') concerning.push(applied.group?.revision ?? 0);
      world.publish(applied);
      if (port % 7 === 0) world.clock.rest();
    }
    world.clock.rest();
    const [first, ...rest] = reader.received;
    expect(first).toMatchObject({ revision: 1, reset: true, more: false });
    expect(first?.changes.map(({ id }) => id)).toEqual(['a']);
    expect(rest.map(({ revision }) => revision)).toEqual(concerning);
    expect(rest.every(({ reset, more, changes }) => !reset && !more && changes.length === 1)).toBe(
      true,
    );
  });

  test('gets a reset of an empty state too', () => {
    const world = new WatchWorld();
    expect(world.watch().received).toMatchObject([
      { revision: 0, reset: true, more: false, changes: [] },
    ]);
  });

  test('gets all changes of one revision in one message', () => {
    const world = new WatchWorld();
    const reader = world.watch();
    world.publish(world.catalogue.register(...ids(500)));
    world.clock.rest();
    expect(reader.received).toHaveLength(2);
    expect(reader.last?.changes).toHaveLength(500);
  });

  test('does not run in the turn of the apply loop', () => {
    const world = new WatchWorld();
    const reader = world.watch();
    world.publish(world.catalogue.register({ id: 'a' }));
    expect(reader.received).toHaveLength(1);
    world.clock.turn();
    expect(reader.received).toHaveLength(2);
  });
});

describe('encode once', () => {
  test('100 readers of one selector share one change, one message, one buffer', () => {
    const world = new WatchWorld();
    const readers = Array.from({ length: 100 }, () => world.watch({ services: ['s0'] }));
    world.format.changes = 0;
    world.format.messages = 0;
    world.publish(world.catalogue.register({ id: 'a' }));
    world.clock.rest();
    expect([world.format.changes, world.format.messages]).toEqual([1, 1]);
    expect(new Set(readers.map(({ raw }) => raw.at(-1))).size).toBe(1);
  });

  test('a change is shared between selectors, a message is not', () => {
    const world = new WatchWorld();
    for (const services of [['s0'], ['s0', 's1'], []]) world.watch({ services });
    world.format.changes = 0;
    world.format.messages = 0;
    world.publish(world.catalogue.register({ id: 'a' }));
    world.clock.rest();
    expect([world.format.changes, world.format.messages]).toEqual([1, 3]);
  });

  test('a change that shows nothing to a selector costs it nothing', () => {
    const world = new WatchWorld();
    world.publish(world.catalogue.register({ id: 'a' }));
    world.publish(world.catalogue.setMaintenance('a', true));
    const reader = world.watch({ healthyOnly: true });
    world.format.messages = 0;
    world.publish(world.catalogue.setLifecycle('a', 'starting'));
    expect(world.clock.deferredCount).toBe(0);
    expect([reader.received.length, world.format.messages]).toEqual([1, 0]);
  });
});

describe('a reader that lags (G17)', () => {
  test('holds no queue, and then gets the latest state of each instance once', () => {
    const world = new WatchWorld({ ringChanges: 100_000 });
    const reader = world.watch({}, '', new Reader(1));
    world.format.messages = 0;
    for (let port = 1; port <= 3000; port++) {
      world.publish(world.catalogue.register({ id: `i${port % 10}`, port: (port % 60_000) + 1 }));
      if (port % 100 === 0) world.clock.rest();
    }
    expect(reader.received).toHaveLength(1);
    expect(world.format.messages, 'nothing was even encoded for it').toBe(0);
    reader.drain(5);
    world.clock.rest();
    expect(reader.received).toHaveLength(2);
    expect(reader.last).toMatchObject({ revision: 3000, reset: false });
    expect(reader.last?.changes).toHaveLength(10);
  });

  test('behind by no more than the threshold it still gets one message for each', () => {
    const world = new WatchWorld({ mergeBehind: 20 });
    const reader = world.watch({}, '', new Reader(1));
    const writes = (count: number, from: number) => {
      for (let nth = 0; nth < count; nth++) {
        world.publish(world.catalogue.register({ id: 'a', port: from + nth }));
      }
    };
    writes(20, 1);
    reader.drain(21);
    world.clock.rest();
    expect(reader.received).toHaveLength(21);
    writes(1, 50);
    world.clock.rest();
    writes(21, 100);
    reader.drain(21);
    world.clock.rest();
    expect(reader.received.map(({ revision }) => revision).slice(-2)).toEqual([21, 42]);
  });

  test('one that was blocked and missed nothing gets one message for each of a later burst', () => {
    const world = new WatchWorld({ mergeBehind: 20 });
    const reader = world.watch({}, '', new Reader(1));
    reader.drain(1000);
    world.clock.rest();
    for (let port = 1; port <= 80; port++) {
      world.publish(world.catalogue.register({ id: 'a', port }));
    }
    world.clock.rest();
    expect(reader.received).toHaveLength(81);
  });

  test('merged messages are cut at whole revisions and keep within the limit', () => {
    const world = new WatchWorld({ mergeBehind: 5, messageBytes: 4000 });
    const reader = world.watch({}, '', new Reader(1));
    for (let nth = 0; nth < 30; nth++) {
      const pair = [`a${nth}`, `b${nth}`].map((id) => ({ id }));
      world.publish(world.catalogue.register(...pair));
    }
    reader.drain(100);
    world.clock.rest();
    const merged = reader.received.slice(1);
    expect(merged.length).toBeGreaterThan(1);
    expect(merged.length).toBeLessThan(30);
    for (const { bytes, changes } of merged) {
      expect(bytes).toBeLessThanOrEqual(4000);
      expect(changes.length % 2).toBe(0);
    }
  });

  test('left behind by the ring it gets a fresh state', () => {
    const world = new WatchWorld({ ringChanges: 10 });
    const reader = world.watch({}, '', new Reader(1));
    for (let port = 1; port <= 12; port++) {
      world.publish(world.catalogue.register({ id: `i${port % 2}`, port }));
    }
    reader.drain(5);
    world.clock.rest();
    expect(reader.received).toHaveLength(2);
    expect(reader.last).toMatchObject({ revision: 12, reset: true });
    expect(reader.last?.changes).toHaveLength(2);
  });

  test('a reader whose sink throws is closed, and the others live on', () => {
    const world = new WatchWorld();
    const broken = new Reader();
    broken.write = () => {
      throw new Error('the stream is gone');
    };
    world.watch({}, '', broken);
    const reader = world.watch();
    world.publish(world.catalogue.register({ id: 'a' }));
    world.clock.rest();
    expect(world.hub.count).toBe(1);
    expect(reader.received).toHaveLength(2);
  });
});

describe('a state of several parts', () => {
  const messageBytes = 2000;

  test('is pulled as the sink drains, all of one revision, with `more` on all parts but the last', () => {
    const world = new WatchWorld({ messageBytes });
    world.publish(world.catalogue.register(...ids(100)));
    const reader = world.watch({}, '', new Reader(1));
    expect(reader.received).toHaveLength(1);
    for (let port = 1; reader.last?.more === true; port++) {
      world.publish(world.catalogue.register({ id: 'i0050', port }, { id: `new${port}` }));
      world.publish(world.catalogue.deregister(`i00${port + 60}`));
      reader.drain(1);
      world.clock.rest();
    }
    const parts = reader.received;
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.map(({ revision }) => revision)).toEqual(parts.map(() => 1));
    expect(parts.map(({ reset }) => reset)).toEqual(parts.map((_, nth) => nth === 0));
    expect([...reader.state.keys()]).toEqual(ids(100).map(({ id }) => `default/s0/${id}`));
    expect([...reader.state.values()].every((revision) => revision === 1)).toBe(true);
    for (const { bytes } of parts) expect(bytes).toBeLessThanOrEqual(messageBytes);
    reader.drain(1000);
    world.clock.rest();
    expect(reader.last?.revision).toBe(world.registry.revision);
  });

  test('begins afresh when the ring no longer reaches its revision', () => {
    const world = new WatchWorld({ messageBytes, ringChanges: 5 });
    world.publish(world.catalogue.register(...ids(60)));
    const reader = world.watch({}, '', new Reader(2));
    for (let port = 1; port <= 8; port++)
      world.publish(world.catalogue.register({ id: 'x', port }));
    reader.drain(100);
    world.clock.rest();
    expect(reader.received[2]).toMatchObject({ revision: 9, reset: true, more: true });
    expect(reader.last).toMatchObject({ revision: 9, reset: false, more: false });
    expect(reader.state.size).toBe(61);
  });
});

describe('progress marks', () => {
  test('come within 5 s of the last message with a tick a second, and carry the present revision (G6)', () => {
    const world = new WatchWorld();
    const readers = Array.from({ length: 40 }, () => world.watch({ services: ['s0'] }));
    world.publish(world.catalogue.register({ id: 'a', service: 's1' }));
    const marksAt: number[] = [];
    for (let second = 1; second <= 5; second++) {
      world.clock.pass(1000);
      world.hub.tick(world.clock.now());
      marksAt.push(readers.filter(({ received }) => received.length === 2).length);
    }
    expect(marksAt.slice(0, 2)).toEqual([0, 0]);
    expect(marksAt[4]).toBe(40);
    expect(marksAt[2], 'they are spread').toBeLessThan(40);
    for (const { last } of readers)
      expect(last).toMatchObject({ revision: 1, changes: [], reset: false });
  });

  test('are true: none while a change is owed, none into a full sink', () => {
    const world = new WatchWorld();
    const full = world.watch({}, '', new Reader(1));
    const owed = world.watch();
    world.publish(world.catalogue.register({ id: 'a' }));
    world.clock.pass(5000);
    world.hub.tick(world.clock.now());
    expect([full.received.length, owed.received.length]).toEqual([1, 1]);
    world.clock.rest();
    expect(owed.last).toMatchObject({ revision: 1, changes: [{ id: 'a' }] });
  });
});

describe('what a change is to a selector', () => {
  test('leaving and returning is REMOVE and PUT, with the reason', () => {
    const world = new WatchWorld();
    const { catalogue } = world;
    world.publish(catalogue.register({ id: 'a' }));
    const reader = world.watch({ services: ['s0'], healthyOnly: true });
    world.publish(
      catalogue.setMaintenance('a', true),
      catalogue.setMaintenance('a', false),
      catalogue.register({ id: 'a', service: 's1' }),
      catalogue.register({ id: 'a', service: 's0' }),
      catalogue.deregister('a', 'going home'),
    );
    world.clock.rest();
    expect(reader.received.slice(1).map(({ changes }) => changes)).toMatchObject([
      [{ kind: 'remove', id: 'a', reason: 'no_longer_matches' }],
      [{ kind: 'put', id: 'a' }],
      [{ kind: 'remove', service: 's0', id: 'a', reason: 'moved' }],
      [{ kind: 'put', service: 's0', id: 'a' }],
      [{ kind: 'remove', id: 'a', reason: 'going home' }],
    ]);
  });

  test('a move inside the selection is a removal, then a put, in one message', () => {
    const world = new WatchWorld();
    world.publish(world.catalogue.register({ id: 'a' }));
    const reader = world.watch({ services: ['s0', 's1'] });
    world.publish(world.catalogue.register({ id: 'a', service: 's1' }));
    world.clock.rest();
    expect(reader.last?.changes).toMatchObject([
      { kind: 'remove', service: 's0', reason: 'moved' },
      { kind: 'put', service: 's1' },
    ]);
  });
});

describe('the life of a watch', () => {
  test('10 watches are taken at a limit of 10, the 11th is refused by name, a closed one makes room (G17)', () => {
    const world = new WatchWorld({ maxWatches: 10 });
    const readers = Array.from({ length: 10 }, () => world.watch());
    const refused = expect.objectContaining({
      code: 'resourceExhausted',
      message: expect.stringContaining('watches of this node, limit 10'),
      retryAfterMs: expect.any(Number),
    });
    expect(() => world.open()).toThrow(refused);
    readers[0]?.cursor?.close();
    expect(world.hub.count).toBe(9);
    world.watch();
    expect(world.hub.count).toBe(10);
  });

  test('a closed reader gets nothing more', () => {
    const world = new WatchWorld();
    const reader = world.watch();
    world.publish(world.catalogue.register({ id: 'a' }));
    reader.cursor?.close();
    reader.cursor?.close();
    world.clock.rest();
    world.clock.pass(10_000);
    world.hub.tick(world.clock.now());
    expect(reader.received).toHaveLength(1);
  });

  test('the end of the hub ends every stream once and admits no further one', () => {
    const world = new WatchWorld();
    const readers = [world.watch(), world.watch({ services: ['s0'] })];
    const error = new RegistryError('shuttingDown', 'this node is stopping');
    world.publish(world.catalogue.register({ id: 'a' }));
    world.hub.endAll(error);
    world.clock.rest();
    expect(readers.map(({ ended }) => ended)).toEqual([error, error]);
    expect(world.hub.count).toBe(0);
    expect(() => world.open()).toThrow(error);
  });

  test('an acknowledgement counts up to what was completely sent', () => {
    const world = new WatchWorld({ messageBytes: 2000 });
    world.publish(world.catalogue.register(...ids(60)));
    const reader = world.watch({}, '', new Reader(1));
    const acknowledge = (revision: number) => {
      reader.cursor?.acknowledge(at(revision));
      return reader.cursor?.acknowledgedRevision;
    };
    expect(reader.last?.more).toBe(true);
    expect(acknowledge(1), 'a part is not the state').toBe(0);
    reader.drain(1000);
    world.clock.rest();
    expect([acknowledge(2), acknowledge(1), acknowledge(0)]).toEqual([0, 1, 1]);
  });
});
