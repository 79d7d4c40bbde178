// The life of a node: restart and replay, the ends it may come to, stopping, and what it says of itself meanwhile.
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/lib/assert.ts';
import { deferred } from '../../src/lib/deferred.ts';
import { logIndex, revision } from '../../src/lib/ids.ts';
import { LINEARIZABLE, MemoryCluster, registration } from '../support/memory-cluster.ts';

const has = (cluster: MemoryCluster, at: string, id: string): boolean =>
  cluster.node(at).registry.get('default', id) !== undefined;
const codeOf = (outcome: { readonly value: unknown } | { readonly error: { code: string } }) =>
  'error' in outcome ? outcome.error.code : 'done';
async function registerMany(cluster: MemoryCluster, at: string, prefix: string, count: number) {
  for (let done = 0; done < count; done += 250) {
    const writes = Array.from({ length: Math.min(250, count - done) }, (_, offset) =>
      cluster.write(at, registration(`${prefix}-${done + offset}`)),
    );
    await cluster.finish(Promise.all(writes));
  }
}

describe('a restarted node', () => {
  test('has its state from the store and what came later from its log', async () => {
    const cluster = await MemoryCluster.elected({ ids: ['n1'] });
    await cluster.register('n1', 'stored');
    await cluster.clock.advance(500);
    expect(cluster.disk('n1').state.last?.appliedIndex).toBe(3);
    await cluster.register('n1', 'logged');
    await cluster.crash('n1');
    expect(cluster.disk('n1').state.last?.appliedIndex).toBe(3);
    await cluster.startNode('n1');
    await cluster.settled();
    expect([has(cluster, 'n1', 'stored'), has(cluster, 'n1', 'logged')]).toEqual([true, true]);
    expect(cluster.node('n1').registry.revision).toBe(2);
  });

  test('whose state was discarded rebuilds all of it from the log, with the same hash', async () => {
    const cluster = await MemoryCluster.elected();
    await registerMany(cluster, cluster.leader() ?? '', 'i', 3000);
    const [follower = ''] = cluster.followers();
    await cluster.crash(follower);
    const { state } = cluster.disk(follower);
    state.records.clear();
    state.last = undefined;
    await cluster.startNode(follower);
    await cluster.settled();
    await cluster.read(follower);
    const hashes = cluster.ids.map((id) => cluster.node(id).status().stateHash);
    expect(new Set(hashes).size).toBe(1);
    expect(cluster.node(follower).registry.instanceCount).toBe(3000);
    expect(cluster.fatals).toEqual([]);
  });

  test('that missed a lot catches up while the others go on', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.crash(follower);
    await registerMany(cluster, cluster.leader() ?? '', 'i', 3000);
    await cluster.startNode(follower);
    await cluster.register(cluster.leader() ?? '', 'meanwhile');
    await cluster.settled();
    await cluster.read(follower);
    expect(cluster.node(follower).registry.instanceCount).toBe(3001);
  });

  test('gets entries that the leader no longer holds in memory from the log of the leader', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.crash(follower);
    await registerMany(cluster, cluster.leader() ?? '', 'i', 500);
    // Let the commit be noted in the log, so that a restart has nothing left to keep in memory.
    await cluster.register(cluster.leader() ?? '', 'last');
    await cluster.clock.advance(500);
    for (const id of cluster.ids) {
      await cluster.crash(id);
      await cluster.startNode(id);
      await cluster.clock.until(() => cluster.leader() !== undefined, 'a leader');
    }
    await cluster.startNode(follower);
    await cluster.settled();
    await cluster.read(follower);
    expect(cluster.node(follower).registry.instanceCount).toBe(501);
    expect(cluster.fatals).toEqual([]);
  });

  test('does not say that it has caught up before it has', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.crash(follower);
    await registerMany(cluster, cluster.leader() ?? '', 'i', 500);
    const node = await cluster.startNode(follower);
    expect(node.status().caughtUp).toBe(false);
    await cluster.clock.until(() => node.status().caughtUp, 'caught up');
    expect(node.registry.instanceCount).toBe(500);
  });

  test('without any leader says so after a while: what it has replayed is all it can have', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a');
    for (const id of cluster.ids) await cluster.crash(id);
    const node = await cluster.startNode('n1');
    await cluster.clock.advance(1000);
    expect(node.status().caughtUp).toBe(false);
    await cluster.clock.advance(1500);
    expect(node.status().caughtUp).toBe(true);
    expect(node.status().problems).toEqual([
      'no leader is known: writes and linearizable reads wait for one',
    ]);
    await cluster.read('n1', { consistency: 'stale' });
  });

  test('keeps registry time: a request_id is remembered across the change of leader (G4)', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.clock.advance(60_000);
    const first = await cluster.register('n1', 'a', { requestId: 'once' });
    const { registryTimeMs } = cluster.node('n1').registry.meta();
    await cluster.crash(cluster.leader() ?? '');
    const [survivor = ''] = cluster.ids;
    expect(await cluster.register(survivor, 'a', { requestId: 'once' })).toEqual(first);
    await cluster.register(survivor, 'b');
    const later = cluster.node(survivor).registry.meta().registryTimeMs;
    expect(later).toBeGreaterThanOrEqual(registryTimeMs);
    expect(later - registryTimeMs).toBeLessThan(5000);
    await cluster.clock.advance(30_000);
    await cluster.register(survivor, 'c');
    const passed = cluster.node(survivor).registry.meta().registryTimeMs - later;
    expect(passed).toBeGreaterThanOrEqual(30_000);
    expect(passed).toBeLessThan(31_000);
  });
});

