// Reads: linearizable on every node, bounded and stale with an honest age, minRevision for one's own writes (G2, G11).
import { describe, expect, test } from 'vitest';
import { revision } from '../../src/lib/ids.ts';
import { LINEARIZABLE, MemoryCluster, registration } from '../support/memory-cluster.ts';

const UNKNOWN_AGE = 4_294_967_295;

describe('a linearizable read', () => {
  test('on any node sees every write acknowledged before it (G2)', async () => {
    const cluster = await MemoryCluster.elected();
    for (let round = 0; round < 5; round++) {
      for (const writer of cluster.ids) {
        const id = `${round}-${writer}`;
        await cluster.register(writer, id);
        const reads = cluster.ids.map(async (at) => {
          await cluster.node(at).read(LINEARIZABLE);
          return cluster.node(at).registry.get('default', id) !== undefined;
        });
        expect(await cluster.finish(Promise.all(reads))).toEqual([true, true, true]);
      }
    }
  });

  test('is not served by a deposed leader that does not know it yet', async () => {
    const cluster = await MemoryCluster.elected();
    const old = cluster.leader() ?? '';
    const others = cluster.followers();
    // The old leader is stopped, as by SIGSTOP, while the others go on without it.
    cluster.running(old).clock.pause();
    const leads = (id: string): boolean => cluster.node(id).status().role === 'leader';
    await cluster.clock.until(() => others.some(leads), 'a new leader');
    await cluster.register(others.find(leads) ?? '', 'new');
    cluster.network.partition(`${old} | ${others.join(' ')}`);
    cluster.running(old).clock.resume();
    const outcome = await cluster.outcome(cluster.node(old).read(LINEARIZABLE));
    expect('error' in outcome && outcome.error.code).toBe('noQuorum');
    cluster.network.heal();
    await cluster.settled();
    await cluster.read(old);
    expect(cluster.node(old).registry.get('default', 'new')).toBeDefined();
  });

  test('shares one round with all reads of its turn', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const { transport } = cluster.running(leader);
    const before = transport.sent;
    const reads = Array.from({ length: 500 }, () => cluster.node(leader).read(LINEARIZABLE));
    await cluster.finish(Promise.all(reads));
    expect(transport.sent - before).toBeLessThan(10);
  });

  test('without a quorum fails with noQuorum within 2 s or its own deadline', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [follower = '', other = ''] = cluster.followers();
    await cluster.crash(leader);
    await cluster.crash(other);
    const outcome = await cluster.outcome(cluster.node(follower).read(LINEARIZABLE));
    expect('error' in outcome && outcome.error.code).toBe('noQuorum');
    expect(outcome.afterMs).toBeLessThanOrEqual(2020);
    const deadline = cluster.clock.now() + 100;
    const hurried = await cluster.outcome(
      cluster.node(follower).read({ ...LINEARIZABLE, deadline }),
    );
    expect('error' in hurried && hurried.error.code).toBe('noQuorum');
    expect(hurried.afterMs).toBeLessThanOrEqual(120);
  });

  test('goes on with the next leader', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a');
    await cluster.crash(cluster.leader() ?? '');
    const [survivor = ''] = cluster.ids;
    const outcome = await cluster.outcome(cluster.node(survivor).read(LINEARIZABLE));
    expect('value' in outcome && outcome.value.ageMs).toBe(0);
    expect(outcome.afterMs).toBeLessThan(1000);
  });
});

