// A node whose log is lost comes back in a new incarnation, by itself, and nothing that was acknowledged is lost on the way.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import { LINEARIZABLE, MemoryCluster, registration } from '../support/memory-cluster.ts';

/** Its process dies, and its log is found damaged when it starts again. */
async function rot(cluster: MemoryCluster, id: string, known?: readonly string[]): Promise<void> {
  await cluster.crash(id);
  cluster.loseLog(id, known);
  await cluster.startNode(id);
}

const problemsOf = (cluster: MemoryCluster, id: string): string =>
  cluster.node(id).status().problems.join('\n');

/** The members by name as all running nodes know them, and nobody is on the way any more. */
async function restored(cluster: MemoryCluster, members: string): Promise<void> {
  const well = (): boolean =>
    cluster.ids.every((id) => {
      const { problems } = cluster.node(id).status();
      return cluster.members(id) === members && problems.length === 0;
    });
  await cluster.clock.until(well, `members ${members}`, 20_000, () => cluster.picture());
}

async function expectWhole(cluster: MemoryCluster, instances: number): Promise<void> {
  await cluster.level();
  const states = cluster.ids.map((id) => cluster.node(id).status());
  expect(new Set(states.map(({ stateHash }) => stateHash)).size).toBe(1);
  expect(new Set(states.map((status) => status.instances))).toEqual(new Set([instances]));
  expect(cluster.fatals).toEqual([]);
}

async function filled(cluster: MemoryCluster, count: number): Promise<void> {
  const at = cluster.leader() ?? '';
  for (let i = 0; i < count; i++) await cluster.register(at, `i-${i}`);
}