/** Disks of one kind that fail for the nodes in `failing`. */
const broken = (code: 'log' | 'state') => {
  const failing = new Set<string>();
  const disk = (id: string) => ({
    beforeDurable: () => (failing.has(id) ? Promise.reject(new Error('EIO')) : Promise.resolve()),
  });
  return { failing, options: code === 'log' ? { log: disk } : { state: disk } };
};

describe('a node that must not go on', () => {
  test('ends with exit code 10 when its log cannot be written, and acknowledges nothing after', async () => {
    const { failing, options } = broken('log');
    const cluster = await MemoryCluster.elected(options);
    const leader = cluster.leader() ?? '';
    failing.add(leader);
    const { transport } = cluster.running(leader);
    const write = cluster.outcome(cluster.write(leader, registration('a')));
    expect(codeOf(await write)).toBe('outcomeUnknown');
    expect(cluster.fatals).toMatchObject([{ id: leader, code: 10 }]);
    const { sent } = transport;
    await cluster.clock.advance(1000);
    expect(transport.sent).toBe(sent);
    await expect(
      cluster.node(leader).write(registration('b'), { requestId: '', actor: '' }),
    ).rejects.toMatchObject({ code: 'shuttingDown' });
  });

  test('ends with exit code 10 when its state cannot be written', async () => {
    const { failing, options } = broken('state');
    const cluster = await MemoryCluster.elected(options);
    const [follower = ''] = cluster.followers();
    failing.add(follower);
    await cluster.register(cluster.leader() ?? '', 'a');
    await cluster.clock.advance(500);
    expect(cluster.fatals).toMatchObject([{ id: follower, code: 10 }]);
  });

  test('ends with exit code 11 when its log cannot be read back', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.crash('n1');
    const { state } = cluster.disk('n1');
    state.last = undefined;
    state.records.clear();
    cluster.damagedLogs.add('n1');
    await cluster.startNode('n1');
    await cluster.clock.advance(100);
    expect(cluster.fatals).toMatchObject([{ id: 'n1', code: 11 }]);
  });

  test('ends with exit code 10, not as damaged, when the disk refuses to read its log', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    await cluster.crash(follower);
    await registerMany(cluster, cluster.leader() ?? '', 'i', 50);
    await cluster.register(cluster.leader() ?? '', 'last');
    await cluster.clock.advance(500);
    // Restarted, the others have no entry in memory, so the new leader has to read its log for the one that was away.
    const others = cluster.ids;
    for (const id of others) await cluster.crash(id);
    for (const id of others) await cluster.startNode(id);
    await cluster.clock.until(() => cluster.leader() !== undefined, 'a leader');
    const leader = cluster.leader() ?? '';
    const refused = Object.assign(new Error('EMFILE: too many open files'), { exitCode: 10 });
    cluster.running(leader).logStore.read = () => Promise.reject(refused);
    await cluster.startNode(follower);
    await cluster.clock.advance(500);
    expect(cluster.fatals).toMatchObject([{ id: leader, code: 10 }]);
  });

  test('ends with exit code 11 when its state holds more than its log: the log lost its end (G1)', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a');
    await cluster.register('n1', 'b');
    await cluster.clock.advance(500);
    await cluster.crash('n1');
    const { log } = cluster.disk('n1');
    log.entries.length = 2;
    log.hardState = { ...log.hardState, commitIndex: logIndex(2) };
    await cluster.startNode('n1');
    await cluster.clock.advance(100);
    expect(cluster.fatals).toMatchObject([{ id: 'n1', code: 11 }]);
  });

  test('ends with exit code 13 on a broken invariant, in whatever part', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const registry = cluster.node(leader).registry;
    registry.answerIfUnchanged = () => {
      throw new InvariantError('planted');
    };
    const outcome = await cluster.outcome(cluster.write(leader, registration('a')));
    expect(codeOf(outcome)).not.toBe('done');
    expect(cluster.fatals).toMatchObject([{ id: leader, code: 13 }]);
    expect(cluster.fatals[0]?.reason).toContain('planted');
  });

  test('does not form a cluster when its log is gone but its state is not', async () => {
    const cluster = await MemoryCluster.elected({ ids: ['n1'] });
    await cluster.register('n1', 'a');
    await cluster.clock.advance(500);
    await cluster.crash('n1');
    cluster.disk('n1').log.entries.length = 0;
    await cluster.startNode('n1');
    expect(cluster.fatals).toMatchObject([{ code: 11 }]);
  });
});

