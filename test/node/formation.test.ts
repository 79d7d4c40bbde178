// First boot (docs/adr/0006): nobody forms a cluster by default or alone, and all write the same first record.
import { describe, expect, test } from 'vitest';
import { deferred } from '../../src/lib/deferred.ts';
import { revision } from '../../src/lib/ids.ts';
import { decodeClusterRecord } from '../../src/node/cluster-record.ts';
import { MemoryCluster } from '../support/memory-cluster.ts';

const firstRecord = (cluster: MemoryCluster, id: string) => {
  const [entry] = cluster.disk(id).log.entries;
  return entry === undefined ? undefined : decodeClusterRecord(entry.payload);
};
const trusts = (cluster: MemoryCluster, id: string, other: string): boolean =>
  cluster.node(id).status().problems.length === 0 &&
  cluster
    .node(id)
    .status()
    .members.some((member) => member.nodeId === other);

describe('formation', () => {
  test('writes the same first record on every node and notes the cluster in each data-dir', async () => {
    const cluster = await MemoryCluster.elected();
    const records = cluster.ids.map((id) => firstRecord(cluster, id));
    expect(records[0]?.members.map((member) => member.nodeId)).toEqual(['n1', 'n2', 'n3']);
    expect(records[1]).toEqual(records[0]);
    expect(records[2]).toEqual(records[0]);
    for (const id of cluster.ids) expect(cluster.disk(id).formed).toBe(records[0]?.clusterUuid);
  });

  test('waits for a listed member that is away, and says so', async () => {
    const cluster = await MemoryCluster.start({ started: ['n1', 'n2'] });
    await cluster.clock.advance(5000);
    expect(cluster.disk('n1').log.entries).toEqual([]);
    expect(cluster.disk('n2').log.entries).toEqual([]);
    expect(cluster.node('n1').status().problems).toEqual([
      'the cluster has not formed: waiting for n3 to be reached',
    ]);
    expect(cluster.node('n1').status().caughtUp).toBe(false);
    // Not even a stale read: there is no state that it could be stale against.
    for (const consistency of ['linearizable', 'bounded', 'stale'] as const) {
      const read = await cluster.outcome(
        cluster.node('n1').read({ consistency, minRevision: revision(0), maxStalenessMs: 1 }),
      );
      expect('error' in read && read.error.code).toBe('noQuorum');
      expect('error' in read && read.error.message).toContain('waiting for n3');
    }
    await cluster.startNode('n3');
    await cluster.settled();
  });

  test('forms alone only when told that there is nobody else', async () => {
    const cluster = await MemoryCluster.elected({ ids: ['n1'] });
    await cluster.register('n1', 'a');
    expect(await cluster.read('n1')).toBe(0);
  });

  test('takes a straggler in that had agreed but not written when it was killed', async () => {
    let hold = true;
    const never = new Promise<void>(() => undefined);
    const cluster = await MemoryCluster.start({
      log: (id) => ({ beforeDurable: () => (id === 'n3' && hold ? never : Promise.resolve()) }),
    });
    await cluster.clock.advance(2000);
    expect(firstRecord(cluster, 'n1')).toBeDefined();
    expect(firstRecord(cluster, 'n3')).toBeUndefined();
    await cluster.crash('n3');
    hold = false;
    await cluster.register('n1', 'a');
    await cluster.startNode('n3');
    await cluster.settled();
    expect(firstRecord(cluster, 'n3')).toEqual(firstRecord(cluster, 'n1'));
    await cluster.read('n3');
    expect(cluster.node('n3').registry.get('default', 'a')).toBeDefined();
  });

  test('agrees anew when a member comes back with an empty disk before the others have written', async () => {
    const cluster = await MemoryCluster.start({ started: ['n1', 'n3'] });
    await cluster.clock.advance(500);
    await cluster.crash('n3');
    cluster.wipe('n3');
    await cluster.startNode('n3');
    await cluster.startNode('n2');
    await cluster.settled();
    const uuids = new Set(cluster.ids.map((id) => firstRecord(cluster, id)?.clusterUuid));
    expect(uuids.size).toBe(1);
    expect(trusts(cluster, 'n1', 'n3')).toBe(true);
  });

  test('forms all the same when one member is wiped while the others are writing', async () => {
    let hold = true;
    const never = new Promise<void>(() => undefined);
    const cluster = await MemoryCluster.start({
      log: (id) => ({ beforeDurable: () => (id !== 'n1' && hold ? never : Promise.resolve()) }),
    });
    await cluster.clock.advance(1000);
    await cluster.crash('n2');
    await cluster.crash('n3');
    cluster.wipe('n3');
    hold = false;
    await cluster.startNode('n3');
    await cluster.startNode('n2');
    await cluster.clock.until(() => cluster.leader() !== undefined, 'a leader');
    expect(firstRecord(cluster, 'n2')).toEqual(firstRecord(cluster, 'n1'));
    expect(cluster.disk('n3').log.entries).toEqual([]);
  });

  test('names no second record while it writes one, so that two clusters cannot form (G14)', async () => {
    let hold = true;
    const written = deferred<void>();
    const cluster = await MemoryCluster.start({
      log: () => ({ beforeDurable: () => (hold ? written.promise : Promise.resolve()) }),
    });
    // All three have agreed, and no disk has it yet.
    await cluster.clock.advance(500);
    await cluster.crash('n2');
    cluster.wipe('n2');
    hold = false;
    await cluster.startNode('n2');
    await cluster.clock.advance(1000);
    expect(cluster.disk('n2').log.entries).toEqual([]);
    written.resolve();
    await cluster.clock.until(() => cluster.leader() !== undefined, 'a leader');
    expect(firstRecord(cluster, 'n3')).toEqual(firstRecord(cluster, 'n1'));
    await cluster.register('n1', 'a');
    await cluster.clock.advance(1000);
    expect(cluster.disk('n2').log.entries).toEqual([]);
  });
});

describe('a wiped disk (G14)', () => {
  test('does not vote under the old name, says what to do, and no acknowledged write is lost', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [away = '', wiped = ''] = cluster.followers();
    await cluster.crash(away);
    // Acknowledged by the leader and the node that is wiped next: nobody else holds it.
    await cluster.register(leader, 'precious');
    await cluster.crash(wiped);
    cluster.wipe(wiped);
    await cluster.startNode(wiped);
    await cluster.crash(leader);
    await cluster.startNode(away);
    await cluster.clock.advance(10_000);
    // With the vote of the wiped node the one that was away could lead, and the write would be gone.
    expect(cluster.leader()).toBeUndefined();
    expect(cluster.disk(wiped).log.entries).toEqual([]);
    const problems = cluster.node(wiped).status().problems.join('\n');
    const uuid = cluster.node(away).status().clusterUuid.slice(0, 8);
    expect(problems).toContain(
      `${wiped} is a member of cluster "test" (uuid ${uuid}) with another data directory`,
    );
    expect(problems).toContain(`rollcall member remove ${wiped}`);
    await cluster.startNode(leader);
    await cluster.clock.until(() => cluster.leader() !== undefined, 'a leader');
    await cluster.read(away);
    expect(cluster.node(away).registry.get('default', 'precious')).toBeDefined();
    expect(cluster.fatals).toEqual([]);
  });

  test('a data directory of another cluster or node is refused with exit code 14', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.crash('n2');
    const disk = cluster.disk('n2');
    cluster.wipe('n2');
    cluster.disk('n2').log.entries.push(...disk.log.entries);
    await cluster.startNode('n2');
    expect(cluster.fatals).toMatchObject([{ id: 'n2', code: 14 }]);
  });
});
