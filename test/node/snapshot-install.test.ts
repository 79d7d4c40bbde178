// A follower that the log has left behind: it gets the state at once, and goes on from there as if nothing had happened.
import { describe, expect, test } from 'vitest';
import { revision } from '../../src/lib/ids.ts';
import type { PeerFrame } from '../../src/node/peer-protocol.ts';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';
import { emptyMemoryState } from '../support/memory-state-store.ts';
import { selector } from './catalogue.ts';
import { expectEqual, leftBehind, SMALL, trimmed } from './snapshot-cluster.ts';
import { Reader, viewOf, WatchWorld } from './watch-world.ts';

describe('a follower far behind', () => {
  test('gets a snapshot and then the entries behind it', async () => {
    const { cluster, away, leader } = await leftBehind();
    expect(cluster.node(leader).status().firstIndex).toBeGreaterThan(20);
    await cluster.startNode(away);
    await cluster.settled();
    await cluster.register(leader, 'afterwards');
    await cluster.read(away);
    expectEqual(cluster);
    expect(cluster.node(away).status().firstIndex).toBeGreaterThan(20);
    expect(cluster.node(away).registry.instanceCount).toBe(61);
    await cluster.stop();
  });

  test('catches up while 500 writes a second go on, and none of them fails', async () => {
    const { cluster, away, leader } = await leftBehind({}, 200);
    const writes: Promise<unknown>[] = [];
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        writes.push(cluster.write(leader, registration(`more-${writes.length}`)));
        await cluster.clock.advance(2);
      }
    };
    await cluster.startNode(away);
    await write(1000);
    await cluster.finish(Promise.all(writes));
    await cluster.settled();
    await cluster.read(away);
    expectEqual(cluster);
    expect(cluster.node(away).registry.instanceCount).toBe(1200);
    await cluster.stop();
  });

  test('whose own log conflicts drops it whole, and is never asked the same again', async () => {
    const cluster = await MemoryCluster.elected({ retention: SMALL });
    const old = cluster.leader() ?? '';
    const others = cluster.followers();
    cluster.network.partition(`${old} | ${others.join(' ')}`);
    // Appended by the leader that nobody hears, and never committed.
    const lost = [1, 2, 3].map((i) =>
      cluster.outcome(cluster.write(old, registration(`lost-${i}`))),
    );
    await Promise.all(lost);
    const [first = ''] = others;
    await cluster.clock.until(
      () => others.some((id) => cluster.node(id).status().role === 'leader'),
      'another leader',
      20_000,
    );
    for (let i = 0; i < 60; i++) await cluster.register(first, `kept-${i}`);
    await trimmed(cluster);
    cluster.network.heal();
    await cluster.settled();
    await cluster.register(first, 'afterwards');
    await cluster.read(old);
    expectEqual(cluster);
    expect(cluster.node(old).registry.get('default', 'lost-1')).toBeUndefined();
    const { sent } = cluster.running(old).transport;
    await cluster.clock.advance(5000);
    expect(cluster.running(old).transport.sent - sent).toBeLessThan(1500);
    await cluster.stop();
  });

  test('answers a repeated request_id as the others do, once it leads (G4)', async () => {
    const cluster = await MemoryCluster.elected({ retention: SMALL });
    const [away = ''] = cluster.followers();
    await cluster.crash(away);
    const leader = cluster.leader() ?? '';
    const first = await cluster.register(leader, 'once', { requestId: 'request-1' });
    for (let i = 0; i < 60; i++) await cluster.register(leader, `behind-${i}`);
    await cluster.finish(
      cluster.write(leader, {
        kind: 'deregister',
        namespace: 'default',
        instanceId: 'once',
        generation: revision(0),
        reason: 'gone',
      }),
    );
    await trimmed(cluster);
    await cluster.startNode(away);
    await cluster.settled();
    await cluster.read(away);
    expect(cluster.disk(away).log.floor.index).toBeGreaterThan(60);
    while (cluster.leader() !== away) {
      const leading = cluster.leader() ?? '';
      await cluster.crash(leading);
      await cluster.settled();
      await cluster.startNode(leading);
      await cluster.settled();
    }
    expect(await cluster.register(away, 'once', { requestId: 'request-1' })).toEqual(first);
    expect(cluster.node(away).registry.get('default', 'once')).toBeUndefined();
    await cluster.stop();
  });

  test('has the members inside its snapshot, on disk too', async () => {
    const { cluster, away, leader } = await leftBehind();
    await cluster.startNode(away);
    await cluster.settled();
    await cluster.clock.advance(1000);
    expect(cluster.node(away).status().members).toEqual(cluster.node(leader).status().members);
    const { last } = cluster.disk(away).state;
    expect(last?.configuration).toEqual(cluster.disk(leader).log.floor.configuration);
    expect(last?.configuration.payload.length).toBeGreaterThan(0);
    await cluster.stop();
  });

  test('goes on at the chunk where the link broke', async () => {
    const requests: string[] = [];
    const { cluster, away, leader } = await leftBehind({}, 150);
    await cluster.startNode(away);
    const { transport } = cluster.running(away);
    const send = transport.send.bind(transport);
    let cut = false;
    transport.send = (to, frames: readonly PeerFrame[]) => {
      for (const frame of frames) {
        if (frame.kind !== 'snapshotRequest') continue;
        requests.push(`${frame.snapshotId === '' ? 'new' : frame.snapshotId} ${frame.chunk}`);
        if (frame.chunk === 6 && !cut) {
          cut = true;
          cluster.network.partition(`${away} | ${leader}`);
        }
      }
      return send(to, frames);
    };
    await cluster.clock.until(() => cut, 'the cut', 5000);
    await cluster.clock.advance(400);
    cluster.network.heal();
    await cluster.settled();
    await cluster.read(away);
    expectEqual(cluster);
    expect(requests.filter((request) => request.startsWith('new'))).toEqual(['new 0']);
    expect(requests.filter((request) => request.endsWith(' 2'))).toHaveLength(1);
    await cluster.stop();
  });
});