describe('stopping', () => {
  test('refuses what is new, finishes what is in flight, writes the state, and the others elect at once', async () => {
    const slow = deferred<void>();
    let hold = false;
    const cluster = await MemoryCluster.elected({
      log: () => ({ beforeDurable: () => (hold ? slow.promise : Promise.resolve()) }),
    });
    const leader = cluster.leader() ?? '';
    const node = cluster.node(leader);
    hold = true;
    const inFlight = cluster.outcome(cluster.write(leader, registration('in-flight')));
    await cluster.clock.advance(20);
    const health: boolean[] = [];
    node.onHealthChange(() => health.push(node.status().stopping));
    const stopped = node.stop({ graceMs: 3000 });
    expect(health).toContain(true);
    const refused = await cluster.outcome(
      Promise.resolve().then(() => cluster.write(leader, registration('new'))),
    );
    expect(codeOf(refused)).toBe('shuttingDown');
    const read = await cluster.outcome(node.read(LINEARIZABLE));
    expect(codeOf(read)).toBe('shuttingDown');
    const beat = await cluster.outcome(node.heartbeat([], {}));
    expect(codeOf(beat)).toBe('shuttingDown');
    hold = false;
    slow.resolve();
    expect(codeOf(await inFlight)).toBe('done');
    await cluster.finish(stopped);
    expect(cluster.disk(leader).state.last?.appliedIndex).toBe(
      cluster.disk(leader).log.entries.length,
    );
    const startMs = cluster.clock.now();
    const [other = ''] = cluster.ids.filter((id) => id !== leader);
    expect(codeOf(await cluster.outcome(cluster.write(other, registration('next'))))).toBe('done');
    expect(cluster.clock.now() - startMs).toBeLessThan(50);
  });

  test('does not outlast its grace: what is still in flight is unknown', async () => {
    const never = new Promise<void>(() => undefined);
    let hold = false;
    const cluster = await MemoryCluster.elected({
      log: () => ({ beforeDurable: () => (hold ? never : Promise.resolve()) }),
    });
    const leader = cluster.leader() ?? '';
    hold = true;
    const inFlight = cluster.outcome(cluster.write(leader, registration('a')));
    await cluster.clock.advance(20);
    void cluster.node(leader).stop({ graceMs: 500 });
    const outcome = await inFlight;
    expect(codeOf(outcome)).toBe('outcomeUnknown');
    expect(outcome.afterMs).toBeLessThan(600);
  });

  test('works while the cluster is still forming', async () => {
    const cluster = await MemoryCluster.start({ started: ['n1'] });
    const write = cluster.outcome(cluster.write('n1', registration('a')));
    await cluster.clock.advance(50);
    await cluster.finish(cluster.node('n1').stop({ graceMs: 1000 }));
    expect(codeOf(await write)).toBe('shuttingDown');
  });
});

