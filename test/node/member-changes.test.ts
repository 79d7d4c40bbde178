// Changes of the members that are refused, that meet each other, whose answer is lost, or that are rolled back.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import type { MemberChange } from '../../src/node/peer-protocol.ts';
import { MemoryCluster } from '../support/memory-cluster.ts';

const promote = (id: string) => ({ kind: 'promote', nodeId: nodeId(id) }) as const;
const remove = (id: string) => ({ kind: 'remove', nodeId: nodeId(id) }) as const;
const announce = (id: string, incarnation = ''): MemberChange => ({
  kind: 'add',
  member: {
    nodeId: nodeId(id),
    incarnation,
    peerAddress: `memory:${id}`,
    clientAddress: `client:${id}`,
    learner: true,
  },
});

async function refusal(cluster: MemoryCluster, at: string, change: MemberChange) {
  const outcome = await cluster.outcome(cluster.node(at).changeMembers(change, {}));
  return 'error' in outcome ? `${outcome.error.code}: ${outcome.error.message}` : 'done';
}

describe('a change is refused', () => {
  test('while the learner to be promoted lacks too much of the log', async () => {
    const cluster = await MemoryCluster.elected({ raftLimits: { maxPromotionLag: 5 } });
    await cluster.join('n4');
    for (const id of ['n1', 'n2', 'n3']) cluster.network.cut(id, 'n4');
    for (let i = 0; i < 20; i++) await cluster.register('n1', `i-${i}`);
    expect(await refusal(cluster, 'n2', promote('n4'))).toMatch(
      /^failedPrecondition: n4 (has the log up to \d+ of \d+|does not answer)/,
    );
    cluster.network.heal();
    await cluster.level();
    expect(await refusal(cluster, 'n2', promote('n4'))).toBe('done');
  });

  test('when no majority of the voters after it has been heard', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [away = '', other = ''] = cluster.followers();
    await cluster.crash(away);
    await cluster.clock.advance(2000);
    expect(await refusal(cluster, leader, remove(other))).toMatch(
      /^failedPrecondition: a majority of the voters there would be/,
    );
    expect(await refusal(cluster, leader, remove(away))).toBe('done');
    expect(await refusal(cluster, leader, remove(leader))).toBe('done');
    await cluster.register(other, 'alone');
    expect(cluster.members(other)).toBe(other);
  });

  test('without a leader, in time, and certainly not made', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [one = '', other = ''] = cluster.followers();
    await cluster.crash(leader);
    await cluster.crash(other);
    await cluster.clock.advance(1000);
    const outcome = await cluster.outcome(cluster.node(one).changeMembers(remove(other), {}));
    expect('error' in outcome && outcome.error.code).toBe('noQuorum');
    expect(outcome.afterMs).toBeLessThanOrEqual(2020);
  });

  test('while another one is not committed', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [one = '', other = ''] = cluster.followers();
    // What the leader appends now reaches nobody for a moment.
    cluster.network.cut(leader, one);
    cluster.network.cut(leader, other);
    const first = cluster.outcome(cluster.node(leader).changeMembers(announce('n4'), {}));
    await cluster.clock.advance(20);
    expect(await refusal(cluster, leader, announce('n5'))).toContain(
      'failedPrecondition: another change of the members is not committed yet',
    );
    cluster.network.heal();
    expect('value' in (await first)).toBe(true);
    expect(await refusal(cluster, leader, announce('n5'))).toBe('done');
  });
});

describe('two operators', () => {
  test('who each remove a node at the same time cannot split the cluster', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const cluster = await MemoryCluster.elected({ ids: ['n1', 'n2', 'n3', 'n4', 'n5'], seed });
      const leader = cluster.leader() ?? '';
      const [a = '', b = ''] = cluster.followers();
      const outcomes = await Promise.all([
        refusal(cluster, a, remove(b)),
        refusal(cluster, b, remove(a)),
      ]);
      expect(outcomes).toContain('done');
      const refused = outcomes.filter((outcome) => outcome !== 'done');
      expect(refused.length).toBeLessThanOrEqual(1);
      const gone = outcomes[0] === 'done' ? b : a;
      await cluster.crash(gone);
      await cluster.level();
      const views = new Set(cluster.ids.map((id) => cluster.members(id)));
      expect(views.size).toBe(1);
      await cluster.register(leader, 'after');
      expect(cluster.fatals).toEqual([]);
    }
  });

  test('who add the same name agree on one data-dir', async () => {
    const cluster = await MemoryCluster.elected();
    const outcomes = await Promise.all([
      refusal(cluster, 'n1', announce('n4', 'a'.repeat(32))),
      refusal(cluster, 'n2', announce('n4', 'b'.repeat(32))),
    ]);
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
    expect(outcomes.join()).toMatch(/alreadyExists|another change of the members/);
  });
});

