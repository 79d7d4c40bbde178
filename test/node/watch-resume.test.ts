// Resume tokens at the hub: what each of them brings its reader, on any node (G5, G11).
import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { at, Reader, WatchWorld } from './watch-world.ts';

const OTHER_CLUSTER = 'ffffffffffffffffffffffffffffffff';

/** Two nodes with the same history of `count` revisions, the second one stopped after `second` of them. */
function twoNodes(count: number, second = count, limits = {}): readonly [WatchWorld, WatchWorld] {
  const worlds = [new WatchWorld(limits), new WatchWorld(limits)] as const;
  for (let port = 1; port <= count; port++) {
    for (const [nth, world] of worlds.entries()) {
      if (nth === 0 || port <= second) grow(world, port);
    }
  }
  return worlds;
}

function grow(world: WatchWorld, port: number): void {
  world.publish(world.catalogue.register({ id: `i${port % 3}`, port }));
}

/** The token a reader holds that has seen everything up to `revision` on a node of its own. */
function tokenAt(revision: number, clusterUuid?: string): string {
  const world = new WatchWorld({}, clusterUuid);
  for (let port = 1; port <= revision; port++) grow(world, port);
  return world.watch().last?.resumeToken ?? '';
}

describe('a resumed watch', () => {
  test('gets exactly what it missed, one message per revision, on another node', () => {
    const [, other] = twoNodes(250);
    const reader = other.watch({}, tokenAt(40));
    expect(reader.received.map(({ revision, reset }) => [revision, reset])).toEqual(
      Array.from({ length: 210 }, (_, nth) => [41 + nth, false]),
    );
  });

  test('gets exactly that at its own pace too, as long as the ring holds it', () => {
    const [node] = twoNodes(250);
    const reader = node.watch({}, tokenAt(40), new Reader(1));
    for (let drained = 0; drained < 300; drained++) {
      reader.drain(1);
      node.clock.rest();
    }
    expect(reader.received).toHaveLength(210);
  });

  test('gets nothing again when it has seen everything', () => {
    const [, other] = twoNodes(5);
    const reader = other.watch({}, tokenAt(5));
    expect(reader.received).toEqual([]);
    grow(other, 6);
    other.clock.rest();
    expect(reader.received).toMatchObject([{ revision: 6, reset: false }]);
  });

  test('waits on a node that is behind its token, and sees nothing older (G11)', () => {
    const [, behind] = twoNodes(8, 5);
    const reader = behind.watch({}, tokenAt(7));
    behind.clock.pass(10_000);
    behind.hub.tick(behind.clock.now());
    grow(behind, 6);
    behind.clock.rest();
    expect(reader.received).toEqual([]);
    grow(behind, 7);
    grow(behind, 8);
    behind.clock.rest();
    expect(reader.received).toMatchObject([{ revision: 8, reset: false, changes: [{ id: 'i2' }] }]);
  });

  test('gets a new state where the ring no longer holds what it missed', () => {
    const [node] = twoNodes(20, 20, { ringChanges: 10 });
    expect(node.watch({}, tokenAt(9)).received).toMatchObject([{ revision: 20, reset: true }]);
    expect(node.watch({}, tokenAt(10)).received).toHaveLength(10);
  });

  test('gets a new state from a node that began after its token', () => {
    const catalogue = createCatalogue();
    for (let port = 1; port <= 9; port++) catalogue.register({ id: `i${port % 3}`, port });
    const restarted = new WatchWorld({}, undefined, catalogue);
    expect(restarted.watch({}, tokenAt(8)).received).toMatchObject([{ revision: 9, reset: true }]);
    expect(restarted.watch({}, tokenAt(9)).received).toEqual([]);
  });

  test('gets a new state for the token of another cluster', () => {
    const [node] = twoNodes(5);
    const reader = node.watch({}, tokenAt(3, OTHER_CLUSTER));
    expect(reader.received).toMatchObject([{ revision: 5, reset: true }]);
  });

  test('gets the whole state again for the token of a part of one', () => {
    const world = new WatchWorld({ messageBytes: 2000 });
    world.publish(
      world.catalogue.register(...Array.from({ length: 60 }, (_, nth) => ({ id: `i${nth}` }))),
    );
    const first = world.watch({}, '', new Reader(2));
    expect(first.last?.more).toBe(true);
    const again = world.watch({}, first.last?.resumeToken);
    expect(again.received[0]).toMatchObject({ revision: 1, reset: true });
    expect(again.state.size).toBe(60);
    expect(world.watch({}, again.last?.resumeToken).received, 'the last part completes it').toEqual(
      [],
    );
  });

  test('waits with the token of a part of a state until the node has that state, and gets none that is older (G11)', () => {
    const worlds = [new WatchWorld({ messageBytes: 2000 }), new WatchWorld()] as const;
    const [ahead, behind] = worlds;
    const many = Array.from({ length: 60 }, (_, nth) => ({ id: `j${nth}` }));
    for (const world of worlds) grow(world, 1);
    ahead.publish(ahead.catalogue.register(...many));
    const first = ahead.watch({}, '', new Reader(2));
    expect(first.last).toMatchObject({ revision: 2, more: true });
    const reader = behind.watch({}, first.last?.resumeToken);
    expect(reader.received).toEqual([]);
    behind.publish(behind.catalogue.register(...many));
    behind.clock.rest();
    expect(reader.received[0]).toMatchObject({ revision: 2, reset: true });
    expect(reader.state.size).toBe(61);
  });

  test('is refused with the token of another selector or with no token at all, and opens nothing', () => {
    const world = new WatchWorld();
    const token = world.watch({ services: ['s0'] }).last?.resumeToken ?? '';
    const bad = expect.objectContaining({ code: 'invalidArgument', field: 'resume_token' });
    expect(() => world.open({ services: ['s1'] }, token)).toThrow(bad);
    expect(() => world.open({ services: ['s0'] }, 'garbage')).toThrow(bad);
    expect(() => world.open({ services: ['s0'] }, `${token}A`)).toThrow(bad);
    expect(world.hub.count).toBe(1);
  });
});

describe('changesAbove', () => {
  test('reaches from the oldest state the ring can rebuild to the present, and nowhere else', () => {
    const [node] = twoNodes(20, 20, { ringChanges: 10 });
    const above = (revision: number) => node.hub.changesAbove(at(revision))?.length;
    expect([above(9), above(10), above(15), above(20), above(21)]).toEqual([
      undefined,
      10,
      5,
      0,
      undefined,
    ]);
  });
});