describe('heartbeats', () => {
  test('through any node keep an instance alive and never enter the log; silence removes it', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    await cluster.register(leader, 'a', { ttlMs: 2000 });
    await cluster.register(leader, 'silent', { ttlMs: 2000 });
    const beat = { namespace: 'default', instanceId: 'a', generation: revision(0) };
    const { length } = cluster.disk(leader).log.entries;
    for (let round = 0; round < 6; round++) {
      const at = cluster.ids[round % 3] ?? '';
      const answer = await cluster.finish(cluster.node(at).heartbeat([beat], {}));
      expect(answer.failures).toEqual([]);
      if (round === 0) expect(cluster.disk(leader).log.entries).toHaveLength(length);
      await cluster.clock.advance(800);
    }
    expect([has(cluster, leader, 'a'), has(cluster, leader, 'silent')]).toEqual([true, false]);
    const [follower = ''] = cluster.followers();
    const late = await cluster.finish(
      cluster.node(follower).heartbeat([{ ...beat, instanceId: 'silent' }], {}),
    );
    expect(late.failures).toEqual([{ position: 0, reason: 'unknown' }]);
  });

  test('nobody is expired because the whole registry was away (G9)', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a', { ttlMs: 2000 });
    for (const id of cluster.ids) cluster.running(id).clock.pause();
    await cluster.clock.advance(60_000);
    for (const id of cluster.ids) cluster.running(id).clock.resume();
    await cluster.clock.advance(1500);
    expect(has(cluster, 'n1', 'a')).toBe(true);
  });

  test('a pause between the timer and the turn it asked for leaves no silence unnoticed (G8)', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a', { ttlMs: 2000 });
    const { term } = cluster.node('n1').status();
    // The first one sets the timers, which come every 10 ms; the second one is between a timer and its turn.
    for (const inMs of [1, 10]) {
      let over = Promise.resolve();
      cluster.clock.after(inMs, () =>
        cluster.clock.defer(() => {
          over = cluster.clock.jump(8000);
        }),
      );
      await cluster.clock.advance(inMs);
      await over;
    }
    await cluster.clock.advance(1500);
    expect(has(cluster, 'n1', 'a')).toBe(true);
    await cluster.clock.advance(1000);
    expect(has(cluster, 'n1', 'a')).toBe(false);
    expect(cluster.node('n1').status().term).toBe(term);
  });

  test('registering again renews the lease, through the shortcut and through the log', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    await cluster.register(leader, 'plain', { ttlMs: 2000 });
    await cluster.register(leader, 'with-id', { ttlMs: 2000, requestId: 'r' });
    for (let round = 0; round < 5; round++) {
      await cluster.clock.advance(1500);
      await cluster.register(leader, 'plain', { ttlMs: 2000 });
      await cluster.register(leader, 'with-id', { ttlMs: 2000, requestId: `r${round}` });
    }
    expect([has(cluster, leader, 'plain'), has(cluster, leader, 'with-id')]).toEqual([true, true]);
    expect(cluster.node(leader).registry.revision).toBe(2);
  });

  test('the time of the last one is known on every node, exact from the leader', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a');
    await cluster.clock.advance(5000);
    const beatMs = cluster.clock.unixNow();
    const beat = { namespace: 'default', instanceId: 'a', generation: revision(0) };
    await cluster.finish(cluster.node('n2').heartbeat([beat], {}));
    for (const id of cluster.ids) {
      const lastMs = await cluster.finish(cluster.node(id).lastHeartbeat('default', 'a', {}));
      expect(lastMs).toBeGreaterThanOrEqual(beatMs);
      expect(lastMs).toBeLessThan(beatMs + 20);
    }
    expect(
      await cluster.finish(cluster.node('n1').lastHeartbeat('default', 'nobody', {})),
    ).toBeUndefined();
  });
});
