// Stories of whole clusters: every change comes to an end, whoever is removed, added, lost or left behind.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import type { Membership } from '../../src/raft/index.ts';
import { type Cluster, createCluster, nodes } from './cluster.ts';
import { n1, n2, n3, payloadOf } from './lone-node.ts';

const n4 = nodeId('n4');

function members(voters: string, learners = ''): Membership {
  return { voters: nodes(voters), learners: nodes(learners) };
}

function start(voters: string, learners = '', leader = n1): Cluster {
  const cluster = createCluster(members(voters, learners));
  cluster.elect(leader);
  cluster.run(10);
  return cluster;
}

function agree(cluster: Cluster, ...ids: readonly (typeof n1)[]): void {
  const all = cluster.applied(cluster.leader());
  cluster.runUntil(
    () => ids.every((id) => cluster.applied(id).length >= all.length),
    'all apply what the leader has',
  );
  for (const id of ids) expect(cluster.applied(id).slice(0, all.length)).toEqual(all);
}

describe('growing', () => {
  test('a cluster of one voter gains a learner, promotes it, and both are needed from then on', () => {
    const cluster = start('n1');
    cluster.propose('a', 'b');
    cluster.addEmpty(n2);
    cluster.run(100);
    expect(cluster.view(n2).role).toBe('follower');
    expect(cluster.change(members('n1', 'n2'))).toBeUndefined();
    cluster.run(20);
    agree(cluster, n2);
    expect(cluster.change(members('n1 n2'))).toBeUndefined();
    cluster.run(5);
    agree(cluster, n2);
    cluster.stop(n2);
    cluster.propose('c');
    const { commitIndex, lastIndex } = cluster.view(n1);
    expect(commitIndex).toBeLessThan(lastIndex);
    cluster.start(n2);
    cluster.runUntil(() => cluster.applied(n2).includes('c'), 'both have c');
  });

  test('a learner whose entries are gone from the log gets a snapshot and then the rest', () => {
    const cluster = start('n1 n2 n3');
    cluster.propose('a', 'b', 'c');
    cluster.run(5);
    cluster.compact(n1);
    cluster.addEmpty(n4);
    expect(cluster.change(members('n1 n2 n3', 'n4'))).toBeUndefined();
    cluster.run(20);
    cluster.propose('d');
    agree(cluster, n4);
    expect(cluster.view(n4).firstIndex).toBeGreaterThan(1);
    expect(cluster.view(n4).membership).toEqual(members('n1 n2 n3', 'n4'));
    expect(cluster.pulls(n4)).toBe(1);
    expect(cluster.change(members('n1 n2 n3 n4'))).toBeUndefined();
    agree(cluster, n4);
    cluster.elect(n4);
    agree(cluster, n1, n2, n3);
  });

  test('the log of the source moves on while the snapshot travels: another one follows', () => {
    const cluster = start('n1 n2 n3');
    cluster.cut(n3);
    cluster.propose('a', 'b');
    cluster.run(5);
    cluster.compact(n1);
    let lost = 0;
    cluster.filter = (_, { message }) => {
      if (message.kind !== 'installSnapshotResponse' || lost >= 2) return true;
      lost += 1;
      cluster.propose('more');
      cluster.compact(n1);
      return false;
    };
    cluster.heal(n3);
    cluster.runUntil(() => lost === 2, 'two answers are lost');
    cluster.propose('last');
    agree(cluster, n3);
  });
});

describe('shrinking', () => {
  test('a removed follower disturbs nobody, whatever it tries', () => {
    const cluster = start('n1 n2 n3');
    expect(cluster.change(members('n1 n2'))).toBeUndefined();
    cluster.run(10);
    const { term } = cluster.view(n1);
    cluster.run(500);
    expect(cluster.view(n1)).toMatchObject({ role: 'leader', term });
    cluster.propose('a');
    agree(cluster, n2);
    expect(cluster.applied(n3)).not.toContain('a');
  });

  test('a leader removes itself from three: the next one leads within a few ticks', () => {
    const cluster = start('n1 n2 n3');
    expect(cluster.change(members('n2 n3'))).toBeUndefined();
    cluster.run(3);
    expect([n2, n3]).toContain(cluster.leader());
    cluster.run(200);
    expect(cluster.view(n1)).toMatchObject({ role: 'follower', leader: undefined });
    cluster.propose('a');
    agree(cluster, n2, n3);
  });

  test('a leader removes itself from two: the other one is alone and leads', () => {
    const cluster = start('n1 n2');
    expect(cluster.change(members('n2'))).toBeUndefined();
    cluster.run(3);
    expect(cluster.leader()).toBe(n2);
    cluster.propose('a');
    cluster.run(200);
    expect(cluster.applied(n2)).toContain('a');
    expect(cluster.applied(n1)).not.toContain('a');
  });

  test('a leader of one cannot remove itself', () => {
    const cluster = start('n1');
    expect(cluster.change(members('', 'n1'))).toBe('invalidChange');
    expect(cluster.leader()).toBe(n1);
  });

  test('a removal that only the removed leader has written still comes to an end (figure 4.6)', () => {
    const cluster = start('n1 n2');
    cluster.filter = (_, { message }) => message.kind !== 'appendEntries';
    expect(cluster.change(members('n2'))).toBeUndefined();
    cluster.stop(n1);
    cluster.filter = () => true;
    cluster.run(100);
    expect(cluster.view(n2).role).not.toBe('leader');
    cluster.start(n1);
    cluster.runUntil(
      () => cluster.view(n2).role === 'leader' && cluster.view(n2).committedInTerm,
      'n2 leads alone',
    );
    expect(cluster.view(n2).membership).toEqual(members('n2'));
    cluster.run(100);
    expect(cluster.leader()).toBe(n2);
  });

  test('a change that its leader could not commit is rolled back by the next leader', () => {
    const cluster = start('n1 n2 n3');
    cluster.cut(n1);
    cluster.step(n1, {
      kind: 'proposeMembership',
      token: 900,
      payload: payloadOf(members('n1 n2')),
    });
    expect(cluster.view(n1).membership).toEqual(members('n1 n2'));
    cluster.runUntil(
      () => cluster.view(n2).role === 'leader' || cluster.view(n3).role === 'leader',
      'another leads',
    );
    cluster.run(5);
    expect(cluster.change(members('n1 n2 n3', 'n4'))).toBeUndefined();
    cluster.heal(n1);
    agree(cluster, n1, n3);
    expect(cluster.view(n1).membership).toEqual(members('n1 n2 n3', 'n4'));
  });
});

