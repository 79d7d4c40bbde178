// Handing leadership over (dissertation 3.10): the target campaigns at once with the whole log, writes wait for the next
// leader, and nothing of a transfer outlives the leadership that began it.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import type { NodeId } from '../../src/lib/ids.ts';
import { createCluster } from './cluster.ts';
import {
  acknowledge,
  appendEntries,
  becomeLeader,
  entries,
  heartbeat,
  inTerm,
  type LoneNode,
  n1,
  n2,
  n3,
  payloadOf,
  propose,
  requestVote,
  sentTo,
  startNode,
  type Work,
} from './lone-node.ts';

const n4 = nodeId('n4');

function lead(start: Parameters<typeof startNode>[0] = {}): { node: LoneNode; work: Work } {
  const node = startNode(start);
  const work = becomeLeader(node);
  acknowledge(node, n2, work, 1);
  node.settle();
  return { node, work };
}

function transfer(node: LoneNode, target?: NodeId): void {
  node.step({ kind: 'transferLeadership', target });
}

function rejected(node: LoneNode): readonly string[] {
  return node.settle().readys.flatMap((ready) => ready.rejected.map(({ reason }) => reason));
}

describe('a transfer', () => {
  test('tells the target to campaign once it holds the whole log, and not before', () => {
    const { node, work } = lead();
    propose(node, 'a');
    node.settle();
    transfer(node, n2);
    expect(sentTo(node.settle(), n2, 'timeoutNow')).toEqual([]);
    expect(node.raft.view().transferTarget).toBe(n2);
    acknowledge(node, n2, work, 2);
    expect(sentTo(node.settle(), n2, 'timeoutNow')).toEqual([{ kind: 'timeoutNow', term: 1 }]);
    acknowledge(node, n2, work, 2);
    expect(sentTo(node.settle(), n2, 'timeoutNow')).toEqual([]);
  });

  test('holds proposals and changes of members back', () => {
    const { node } = lead();
    transfer(node, n2);
    node.settle();
    propose(node, 'a', 'b');
    const payload = payloadOf({ voters: [n1, n2, n3], learners: [n4] });
    node.step({ kind: 'proposeMembership', token: 3, payload });
    expect(rejected(node)).toEqual(['transferring', 'transferring', 'transferring']);
    expect(node.raft.view().lastIndex).toBe(1);
  });

  test('ends after an election timeout, and writes are taken again', () => {
    const { node, work } = lead();
    transfer(node, n2);
    node.tick(15);
    acknowledge(node, n2, work, 1);
    node.tick(14);
    expect(node.raft.view().transferTarget).toBe(n2);
    node.tick(1);
    expect(node.raft.view()).toMatchObject({ transferTarget: undefined, role: 'leader' });
    propose(node, 'a');
    expect(rejected(node)).toEqual([]);
  });

  test('pitfall 15: does not outlive the leadership: the same node leads a later term and takes writes', () => {
    const { node } = lead();
    transfer(node, n2);
    node.settle();
    node.receive(n3, heartbeat(2));
    expect(node.settle().readys.flatMap(({ events }) => events)).toContainEqual({
      kind: 'transferEnded',
      reason: 'this node leads no longer',
    });
    becomeLeader(node);
    expect(node.raft.view()).toMatchObject({ role: 'leader', transferTarget: undefined });
    propose(node, 'a');
    expect(rejected(node)).toEqual([]);
  });

  test('without a target goes to the voter that was heard and holds the most', () => {
    const { node, work } = lead({ learners: [n4] });
    acknowledge(node, n4, work, 1);
    propose(node, 'a');
    node.settle();
    acknowledge(node, n3, work, 2);
    acknowledge(node, n4, work, 2);
    transfer(node);
    expect(node.raft.view().transferTarget).toBe(n3);
  });

  test.for<readonly [string, NodeId]>([
    ['this node itself', n1],
    ['a learner', n4],
    ['a stranger', nodeId('n9')],
    ['a voter that was not heard', n3],
  ])('to %s is not begun', ([, target]) => {
    const { node, work } = lead({ learners: [n4] });
    acknowledge(node, n4, work, 1);
    node.settle();
    transfer(node, target);
    expect(node.raft.view().transferTarget).toBeUndefined();
    expect(node.raft.hasReady()).toBe(false);
  });

  test('is not begun twice, nor by a node that does not lead', () => {
    const { node, work } = lead();
    acknowledge(node, n3, work, 1);
    transfer(node, n2);
    transfer(node, n3);
    expect(node.raft.view().transferTarget).toBe(n2);
    const follower = startNode();
    transfer(follower);
    expect(follower.raft.view().transferTarget).toBeUndefined();
  });
});