describe('a change whose answer is lost', () => {
  test('is asked again, and done once', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [at = '', gone = ''] = cluster.followers();
    cluster.network.cut(leader, at);
    const change = cluster.outcome(cluster.node(at).changeMembers(remove(gone), {}));
    await cluster.clock.advance(30);
    expect(cluster.members(leader)).not.toContain(gone);
    cluster.network.heal();
    const outcome = await change;
    expect('value' in outcome && outcome.value.map(({ nodeId: id }) => id)).toEqual(
      [leader, at].toSorted(),
    );
  });

  test('goes on at the next leader when the one that was asked dies', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [at = ''] = cluster.followers();
    const change = cluster.outcome(cluster.node(at).changeMembers(announce('n4'), {}));
    await cluster.clock.advance(1);
    await cluster.crash(leader);
    expect('value' in (await change)).toBe(true);
    expect(cluster.members(at)).toBe('n1 n2 n3 n4?');
  });
});

describe('a change that was never committed', () => {
  test('is rolled back, and the member it removed leads the node that had removed it', async () => {
    const cluster = await MemoryCluster.elected();
    const old = cluster.leader() ?? '';
    const [removed = '', other = ''] = cluster.followers();
    cluster.network.partition(`${old} | ${removed} ${other}`);
    const change = cluster.outcome(cluster.node(old).changeMembers(remove(removed), {}));
    await cluster.clock.advance(50);
    expect(cluster.members(old)).not.toContain(removed);
    // Long enough for the others to elect, and for the old leader to start again with what it had appended.
    await cluster.crash(old);
    await cluster.clock.until(
      () => [removed, other].some((id) => cluster.node(id).status().role === 'leader'),
      'a new leader',
    );
    const leads = (id: string): boolean => cluster.node(id).status().role === 'leader';
    if (!leads(removed)) {
      await cluster.change(other, { kind: 'transfer', nodeId: nodeId(removed) });
    }
    cluster.network.heal();
    await cluster.startNode(old);
    await cluster.level();
    expect(cluster.leader()).toBe(removed);
    expect(cluster.members(old)).toBe('n1 n2 n3');
    await cluster.register(old, 'through it');
    expect(cluster.fatals).toEqual([]);
    void change;
  });
});

describe('a request to hand leadership over', () => {
  test('that a follower passes on is acted upon once', async () => {
    const cluster = await MemoryCluster.elected();
    const [follower = ''] = cluster.followers();
    const { term } = cluster.node(follower).status();
    await cluster.change(follower, { kind: 'transfer', nodeId: '' });
    await cluster.clock.advance(2000);
    expect(cluster.node(follower).status().term).toBe(term + 1);
  });
});

describe('an announced name', () => {
  test('is bound by the leader when an empty node that was added before says hello again', async () => {
    const cluster = await MemoryCluster.elected();
    // Added, cut off before it has any log, removed, and announced once more: it is still there and empty.
    for (const id of ['n1', 'n2', 'n3']) cluster.network.cut(id, 'n4');
    await cluster.startNode('n4', { join: true });
    await cluster.clock.until(() => cluster.members('n1') === 'n1 n2 n3 n4?', 'n4 added');
    await cluster.change('n1', remove('n4'));
    await cluster.change('n1', announce('n4'));
    cluster.network.heal();
    await cluster.level();
    expect(cluster.members('n4')).toBe('n1 n2 n3 n4?');
    expect(cluster.node('n4').status().problems).toEqual([]);
  });
});