describe('watches on a node that gets a snapshot', () => {
  test('miss nothing: they get the state again, marked reset, and no older revision (G5, G11)', async () => {
    const cluster = await MemoryCluster.elected({ retention: SMALL });
    const leader = cluster.leader() ?? '';
    const [behind = ''] = cluster.followers();
    for (let i = 0; i < 5; i++) await cluster.register(leader, `early-${i}`);
    await cluster.read(behind);
    const { format } = new WatchWorld();
    const open = (parts: Parameters<typeof selector>[0], resumeToken = ''): Reader => {
      const reader = new Reader();
      const { watches } = cluster.node(behind);
      reader.cursor = watches.open({
        selector: selector(parts),
        resumeToken,
        format,
        sink: reader,
        acknowledges: false,
      });
      return reader;
    };
    const all = open({});
    const other = open({ services: ['elsewhere'] });
    await cluster.clock.advance(50);
    const seenBefore = all.last?.revision ?? 0;
    cluster.network.partition(`${behind} | ${cluster.ids.filter((id) => id !== behind).join(' ')}`);
    for (let i = 0; i < 60; i++) await cluster.register(leader, `behind-${i}`);
    await cluster.finish(
      cluster.write(leader, {
        kind: 'deregister',
        namespace: 'default',
        instanceId: 'early-2',
        generation: revision(0),
        reason: 'gone',
      }),
    );
    await trimmed(cluster);
    cluster.network.heal();
    await cluster.settled();
    await cluster.read(behind);
    await cluster.register(leader, 'late');
    await cluster.read(behind);
    await cluster.clock.advance(50);

    const { registry } = cluster.node(behind);
    expect(all.state).toEqual(viewOf(registry, selector()));
    expect([...all.state.keys()]).not.toContain('default/payments/early-2');
    const resets = all.received.filter(({ reset }) => reset);
    expect(resets).toHaveLength(2);
    expect(resets[1]?.revision).toBeGreaterThan(seenBefore);
    expect(all.last?.revision).toBe(registry.revision);
    expect(other.received.filter(({ reset }) => reset)).toHaveLength(2);
    // The tokens handed out afterwards are good here and on a node that never had a snapshot.
    const resumed = open({}, all.last?.resumeToken);
    await cluster.register(leader, 'last');
    await cluster.read(behind);
    await cluster.clock.advance(50);
    expect(resumed.received.map(({ reset, changes }) => [reset, changes.length])).toEqual([
      [false, 1],
    ]);
    await cluster.stop();
  });
});

describe('a node whose state store was lost', () => {
  test('comes back by itself through a snapshot, and serves nothing before that', async () => {
    const cluster = await MemoryCluster.elected({ retention: SMALL });
    const leader = cluster.leader() ?? '';
    for (let i = 0; i < 60; i++) await cluster.register(leader, `i-${i}`);
    await trimmed(cluster);
    const [lost = ''] = cluster.followers();
    await cluster.crash(lost);
    const { state } = cluster.disk(lost);
    Object.assign(state, emptyMemoryState());
    cluster.network.partition(`${lost} | ${cluster.ids.join(' ')}`);
    await cluster.startNode(lost);
    await cluster.clock.advance(5000);
    const status = cluster.node(lost).status();
    expect(status.role).toBe('follower');
    expect(status.caughtUp).toBe(false);
    expect(status.problems.join('\n')).toContain('a snapshot');
    const stale = { consistency: 'stale', minRevision: revision(0), maxStalenessMs: 1000 } as const;
    const refused = await cluster.outcome(cluster.node(lost).read(stale));
    expect(refused).toMatchObject({ error: { code: 'noQuorum' } });
    cluster.network.heal();
    await cluster.settled();
    await cluster.read(lost);
    expectEqual(cluster);
    expect(cluster.node(lost).status().problems).toEqual([]);
    await cluster.stop();
  });

  test('on all nodes but one still comes back, from the one that has it', async () => {
    const cluster = await MemoryCluster.elected({ retention: SMALL });
    for (let i = 0; i < 60; i++) await cluster.register(cluster.leader() ?? '', `i-${i}`);
    await trimmed(cluster);
    const lost = cluster.followers();
    const meta = cluster.node(cluster.leader() ?? '').registry.meta();
    for (const id of cluster.ids) await cluster.crash(id);
    for (const id of lost) Object.assign(cluster.disk(id).state, emptyMemoryState());
    for (const id of ['n1', 'n2', 'n3']) await cluster.startNode(id);
    await cluster.settled();
    expect(lost).not.toContain(cluster.leader());
    for (const id of cluster.ids) await cluster.read(id);
    expectEqual(cluster);
    expect(cluster.node(lost[0] ?? '').registry.meta()).toEqual(meta);
    await cluster.stop();
  });
});
