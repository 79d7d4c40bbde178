// Leadership that is handed over: by an operator, by a leader that stops, and by one whose disk has stopped.
import { describe, expect, test } from 'vitest';
import { nodeId, revision } from '../../src/lib/ids.ts';
import { LINEARIZABLE, MemoryCluster, registration } from '../support/memory-cluster.ts';

const transfer = (id: string) =>
  ({ kind: 'transfer', nodeId: id === '' ? '' : nodeId(id) }) as const;

describe('a transfer by an operator', () => {
  test('through any node moves leadership to the one named', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [target = '', other = ''] = cluster.followers();
    await cluster.change(other, transfer(target));
    await cluster.settled();
    expect(cluster.leader()).toBe(target);
    await cluster.register(leader, 'after');
    // To the one that leads: nothing to do.
    const { term } = cluster.node(target).status();
    await cluster.change(leader, transfer(target));
    expect(cluster.node(target).status().term).toBe(term);
  });

  test('to whoever is best takes no more than 50 ms, and a write waits no longer', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [follower = ''] = cluster.followers();
    const startMs = cluster.clock.now();
    const change = cluster.node(leader).changeMembers(transfer(''), {});
    await cluster.clock.advance(1);
    const write = cluster.outcome(cluster.write(follower, registration('meanwhile')));
    await cluster.finish(change);
    expect((await write).afterMs).toBeLessThan(50);
    expect(cluster.clock.now() - startMs).toBeLessThan(60);
    expect(cluster.leader()).not.toBe(leader);
  });

  test.for([
    ['n9', 'notFound', 'not a member'],
    ['n4', 'failedPrecondition', 'has no vote'],
  ] as const)('to %s is refused', async ([target, code, words]) => {
    const cluster = await MemoryCluster.elected();
    await cluster.join('n4');
    const outcome = await cluster.outcome(cluster.node('n1').changeMembers(transfer(target), {}));
    expect('error' in outcome && outcome.error).toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
  });

  test('to one that is away fails and the leader goes on', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [away = ''] = cluster.followers();
    await cluster.crash(away);
    const outcome = await cluster.outcome(cluster.node(leader).changeMembers(transfer(away), {}));
    expect('error' in outcome && outcome.error).toMatchObject({
      code: 'failedPrecondition',
      message: expect.stringContaining(`${leader} goes on leading`),
    });
    await cluster.register(leader, 'after');
    expect(cluster.leader()).toBe(leader);
  });

  test('alone in its cluster there is nobody to hand over to', async () => {
    const cluster = await MemoryCluster.elected({ ids: ['n1'] });
    const outcome = await cluster.outcome(cluster.node('n1').changeMembers(transfer(''), {}));
    expect('error' in outcome && outcome.error.message).toContain('the only member with a vote');
  });
});

