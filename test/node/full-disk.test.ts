// Nodes whose disks are full, in a cluster: what is refused, what goes on, and that it ends by itself (docs/adr/0019).
import { describe, expect, test } from 'vitest';
import { deferred } from '../../src/lib/deferred.ts';
import { revision } from '../../src/lib/ids.ts';
import { OutOfSpace } from '../../src/lib/out-of-space.ts';
import type { CommandBody } from '../../src/registry/index.ts';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';

const RESERVE = 1000;
const ROOMY = 10_000;

function world() {
  const free = new Map<string, number>();
  const stateFull = new Set<string>();
  const options = {
    limits: { diskReserveBytes: RESERVE },
    freeSpace: (id: string) => free.get(id) ?? ROOMY,
    state: (id: string) => ({
      async beforeDurable() {
        if (stateFull.has(id)) throw new OutOfSpace('ENOSPC');
      },
    }),
  };
  return { free, stateFull, options };
}

const deregistration = (instanceId: string): CommandBody => ({
  kind: 'deregister',
  namespace: 'default',
  instanceId,
  generation: revision(0),
  reason: '',
});

async function fill(cluster: MemoryCluster, free: Map<string, number>, ...ids: string[]) {
  for (const id of ids) free.set(id, 10);
  await cluster.clock.until(
    () => ids.every((id) => cluster.node(id).status().problems.length > 0),
    'the disks to be looked at',
  );
  await cluster.clock.advance(100);
}

describe('one full disk of three', () => {
  test.each(['leader', 'follower'])('of the %s stops nothing, and is said', async (which) => {
    const { free, options } = world();
    const cluster = await MemoryCluster.elected(options);
    const id = (which === 'leader' ? cluster.leader() : cluster.followers()[0]) ?? '';
    await fill(cluster, free, id);
    for (const at of cluster.ids) await cluster.register(at, `by-${at}`);
    const { problems, diskFreeBytes } = cluster.node(id).status();
    expect(problems).toEqual([
      "0.0 MiB are free on this node's disk, less than disk_reserve_bytes (0.0 MiB): make room",
    ]);
    expect(diskFreeBytes).toBe(10);
    for (const other of cluster.ids.filter((one) => one !== id)) {
      expect(cluster.node(other).status().problems).toEqual([]);
    }
  });
});

describe('full disks of a majority', () => {
  test('refuse what needs room by name, through every node, and take the rest', async () => {
    const { free, options } = world();
    const cluster = await MemoryCluster.elected(options);
    const leader = cluster.leader() ?? '';
    const [other = ''] = cluster.followers();
    await cluster.register(leader, 'kept');
    await cluster.register(leader, 'leaves');
    await cluster.register(leader, 'silent', { ttlMs: 2000 });
    await fill(cluster, free, leader, other);
    for (const at of cluster.ids) {
      const outcome = await cluster.outcome(cluster.write(at, registration(`new-${at}`)));
      const error = 'error' in outcome ? outcome.error : undefined;
      expect(error?.code, at).toBe('resourceExhausted');
      expect(error?.message).toContain(`disk_reserve_bytes: `);
      expect(error?.message).toContain(`${[leader, other].toSorted().join(' and ')} have less`);
      expect(error?.retryAfterMs).toBe(2000);
    }
    expect(cluster.node(leader).status().problems.join()).toContain('no majority of the voters');
    await cluster.finish(cluster.write(other, deregistration('leaves')));
    await cluster.read(other);
    // A register that changes nothing is a sign of life, and costs no room.
    await cluster.register(leader, 'kept');
    const beats = [{ namespace: 'default', instanceId: 'kept', generation: revision(0) }];
    const answer = await cluster.finish(cluster.node(other).heartbeat(beats, {}));
    expect(answer.failures).toEqual([]);
    await cluster.clock.advance(4000);
    await cluster.read(other);
    const there = (id: string) => cluster.node(other).registry.get('default', id) !== undefined;
    expect(['kept', 'leaves', 'silent'].map(there)).toEqual([true, false, false]);
    // Who leads next knows it, too.
    await cluster.finish(cluster.node(leader).changeMembers({ kind: 'transfer', nodeId: '' }, {}));
    await cluster.settled();
    const next = await cluster.outcome(cluster.write(leader, registration('new')));
    expect('error' in next ? next.error.code : '').toBe('resourceExhausted');
    expect(cluster.fatals).toEqual([]);
  });

  test('answer again what they answered before, through every node (G3, G4)', async () => {
    const { free, options } = world();
    const cluster = await MemoryCluster.elected(options);
    const [one = '', other = ''] = cluster.followers();
    const first = await cluster.register(one, 'a', { requestId: 'r1' });
    await fill(cluster, free, one, other);
    const { commitIndex } = cluster.node(one).status();
    for (const at of cluster.ids) {
      expect(await cluster.register(at, 'a', { requestId: 'r1' }), at).toEqual(first);
      const reused = await cluster.finish(cluster.write(at, registration('b'), 'r1'));
      expect(reused.kind, at).toBe('requestIdReused');
    }
    // From memory: a caller that repeats itself does not eat up what is left.
    expect(cluster.node(one).status().commitIndex).toBe(commitIndex);
    const anew = await cluster.outcome(cluster.write(one, registration('a'), 'r2'));
    expect('error' in anew ? anew.error.code : '').toBe('resourceExhausted');
  });

  test('are served again by themselves once one of them has room', async () => {
    const { free, options } = world();
    const cluster = await MemoryCluster.elected(options);
    const [one = '', other = ''] = cluster.followers();
    await fill(cluster, free, one, other);
    free.set(one, RESERVE);
    await cluster.clock.advance(3000);
    const early = await cluster.outcome(cluster.write(one, registration('early')));
    expect('error' in early ? early.error.code : '').toBe('resourceExhausted');
    free.set(one, 2 * RESERVE);
    await cluster.clock.advance(2200);
    await cluster.register(one, 'again');
    expect(cluster.node(one).status().problems).toEqual([]);
  });

  test('is also one full disk and one node that is away', async () => {
    const { free, options } = world();
    const cluster = await MemoryCluster.elected(options);
    const leader = cluster.leader() ?? '';
    const [full = '', away = ''] = cluster.followers();
    await fill(cluster, free, full);
    await cluster.crash(away);
    await cluster.clock.advance(500);
    const outcome = await cluster.outcome(cluster.write(leader, registration('a')));
    const message = 'error' in outcome ? outcome.error.message : '';
    expect(message).toContain(`${full} has less and ${away} is away`);
    await cluster.startNode(away);
    await cluster.settled();
    await cluster.register(leader, 'a');
  });
});

