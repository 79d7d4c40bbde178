// Writes and what is said of them: an error states whether the write certainly did not happen or may have (G3).
import { describe, expect, test } from 'vitest';
import { revision } from '../../src/lib/ids.ts';
import type { ApplyResult } from '../../src/registry/index.ts';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';

const errorCode = (outcome: { readonly value: unknown } | { readonly error: { code: string } }) =>
  'error' in outcome ? outcome.error.code : 'applied';
const has = (cluster: MemoryCluster, at: string, id: string): boolean =>
  cluster.node(at).registry.get('default', id) !== undefined;
const commands = (cluster: MemoryCluster, id: string): number =>
  cluster.disk(id).log.entries.filter((entry) => entry.kind === 'command').length;

describe('a write', () => {
  test('is acknowledged only once a majority has it on disk (G1)', async () => {
    const stuck = new Set<string>();
    const never = new Promise<void>(() => undefined);
    const cluster = await MemoryCluster.elected({
      log: (id) => ({ beforeDurable: () => (stuck.has(id) ? never : Promise.resolve()) }),
    });
    const leader = cluster.leader() ?? '';
    for (const id of cluster.followers()) stuck.add(id);
    let acknowledged = false;
    const write = cluster.write(leader, registration('a')).then(
      () => {
        acknowledged = true;
      },
      () => undefined,
    );
    await cluster.clock.advance(200);
    expect(acknowledged).toBe(false);
    await cluster.clock.advance(20_000);
    await write;
    expect(acknowledged).toBe(false);
  });

  test('that gathers with others in one turn shares one batch with them', async () => {
    let batches = 0;
    const cluster = await MemoryCluster.elected({
      log: () => ({
        async beforeDurable({ entries }) {
          if (entries.some((entry) => entry.kind === 'command')) batches++;
        },
      }),
    });
    const leader = cluster.leader() ?? '';
    const writes = Array.from({ length: 256 }, (_, at) =>
      cluster.write(leader, registration(`i-${at}`)),
    );
    await cluster.finish(Promise.all(writes));
    // One on each of three nodes.
    expect(batches).toBe(3);
  });

  test('through a follower answers as through the leader, with the revision it got', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    const first = await cluster.register(follower, 'a');
    expect(first).toMatchObject({ kind: 'registered', revision: 1, generations: [1] });
    const second = await cluster.finish(
      cluster.write(follower, {
        kind: 'deregister',
        namespace: 'default',
        instanceId: 'a',
        generation: revision(0),
        reason: 'done',
      }),
    );
    expect(second).toMatchObject({ kind: 'deregistered', revision: 2, existed: true });
  });

  test('that changes nothing is answered after a quorum round and appends nothing', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [follower = ''] = cluster.followers();
    await cluster.register(leader, 'a');
    const before = commands(cluster, leader);
    for (const at of [leader, follower]) {
      expect(await cluster.register(at, 'a')).toMatchObject({ revision: 1, generations: [1] });
    }
    expect(commands(cluster, leader)).toBe(before);
    // With a request_id it always goes through the log.
    await cluster.register(leader, 'a', { requestId: 'r1' });
    expect(commands(cluster, leader)).toBe(before + 1);
  });

  test('that changes nothing is not answered by a leader without its quorum', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    await cluster.register(leader, 'a');
    cluster.network.partition(`${leader} | ${cluster.followers().join(' ')}`);
    const outcome = await cluster.outcome(cluster.write(leader, registration('a')));
    expect(errorCode(outcome)).toBe('noQuorum');
    expect(outcome.afterMs).toBeLessThanOrEqual(2100);
  });

  test('with a request_id happens once however often it is sent, on any node (G4)', async () => {
    const cluster = await MemoryCluster.elected();
    const answers: ApplyResult[] = [];
    for (const at of [...cluster.ids, ...cluster.ids]) {
      answers.push(await cluster.register(at, 'a', { requestId: 'once' }));
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(cluster.node('n1').registry.revision).toBe(1);
  });

  test('beyond the limit of pending ones is refused by the name of the limit (G17)', async () => {
    const cluster = await MemoryCluster.elected({ limits: { maxPendingWrites: 5 } });
    const leader = cluster.leader() ?? '';
    const writes = Array.from({ length: 6 }, (_, at) =>
      cluster.outcome(cluster.write(leader, registration(`i-${at}`))),
    );
    const codes = (await Promise.all(writes)).map(errorCode);
    expect(codes).toEqual([...Array(5).fill('applied'), 'resourceExhausted']);
  });

  test('so are more bytes than its limit, and they are free again afterwards (G17)', async () => {
    const one = registration('i-0');
    const bytes = one.kind === 'register' ? one.item.body.length : 0;
    const cluster = await MemoryCluster.elected({ limits: { maxPendingWriteBytes: 3 * bytes } });
    const leader = cluster.leader() ?? '';
    const burst = (from: number) =>
      Promise.all(
        Array.from({ length: 4 }, (_, at) =>
          cluster.outcome(cluster.write(leader, registration(`i-${from + at}`))),
        ),
      );
    for (const from of [0, 4]) {
      const codes = (await burst(from)).map(errorCode);
      expect(codes).toEqual([...Array(3).fill('applied'), 'resourceExhausted']);
    }
  });

  test('without a quorum fails with noQuorum within 2 s or its own deadline, and never appears', async () => {
    const cluster = await MemoryCluster.elected();
    const [n1 = '', ...others] = cluster.ids;
    for (const id of others) await cluster.crash(id);
    await cluster.clock.advance(3000);
    const outcome = await cluster.outcome(cluster.write(n1, registration('a')));
    expect(errorCode(outcome)).toBe('noQuorum');
    expect(outcome.afterMs).toBeLessThanOrEqual(2020);
    const deadline = cluster.clock.now() + 300;
    const impatient = await cluster.outcome(
      cluster.node(n1).write(registration('b'), { requestId: '', actor: '', deadline }),
    );
    expect(errorCode(impatient)).toBe('noQuorum');
    expect(impatient.afterMs).toBeLessThanOrEqual(320);
    for (const id of others) await cluster.startNode(id);
    await cluster.settled();
    await cluster.read(n1);
    expect([has(cluster, n1, 'a'), has(cluster, n1, 'b')]).toEqual([false, false]);
  });

  test('waits for a leader that is being elected and then succeeds', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.crash(cluster.leader() ?? '');
    const [survivor = ''] = cluster.ids;
    const outcome = await cluster.outcome(cluster.write(survivor, registration('a')));
    expect(errorCode(outcome)).toBe('applied');
    expect(outcome.afterMs).toBeLessThan(1000);
  });
});