describe('replacing a dead node', () => {
  test('it is removed, another one joins, catches up by a snapshot and votes', () => {
    const cluster = start('n1 n2 n3');
    cluster.stop(n3);
    cluster.propose('a', 'b');
    cluster.run(40);
    cluster.compact(n1);
    expect(cluster.change(members('n1 n2'))).toBeUndefined();
    cluster.run(5);
    cluster.addEmpty(n4);
    expect(cluster.change(members('n1 n2', 'n4'))).toBeUndefined();
    cluster.run(30);
    agree(cluster, n4);
    expect(cluster.change(members('n1 n2 n4'))).toBeUndefined();
    agree(cluster, n4);
    cluster.stop(n2);
    cluster.propose('c');
    cluster.runUntil(() => cluster.applied(n4).includes('c'), 'n1 and n4 are a majority');
  });
});

describe('a node that was away', () => {
  test('a candidate that the others do not know yet is elected by those that have its configuration or not', () => {
    const cluster = start('n1 n2 n3');
    cluster.addEmpty(n4);
    expect(cluster.change(members('n1 n2 n3', 'n4'))).toBeUndefined();
    cluster.run(20);
    cluster.cut(n3);
    expect(cluster.change(members('n1 n2 n3 n4'))).toBeUndefined();
    cluster.run(5);
    // n3 has never heard of n4, and its vote is needed.
    cluster.stop(n1);
    cluster.stop(n2);
    cluster.heal(n3);
    cluster.start(n2);
    cluster.runUntil(() => {
      const roles = [n2, n3, n4].map((id) => cluster.view(id).role);
      return roles.includes('leader');
    }, 'a leader of three of four');
    cluster.propose('a');
    agree(cluster, n2, n3, n4);
  });

  test('a node that lost its state but not its log gets it back and applies what follows', () => {
    const cluster = start('n1 n2 n3');
    cluster.propose('a', 'b');
    cluster.run(10);
    cluster.compact(n3);
    cluster.stop(n3);
    cluster.loseState(n3);
    cluster.propose('c');
    cluster.start(n3);
    expect(cluster.view(n3).awaitsSnapshot).toBe(true);
    cluster.run(20);
    agree(cluster, n3);
    expect(cluster.view(n3).awaitsSnapshot).toBe(false);
    cluster.elect(n3);
  });

  test('a leader that lost its state hands its place to nobody by force: the others elect', () => {
    const cluster = start('n1 n2 n3');
    cluster.propose('a');
    cluster.run(10);
    cluster.compact(n1);
    cluster.stop(n1);
    cluster.loseState(n1);
    cluster.start(n1);
    cluster.runUntil(
      () => cluster.view(n2).role === 'leader' || cluster.view(n3).role === 'leader',
      'another leads',
    );
    cluster.run(20);
    agree(cluster, n1);
  });

  test('pitfall 2: a node with a long log of its own that nobody has goes on after one snapshot', () => {
    const cluster = start('n1 n2 n3');
    cluster.cut(n1);
    cluster.step(n1, {
      kind: 'propose',
      proposals: ['x', 'y', 'z', 'w'].map((text, at) => ({
        token: 900 + at,
        payload: new TextEncoder().encode(text),
      })),
    });
    cluster.runUntil(
      () => cluster.view(n2).role === 'leader' || cluster.view(n3).role === 'leader',
      'another leads',
    );
    cluster.propose('a', 'b', 'c', 'd', 'e');
    cluster.run(5);
    cluster.compact(cluster.leader());
    cluster.heal(n1);
    cluster.run(60);
    agree(cluster, n1);
    expect(cluster.applied(n1)).not.toContain('x');
    expect(cluster.pulls(n1)).toBe(1);
  });
});