describe('a log that waits for space', () => {
  test('takes the leadership from its node, and acknowledges what waited once there is some', async () => {
    const { options } = world();
    const gates = new Map<string, Promise<void>>();
    const cluster = await MemoryCluster.elected({
      ...options,
      log: (id) => ({ beforeDurable: () => gates.get(id) ?? Promise.resolve() }),
    });
    const old = cluster.leader() ?? '';
    const gate = deferred<void>();
    gates.set(old, gate.promise);
    const store = cluster.running(old).logStore;
    store.starved = 'appends';
    await cluster.register(old, 'a');
    await cluster.clock.until(() => ![undefined, old].includes(cluster.leader()), 'a hand-over');
    await cluster.register(old, 'b');
    expect(cluster.node(old).status().problems.join()).toContain("node's log waits for disk space");
    expect(store.resumes).toBeGreaterThan(0);
    gates.delete(old);
    store.starved = 'no';
    gate.resolve();
    await cluster.level();
    expect(cluster.node(old).registry.get('default', 'b')).toBeDefined();
    expect(cluster.node(old).status().problems).toEqual([]);
    expect(cluster.fatals).toEqual([]);
  });
});

describe('a state store that finds no space', () => {
  test('falls behind and is written again, without the end of its node', async () => {
    const { stateFull, options } = world();
    const cluster = await MemoryCluster.elected(options);
    const [id = ''] = cluster.followers();
    await cluster.register(id, 'before');
    await cluster.clock.advance(500);
    const stored = cluster.disk(id).state.last?.appliedIndex ?? 0;
    stateFull.add(id);
    await cluster.register(id, 'a');
    await cluster.register(id, 'b');
    await cluster.clock.advance(3000);
    expect(cluster.disk(id).state.last?.appliedIndex).toBe(stored);
    expect(cluster.node(id).status().problems.join()).toContain('no disk space for the state');
    await cluster.register(id, 'c');
    stateFull.clear();
    await cluster.clock.advance(1500);
    const { appliedIndex, problems } = cluster.node(id).status();
    expect([cluster.disk(id).state.last?.appliedIndex, problems]).toEqual([appliedIndex, []]);
    // What it wrote after that is what it holds.
    await cluster.crash(id);
    await cluster.startNode(id);
    await cluster.settled();
    for (const instance of ['before', 'a', 'b', 'c']) {
      expect(cluster.node(id).registry.get('default', instance), instance).toBeDefined();
    }
    expect(cluster.fatals).toEqual([]);
  });

  test('are told of to a member of the version before as to any other, without what it cannot read', async () => {
    const { free, options } = world();
    const cluster = await MemoryCluster.elected(options);
    const leader = cluster.leader() ?? '';
    const [old = '', other = ''] = cluster.followers();
    await fill(cluster, free, leader, other);
    const { transport } = cluster.running(leader);
    const told: unknown[] = [];
    const send = transport.send.bind(transport);
    transport.send = (to, frames) => {
      told.push(...frames.flatMap((frame) => (frame.kind === 'writeResponse' ? [frame] : [])));
      return send(to, frames);
    };
    const refused = { kind: 'failed', code: 'resourceExhausted' } as const;
    await cluster.outcome(cluster.write(old, registration('a')));
    expect(told).toMatchObject([{ outcome: { ...refused, lacks: 'diskSpace' } }]);
    const { transport: listener } = cluster.running(old);
    const accept = listener.accept.bind(listener);
    listener.accept = (hello) => {
      const answer = accept(hello);
      if (answer === undefined || 'reason' in answer) return answer;
      const { newestFrame: _, ...known } = answer;
      return known;
    };
    transport.breakStreams(() => true);
    await cluster.clock.advance(200);
    const outcome = await cluster.outcome(cluster.write(old, registration('b')));
    expect('error' in outcome && outcome.error.retryAfterMs).toBe(100);
    expect(told.at(-1)).toMatchObject({ outcome: refused });
    expect(told.at(-1)).not.toHaveProperty('outcome.lacks');
  });
});