describe('a leader cut off with writes in hand', () => {
  test('reports appended ones as unknown, later ones as noQuorum, and is right about each', async () => {
    const cluster = await MemoryCluster.elected();
    const old = cluster.leader() ?? '';
    const others = cluster.followers().join(' ');
    cluster.network.partition(`${old} | ${others}`);
    const appended = cluster.outcome(cluster.write(old, registration('appended')));
    await cluster.clock.until(() => cluster.node(old).status().role !== 'leader', 'its step-down');
    const later = cluster.outcome(cluster.write(old, registration('later')));
    const [first, second] = await Promise.all([appended, later]);
    expect([errorCode(first), errorCode(second)]).toEqual(['outcomeUnknown', 'noQuorum']);
    expect(second.afterMs).toBeLessThanOrEqual(2020);
    await cluster.clock.until(() => {
      return others.split(' ').some((id) => cluster.node(id).status().role === 'leader');
    }, 'a new leader on the other side');
    cluster.network.heal();
    await cluster.settled();
    await cluster.read(old);
    expect(has(cluster, old, 'later')).toBe(false);
  });

  test('answers for certain when the network heals in time: the entry was replaced, the write is tried again', async () => {
    const cluster = await MemoryCluster.elected();
    const old = cluster.leader() ?? '';
    const others = cluster.followers();
    cluster.network.partition(`${old} | ${others.join(' ')}`);
    const write = cluster.outcome(cluster.write(old, registration('again')));
    const elected = (): boolean =>
      others.some((id) => {
        const { role, commitIndex, lastIndex } = cluster.node(id).status();
        return role === 'leader' && commitIndex === lastIndex;
      });
    await cluster.clock.until(elected, 'a new leader on the other side');
    const [leader = ''] = others.filter((id) => cluster.node(id).status().role === 'leader');
    await cluster.register(leader, 'other');
    cluster.network.heal();
    const outcome = await write;
    expect(errorCode(outcome)).toBe('applied');
    expect(outcome.afterMs).toBeLessThan(3000);
    const entries = cluster.disk(leader).log.entries.length;
    await cluster.settled();
    // Once: the first entry of it is gone, the second is the one that was answered.
    expect(commands(cluster, leader)).toBe(2);
    expect(entries).toBeGreaterThan(0);
  });

  test('does not append for ever: it steps down within two election timeouts', async () => {
    const cluster = await MemoryCluster.elected();
    const old = cluster.leader() ?? '';
    cluster.network.partition(`${old} | ${cluster.followers().join(' ')}`);
    await cluster.clock.advance(1200);
    expect(cluster.node(old).status().role).not.toBe('leader');
    const { length } = cluster.disk(old).log.entries;
    await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        cluster.outcome(cluster.write(old, registration(`late-${at}`))),
      ),
    );
    expect(cluster.disk(old).log.entries).toHaveLength(length);
  });
});