describe('a bounded read', () => {
  test('is answered at once while the last round is young enough, else after a round', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.read(follower);
    await cluster.clock.advance(400);
    const bounded = { ...LINEARIZABLE, consistency: 'bounded', maxStalenessMs: 1000 } as const;
    const young = await cluster.outcome(cluster.node(follower).read(bounded));
    expect(young.afterMs).toBe(0);
    expect('value' in young && young.value.ageMs).toBeGreaterThanOrEqual(400);
    await cluster.clock.advance(10_000);
    const old = await cluster.outcome(cluster.node(follower).read(bounded));
    expect(old.afterMs).toBeGreaterThan(0);
    expect('value' in old && old.value.ageMs).toBeLessThan(100);
  });

  test('need not wait while others are asked for, and costs no rounds once they are not', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    const bounded = { ...LINEARIZABLE, consistency: 'bounded', maxStalenessMs: 300 } as const;
    await cluster.finish(cluster.node(follower).read(bounded));
    for (let read = 0; read < 10; read++) {
      // Longer than the bound: without a renewal in between each of them would wait for a round.
      await cluster.clock.advance(400);
      const permit = await cluster.outcome(cluster.node(follower).read(bounded));
      expect(permit.afterMs).toBe(0);
      expect('value' in permit && permit.value.ageMs).toBeLessThanOrEqual(300);
    }
    await cluster.clock.advance(6000);
    const { transport } = cluster.running(follower);
    const before = transport.sent;
    await cluster.clock.advance(1000);
    // A heartbeat is answered every 50 ms, and each of the two others is told of the disk once.
    expect(transport.sent - before).toBeLessThanOrEqual(23);
  });

  test('keeps to its bound after a wait for its minRevision', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.read(follower);
    const bounded = { ...LINEARIZABLE, consistency: 'bounded', maxStalenessMs: 500 } as const;
    const read = cluster.outcome(
      cluster.node(follower).read({ ...bounded, minRevision: revision(1) }),
    );
    await cluster.clock.advance(3000);
    await cluster.register(cluster.leader() ?? '', 'a');
    const outcome = await read;
    expect('value' in outcome && outcome.value.ageMs).toBeLessThanOrEqual(500);
    expect(outcome.afterMs).toBeLessThan(3200);
  });

  test('is refused without a quorum once the bound has passed', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.read(follower);
    cluster.network.partition(
      `${follower} | ${cluster.ids.filter((id) => id !== follower).join(' ')}`,
    );
    await cluster.clock.advance(1500);
    const bounded = { ...LINEARIZABLE, consistency: 'bounded', maxStalenessMs: 1000 } as const;
    const outcome = await cluster.outcome(cluster.node(follower).read(bounded));
    expect('error' in outcome && outcome.error.code).toBe('noQuorum');
  });
});

describe('a stale read', () => {
  test('works without a quorum and its age never understates how old the answer is', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.read(follower);
    const readMs = cluster.clock.now();
    const others = cluster.ids.filter((id) => id !== follower);
    cluster.network.partition(`${follower} | ${others.join(' ')}`);
    await cluster.clock.advance(5000);
    const age = await cluster.read(follower, { consistency: 'stale' });
    expect(age).toBeGreaterThanOrEqual(cluster.clock.now() - readMs);
    expect(age).toBeLessThan(5100);
  });

  test('states an unknown age when no round was ever confirmed', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a');
    for (const id of cluster.ids) await cluster.crash(id);
    await cluster.startNode('n2');
    await cluster.clock.advance(100);
    expect(await cluster.read('n2', { consistency: 'stale' })).toBe(UNKNOWN_AGE);
  });

  test('refreshes itself in the background', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.clock.advance(3000);
    expect(await cluster.read(follower, { consistency: 'stale' })).toBeGreaterThan(2000);
    await cluster.clock.advance(100);
    expect(await cluster.read(follower, { consistency: 'stale' })).toBeLessThan(500);
  });
});

describe('minRevision', () => {
  test('shows a caller its own write on any node, however stale the read (N8, G11)', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    for (let round = 1; round <= 10; round++) {
      const result = await cluster.register(cluster.leader() ?? '', `i-${round}`);
      await cluster.read(follower, { consistency: 'stale', minRevision: result.revision });
      expect(cluster.node(follower).registry.get('default', `i-${round}`)).toBeDefined();
    }
  });

  test('not reached by the deadline, or in 10 s, is behind', async () => {
    const cluster = await MemoryCluster.elected();
    const future = { consistency: 'stale', minRevision: revision(99) } as const;
    const slow = await cluster.outcome(cluster.node('n1').read({ ...LINEARIZABLE, ...future }));
    expect('error' in slow && slow.error.code).toBe('behind');
    expect(slow.afterMs).toBeGreaterThanOrEqual(10_000);
    expect(slow.afterMs).toBeLessThan(10_100);
    const deadline = cluster.clock.now() + 50;
    const quick = await cluster.outcome(
      cluster.node('n1').read({ ...LINEARIZABLE, ...future, deadline }),
    );
    expect('error' in quick && quick.error.code).toBe('behind');
    expect(quick.afterMs).toBeLessThanOrEqual(70);
  });

  test('waits for what is on its way', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    const read = cluster.outcome(
      cluster.node(follower).read({ ...LINEARIZABLE, minRevision: revision(1) }),
    );
    await cluster.clock.advance(300);
    await cluster.finish(cluster.write(follower, registration('a')));
    const outcome = await read;
    expect('value' in outcome).toBe(true);
    expect(outcome.afterMs).toBeLessThan(500);
  });
});