describe('a node that is told to campaign', () => {
  test("does so at once, without a pre-vote, in the leader's name", () => {
    const node = startNode();
    node.receive(n2, appendEntries(1, [0, 0], entries(1)));
    node.settle();
    node.receive(n2, { kind: 'timeoutNow', term: inTerm(1) });
    const work = node.settle();
    expect(sentTo(work, n3, 'preVote')).toEqual([]);
    expect(sentTo(work, n3, 'requestVote')).toMatchObject([{ term: 2, transfer: true }]);
    expect(sentTo(work, n2, 'requestVote')).toMatchObject([{ term: 2, transfer: true }]);
  });

  test('asks for votes only once its own is durable', () => {
    const node = startNode();
    node.receive(n2, { kind: 'timeoutNow', term: inTerm(1) });
    const ready = node.take();
    expect(ready.persist?.hardState).toMatchObject({ term: 2, votedFor: n1 });
    expect(ready.sendNow).toEqual([]);
    expect(ready.sendAfterPersist).toHaveLength(2);
  });

  test('by a leader of an earlier term does nothing', () => {
    const node = startNode({ term: 3 });
    node.receive(n2, { kind: 'timeoutNow', term: inTerm(2) });
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 3 });
  });

  test('as a learner, or without its state, does nothing', () => {
    const learner = startNode({ voters: [n2, n3], learners: [n1] });
    learner.receive(n2, { kind: 'timeoutNow', term: inTerm(1) });
    expect(learner.raft.view().role).toBe('follower');
    const stateless = startNode({ floor: [4, 1], appliedIndex: 0 });
    stateless.receive(n2, { kind: 'timeoutNow', term: inTerm(1) });
    expect(stateless.raft.view().role).toBe('follower');
  });

  test('is voted for although the leader is heard, by the leader too; nobody else is', () => {
    const follower = startNode();
    follower.receive(n2, heartbeat(1));
    follower.settle();
    follower.receive(n3, requestVote(2, [0, 0]));
    expect(follower.settle().sent).toEqual([]);
    follower.receive(n3, { ...requestVote(2, [0, 0]), transfer: true });
    expect(follower.answers('requestVoteResponse')).toMatchObject([{ term: 2, voteGranted: true }]);
    const { node } = lead();
    node.receive(n2, { ...requestVote(2, [1, 1]), transfer: true });
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 2 });
    expect(node.answers('requestVoteResponse')).toMatchObject([{ term: 2, voteGranted: true }]);
  });
});

describe('in a cluster', () => {
  test('the target leads within two ticks and nothing that was committed is lost', () => {
    const cluster = createCluster({ voters: [n1, n2, n3], learners: [] });
    cluster.elect(n1);
    cluster.propose('a', 'b');
    cluster.run(5);
    cluster.step(n1, { kind: 'transferLeadership', target: n3 });
    cluster.run(2);
    expect(cluster.leader()).toBe(n3);
    cluster.propose('c');
    cluster.run(10);
    for (const id of [n1, n2, n3])
      expect(cluster.applied(id)).toEqual(['noop', 'a', 'b', 'noop', 'c']);
  });

  test('a target that does not answer costs an election timeout of writes and no leader', () => {
    const cluster = createCluster({ voters: [n1, n2, n3], learners: [] });
    cluster.elect(n1);
    cluster.run(5);
    const { term } = cluster.view(n1);
    cluster.filter = (_, { message }) => message.kind !== 'timeoutNow';
    cluster.step(n1, { kind: 'transferLeadership', target: n2 });
    cluster.run(31);
    expect(cluster.view(n1)).toMatchObject({ role: 'leader', term, transferTarget: undefined });
    cluster.propose('a');
    cluster.run(5);
    expect(cluster.applied(n2)).toContain('a');
  });
});