describe('a node whose log is lost', () => {
  test.for(['leader', 'follower'] as const)(
    'votes again by itself when it was the %s (G14)',
    async (role) => {
      const cluster = await MemoryCluster.elected();
      await filled(cluster, 20);
      const id = role === 'leader' ? (cluster.leader() ?? '') : (cluster.followers()[0] ?? '');
      const { incarnation } = cluster.disk(id);
      await rot(cluster, id);
      await restored(cluster, 'n1 n2 n3');
      await expectWhole(cluster, 20);
      await cluster.clock.advance(50);
      expect(cluster.disk(id)).toMatchObject({ restored: true, lost: undefined });
      expect(cluster.disk(id).incarnation).not.toBe(incarnation);
      // It counts again: one of the others goes, and writes go on.
      await cluster.crash(cluster.ids.find((other) => other !== id) ?? '');
      await cluster.register(id, 'with one away');
    },
  );

  test('neither votes nor acknowledges nor serves while one other is away, says so, and heals when it returns', async () => {
    const cluster = await MemoryCluster.elected();
    await filled(cluster, 5);
    const [away = '', id = ''] = cluster.followers();
    const stays = cluster.leader() ?? '';
    await cluster.crash(away);
    await rot(cluster, id);
    await cluster.clock.advance(35_000);
    expect(problemsOf(cluster, id)).toContain('the log is damaged: 1.wal, byte 512');
    expect(problemsOf(cluster, id)).toContain(`asks ${stays} to take it back`);
    expect(problemsOf(cluster, id)).toContain('waits for a leader');
    expect(cluster.node(stays).status().role).not.toBe('leader');
    for (const at of [id, stays]) {
      const write = await cluster.outcome(cluster.write(at, registration('lost')));
      expect('error' in write && write.error.code).toBe('noQuorum');
    }
    for (const consistency of ['linearizable', 'bounded', 'stale'] as const) {
      const read = await cluster.outcome(cluster.node(id).read({ ...LINEARIZABLE, consistency }));
      expect('error' in read).toBe(true);
    }
    expect(cluster.disk(id).log.entries).toEqual([]);
    expect(cluster.fatals).toEqual([]);
    await cluster.startNode(away);
    await restored(cluster, 'n1 n2 n3');
    await expectWhole(cluster, 5);
  });

  test('does not elect a node without what it had acknowledged (G1)', async () => {
    const cluster = await MemoryCluster.elected({ ids: ['n1', 'n2', 'n3'] });
    const leader = cluster.leader() ?? '';
    const [rotten = '', behind = ''] = cluster.followers();
    // Acknowledged by the leader and by the one whose log will be lost.
    await cluster.crash(behind);
    await cluster.register(leader, 'acknowledged');
    await cluster.crash(leader);
    await rot(cluster, rotten);
    await cluster.startNode(behind);
    await cluster.clock.advance(5000);
    expect(cluster.leader()).toBeUndefined();
    await cluster.startNode(leader);
    await restored(cluster, 'n1 n2 n3');
    await expectWhole(cluster, 1);
  });

  test('two of five at once both return', async () => {
    const ids = ['n1', 'n2', 'n3', 'n4', 'n5'];
    const cluster = await MemoryCluster.elected({ ids });
    await filled(cluster, 10);
    const rotten = [cluster.leader() ?? '', cluster.followers()[0] ?? ''];
    for (const id of rotten) await cluster.crash(id);
    for (const id of rotten) {
      cluster.loseLog(id);
      await cluster.startNode(id);
    }
    await restored(cluster, ids.join(' '));
    await expectWhole(cluster, 10);
  });

  test('two of three at once wait for good: what they had is nowhere else for sure', async () => {
    const cluster = await MemoryCluster.elected();
    await filled(cluster, 3);
    const [one = '', other = ''] = cluster.followers();
    const stays = cluster.leader() ?? '';
    for (const id of [one, other]) await cluster.crash(id);
    await cluster.crash(stays);
    await cluster.startNode(stays);
    for (const id of [one, other]) {
      cluster.loseLog(id);
      await cluster.startNode(id);
    }
    await cluster.clock.advance(35_000);
    expect(cluster.leader()).toBeUndefined();
    for (const id of [one, other]) expect(problemsOf(cluster, id)).toContain('waits for a leader');
    expect(cluster.fatals).toEqual([]);
  });

  test('all at once end with exit code 11 and name nobody a leader', async () => {
    const cluster = await MemoryCluster.elected();
    for (const id of ['n1', 'n2', 'n3']) await cluster.crash(id);
    for (const id of ['n1', 'n2', 'n3']) {
      cluster.loseLog(id);
      await cluster.startNode(id);
    }
    await cluster.clock.advance(32_000);
    expect(cluster.fatals.map(({ code }) => code)).toEqual([11, 11, 11]);
    expect(cluster.fatals[0]?.reason).toContain('for 30 s no member of the cluster was there');
  });

  test('knows one member only, and is taken back through it', async () => {
    const cluster = await MemoryCluster.elected();
    await filled(cluster, 3);
    const id = cluster.leader() ?? '';
    await rot(cluster, id, ['n1', 'n2', 'n3'].filter((other) => other !== id).slice(0, 1));
    await restored(cluster, 'n1 n2 n3');
  });

  test('stays a learner if it was one', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.join('n4');
    await cluster.clock.advance(200);
    await rot(cluster, 'n4');
    await restored(cluster, 'n1 n2 n3 n4?');
    expect(cluster.disk('n4').restored).toBe(true);
    await expectWhole(cluster, 0);
  });

  test('that was removed meanwhile is not taken back, and ends with exit code 11', async () => {
    const cluster = await MemoryCluster.elected();
    const id = cluster.followers()[0] ?? '';
    await cluster.crash(id);
    await cluster.settled();
    await cluster.change(cluster.leader() ?? '', { kind: 'remove', nodeId: nodeId(id) });
    cluster.loseLog(id);
    await cluster.startNode(id);
    await cluster.clock.advance(32_000);
    expect(cluster.fatals).toMatchObject([
      { id, code: 11, reason: expect.stringContaining('start it with an empty data directory') },
    ]);
    expect(cluster.members(cluster.leader() ?? '')).not.toContain(id);
  });

  test('does not take the place that an operator has announced for another machine under its name', async () => {
    const cluster = await MemoryCluster.elected();
    const id = cluster.followers()[0] ?? '';
    await cluster.crash(id);
    await cluster.settled();
    const leader = cluster.leader() ?? '';
    await cluster.change(leader, { kind: 'remove', nodeId: nodeId(id) });
    const addresses = { peerAddress: 'elsewhere:7401', clientAddress: 'elsewhere:7400' };
    const member = { nodeId: nodeId(id), incarnation: '', learner: true, ...addresses };
    await cluster.change(leader, { kind: 'add', member });
    cluster.loseLog(id);
    await cluster.startNode(id);
    await cluster.clock.advance(32_000);
    expect(cluster.fatals).toMatchObject([{ id, code: 11 }]);
    const { members } = cluster.node(cluster.leader() ?? '').status();
    expect(members.find(({ nodeId: name }) => name === id)).toMatchObject({
      incarnation: '',
      peerAddress: 'elsewhere:7401',
    });
  });

  test('finds a cluster that was made anew at the addresses it knows: it names both, and is taken for nobody (G14)', async () => {
    const former = await MemoryCluster.elected({ ids: ['n3', 'n2', 'n1'] });
    const formerUuid = former.node('n3').status().clusterUuid.slice(0, 8);
    await former.crash('n3');
    former.loseLog('n3');
    const cluster = await MemoryCluster.elected();
    const uuid = cluster.node('n1').status().clusterUuid.slice(0, 8);
    const members = cluster.members('n1');
    await cluster.crash('n3');
    const lost = cluster.disk('n3');
    cluster.giveBack('n3', former.disk('n3'));
    await cluster.startNode('n3');
    await cluster.clock.advance(5000);
    // A member of that name is there, so this may be a version that does not know the question.
    for (const named of [`(uuid ${uuid})`, `cluster with the uuid ${formerUuid}`, '--join'])
      expect(problemsOf(cluster, 'n3')).toContain(named);
    await cluster.crash('n3');
    cluster.giveBack('n3', lost);
    await cluster.settled();
    await cluster.change(cluster.leader() ?? '', { kind: 'remove', nodeId: nodeId('n3') });
    cluster.giveBack('n3', former.disk('n3'));
    await cluster.startNode('n3');
    await cluster.clock.advance(5000);
    expect(problemsOf(cluster, 'n3')).not.toContain('none is reached');
    expect(problemsOf(cluster, 'n3')).toContain(`is not a member of cluster "test" (uuid ${uuid})`);
    await cluster.clock.advance(30_000);
    const [end] = cluster.fatals;
    expect(end).toMatchObject({ id: 'n3', code: 11 });
    for (const named of [`(uuid ${uuid})`, `cluster with the uuid ${formerUuid}`, 'restore or'])
      expect(end?.reason).toContain(named);
    expect(members).toBe('n1 n2 n3');
    expect(cluster.members('n1')).toBe('n1 n2');
  });

  test('does not take the place of another data directory that has its name', async () => {
    const cluster = await MemoryCluster.elected();
    const id = cluster.followers()[0] ?? '';
    await cluster.crash(id);
    cluster.loseLog(id);
    const lost = cluster.disk(id);
    // An operator was faster.
    cluster.wipe(id);
    await cluster.settled();
    await cluster.change(cluster.leader() ?? '', { kind: 'remove', nodeId: nodeId(id) });
    await cluster.join(id);
    const { incarnation } = cluster.disk(id);
    await cluster.crash(id);
    cluster.giveBack(id, lost);
    await cluster.startNode(id);
    await cluster.clock.advance(32_000);
    expect(problemsOf(cluster, id)).toContain('with another data directory');
    const members = cluster.node(cluster.leader() ?? '').status().members;
    expect(members.find(({ nodeId: name }) => name === id)?.incarnation).toBe(incarnation);
  });
});