describe('a write forwarded to a leader that dies', () => {
  test('is unknown without a request_id, at once', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [follower = ''] = cluster.followers();
    const write = cluster.outcome(cluster.write(follower, registration('a')));
    // Sent, not answered.
    await cluster.clock.advance(0);
    await cluster.crash(leader);
    const outcome = await write;
    expect(errorCode(outcome)).toBe('outcomeUnknown');
    expect(outcome.afterMs).toBeLessThan(100);
  });

  test('is asked again of the next leader with a request_id, and applied once (G4)', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [follower = ''] = cluster.followers();
    const write = cluster.outcome(cluster.write(follower, registration('a'), 'r1'));
    await cluster.clock.advance(0);
    await cluster.crash(leader);
    expect(errorCode(await write)).toBe('applied');
    expect(cluster.node(follower).registry.revision).toBe(1);
  });

  test('is unknown when the leader falls silent and nobody can tell', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [follower = ''] = cluster.followers();
    const write = cluster.outcome(cluster.write(follower, registration('a')));
    await cluster.clock.advance(0);
    cluster.running(leader).clock.pause();
    const outcome = await write;
    expect(errorCode(outcome)).toBe('outcomeUnknown');
    expect(outcome.afterMs).toBeLessThan(4000);
  });
});

describe('acknowledged writes', () => {
  test('survive the death of the leader, and of all nodes at once (G1)', async () => {
    const cluster = await MemoryCluster.elected();
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round++) {
      const leader = cluster.leader() ?? '';
      for (const at of cluster.ids) {
        await cluster.register(at, `r${round}-${at}`);
        acknowledged.push(`r${round}-${at}`);
      }
      await cluster.crash(leader);
      await cluster.clock.until(() => cluster.leader() !== undefined, 'the next leader');
      await cluster.register(cluster.leader() ?? '', `r${round}-after`);
      acknowledged.push(`r${round}-after`);
      await cluster.startNode(leader);
      await cluster.settled();
    }
    const all = [...cluster.ids];
    for (const id of all) await cluster.crash(id);
    for (const id of all) await cluster.startNode(id);
    await cluster.settled();
    for (const at of all) {
      await cluster.read(at);
      for (const id of acknowledged) expect(has(cluster, at, id)).toBe(true);
    }
    expect(cluster.fatals).toEqual([]);
  });
});