describe('a leader that stops', () => {
  test('hands over first: writes and reads at the others go on within 50 ms, none of them fails', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const others = cluster.followers();
    const pending = others.flatMap((at) => [
      cluster.outcome(cluster.write(at, registration(`before-${at}`))),
      cluster.outcome(cluster.node(at).read(LINEARIZABLE)),
    ]);
    const stopped = cluster.node(leader).stop({ graceMs: 3000 });
    await cluster.clock.advance(2);
    const later = others.flatMap((at) => [
      cluster.outcome(cluster.write(at, registration(`after-${at}`))),
      cluster.outcome(cluster.node(at).read(LINEARIZABLE)),
    ]);
    for (const outcome of await Promise.all([...pending, ...later])) {
      expect('value' in outcome).toBe(true);
      expect(outcome.afterMs).toBeLessThan(50);
    }
    await cluster.finish(stopped);
    const { role, leaderId } = cluster.node(others[0] ?? '').status();
    expect(role === 'leader' || leaderId === others[1]).toBe(true);
    expect(cluster.fatals).toEqual([]);
  });

  test('lets what its own callers wait for go on at the next leader', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const writes = Array.from({ length: 20 }, (_, at) =>
      cluster.outcome(cluster.write(leader, registration(`own-${at}`))),
    );
    const stopped = cluster.node(leader).stop({ graceMs: 3000 });
    for (const outcome of await Promise.all(writes)) expect('value' in outcome).toBe(true);
    await cluster.finish(stopped);
    const [other = ''] = cluster.ids.filter((id) => id !== leader);
    await cluster.read(other);
    expect(cluster.node(other).registry.instanceCount).toBe(20);
  });

  test('stays until what waited for its heir is written, with its own disk where another is slow', async () => {
    const slow = new Set<string>();
    const cluster = await MemoryCluster.elected({
      log: (id) => ({
        beforeDurable: () =>
          slow.has(id)
            ? new Promise((resolve) => cluster.clock.after(400, resolve))
            : Promise.resolve(),
      }),
    });
    const leader = cluster.leader() ?? '';
    const [heir = '', laggard = ''] = cluster.followers();
    slow.add(laggard);
    await cluster.register(leader, 'before');
    const stopped = cluster.node(leader).stop({ graceMs: 3000 });
    await cluster.clock.advance(2);
    const write = cluster.outcome(cluster.write(heir, registration('meanwhile')));
    expect(await write).toMatchObject({ value: { kind: 'registered' } });
    expect((await write).afterMs).toBeLessThan(50);
    await cluster.finish(stopped);
    expect(cluster.node(heir).status().role).toBe('leader');
  });

  test('is not held up by others that are away', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    for (const id of cluster.followers()) await cluster.crash(id);
    const startMs = cluster.clock.now();
    await cluster.finish(cluster.node(leader).stop({ graceMs: 5000 }));
    expect(cluster.clock.now() - startMs).toBeLessThan(700);
  });

  test('node after node: a cluster restarts one by one without a failed write', async () => {
    const cluster = await MemoryCluster.elected();
    const outcomes: Promise<{ readonly afterMs: number }>[] = [];
    let writes = 0;
    for (const restarted of ['n1', 'n2', 'n3']) {
      const [at = ''] = cluster.ids.filter((id) => id !== restarted);
      const stopped = cluster.node(restarted).stop({ graceMs: 3000 });
      for (let i = 0; i < 10; i++) {
        const write = cluster.write(at, registration(`rolling-${++writes}`));
        outcomes.push(cluster.outcome(write));
        await cluster.clock.advance(5);
      }
      await cluster.finish(stopped);
      await cluster.crash(restarted);
      await cluster.startNode(restarted);
      await cluster.level();
    }
    for (const outcome of await Promise.all(outcomes)) {
      expect('value' in outcome).toBe(true);
      expect(outcome.afterMs).toBeLessThan(100);
    }
    const hashes = new Set(cluster.ids.map((id) => cluster.node(id).status().stateHash));
    expect(hashes.size).toBe(1);
    expect(cluster.node('n1').registry.instanceCount).toBe(writes);
  });
});

describe('a leader whose disk has stopped', () => {
  test('steps down within its patience and acknowledges no heartbeat any more', async () => {
    const stuck = new Set<string>();
    const cluster = await MemoryCluster.elected({
      log: (id) => ({
        beforeDurable: () => (stuck.has(id) ? new Promise(() => undefined) : Promise.resolve()),
      }),
    });
    const leader = cluster.leader() ?? '';
    const others = cluster.followers();
    await cluster.register(leader, 'a', { ttlMs: 2000 });
    stuck.add(leader);
    // It still has a quorum without its own disk, so only the age of its write can tell.
    await cluster.register(leader, 'b');
    await cluster.clock.until(
      () => others.some((id) => cluster.node(id).status().role === 'leader'),
      'another leads',
      2500,
    );
    const beat = { namespace: 'default', instanceId: 'a', generation: revision(0) };
    await cluster.clock.until(
      () => cluster.node(leader).status().role === 'follower',
      'it follows',
    );
    cluster.network.partition(`${leader} | ${others.join(' ')}`);
    const outcome = await cluster.outcome(cluster.node(leader).heartbeat([beat], {}));
    expect('error' in outcome).toBe(true);
    const next = others.find((id) => cluster.node(id).status().role === 'leader') ?? '';
    await cluster.register(next, 'c');
  });
});
