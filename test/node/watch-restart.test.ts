// The hub when a snapshot takes the place of the catalogue: what lies between is not known, and nobody is told otherwise.
import { describe, expect, test } from 'vitest';
import { ListCache } from '../../src/api/grpc/list-cache.ts';
import { present } from '../../src/lib/assert.ts';
import { createRegistryLoader } from '../../src/registry/index.ts';
import { createCatalogue, selector } from './catalogue.ts';
import { at, Reader, viewOf, WatchWorld } from './watch-world.ts';

/** What a registry with these instances has in its store, and its meta. */
function contentWith(count: number) {
  const catalogue = createCatalogue();
  const { registry } = catalogue;
  for (let i = 0; i < count; i++) catalogue.register({ id: `new-${i}` });
  return { records: registry.takeDirty(), meta: registry.meta() };
}
function install(world: WatchWorld, { records, meta }: ReturnType<typeof contentWith>): void {
  const loader = createRegistryLoader();
  loader.add(records);
  world.registry.replace(present(loader.finish(meta), 'the hash is right'));
  world.hub.restart();
}

describe('a snapshot that takes the place of the catalogue', () => {
  test('reaches a current, a lagging, a blocked and a waiting reader each in its way (G5, G11)', () => {
    const world = new WatchWorld();
    const token = ((): string => {
      const ahead = new WatchWorld();
      const reader = ahead.watch();
      for (let i = 0; i < 8; i++) ahead.publish(ahead.catalogue.register({ id: `a-${i}` }));
      ahead.clock.rest();
      return reader.last?.resumeToken ?? '';
    })();
    world.publish(world.catalogue.register({ id: 'old' }));
    const current = world.watch();
    const blocked = world.watch({}, '', new Reader(1));
    const waiting = world.watch({}, token);
    world.publish(world.catalogue.register({ id: 'old-too' }));
    install(world, contentWith(5));
    world.clock.rest();
    const wanted = viewOf(world.registry, selector());
    expect(current.state).toEqual(wanted);
    expect(current.last).toMatchObject({ revision: 5, reset: true, more: false });
    expect(blocked.received).toHaveLength(1);
    blocked.drain(10);
    world.clock.rest();
    expect(blocked.state).toEqual(wanted);
    expect(waiting.received, 'its token is newer than this node').toEqual([]);
    install(world, contentWith(8));
    world.publish(world.catalogue.register({ id: 'next' }));
    world.clock.rest();
    expect(waiting.received.map(({ revision, reset }) => [revision, reset])).toEqual([[9, false]]);
  });

  test('ends what was known of the time before: no undo, no kept list, no cached message', () => {
    const world = new WatchWorld();
    for (let i = 0; i < 3; i++) world.publish(world.catalogue.register({ id: `a-${i}` }));
    expect(world.hub.changesAbove(at(1))).toHaveLength(2);
    expect(world.hub.changesAbove(at(3))).toEqual([]);
    install(world, contentWith(6));
    expect(world.hub.changesAbove(at(1))).toBeUndefined();
    expect(world.hub.changesAbove(at(3))).toBeUndefined();
    expect(world.hub.changesAbove(at(6))).toEqual([]);
  });

  test('leaves no list that was kept before', () => {
    const world = new WatchWorld();
    world.publish(world.catalogue.register({ id: 'old' }));
    const cache = new ListCache({
      maxBytes: 100_000,
      changesAbove: (from) => world.hub.changesAbove(from),
    });
    const page = { items: Buffer.from('old'), allUnhealthy: false };
    cache.set('key', at(1), { namespace: 'default', services: ['s0'] }, page);
    expect(cache.get('key', at(1))).toBe(page);
    install(world, contentWith(2));
    expect(cache.get('key', world.registry.revision)).toBeUndefined();
  });

  test('that brought no change disturbs nobody', () => {
    const world = new WatchWorld();
    for (let i = 0; i < 3; i++) world.publish(world.catalogue.register({ id: `new-${i}` }));
    const reader = world.watch();
    install(world, contentWith(3));
    world.clock.rest();
    expect(reader.received).toHaveLength(1);
    expect(world.hub.changesAbove(at(1))).toHaveLength(2);
  });
});
