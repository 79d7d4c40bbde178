// What a learner's acknowledgements are worth: besides what membership.test.ts asks for, a vote only after that of its membership, and
// nothing in a later session, because until it knew that it is a member its data-dir may have begun anew.
import { expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import type { Membership } from '../../src/raft/index.ts';
import {
  acknowledge,
  becomeLeader,
  n1,
  n2,
  n3,
  payloadOf,
  propose,
  refuse,
  sentTo,
  startNode,
} from './lone-node.ts';

const n4 = nodeId('n4');
const withLearner: Membership = { voters: [n1, n2, n3], learners: [n4] };
const four: Membership = { voters: [n1, n2, n3, n4], learners: [] };

test('a learner becomes a voter once it holds the entry that made it one, however little it lacks (G14)', () => {
  const node = startNode();
  const change = (membership: Membership): void =>
    node.step({ kind: 'proposeMembership', token: 77, payload: payloadOf(membership) });
  acknowledge(node, n2, becomeLeader(node), 1);
  propose(node, 'a');
  change(withLearner);
  const work = node.settle();
  acknowledge(node, n2, work, 3);
  acknowledge(node, n4, work, 2);
  node.settle();
  change(four);
  expect(node.settle().readys.flatMap(({ rejected }) => rejected)).toEqual([
    { token: 77, reason: 'notCaughtUp' },
  ]);
  acknowledge(node, n4, work, 3);
  change(four);
  expect(node.settle().readys.flatMap(({ rejected }) => rejected)).toEqual([]);
  expect(node.raft.view().membership).toEqual(four);
});

test('a learner is asked again in each session, and believed when it holds less than it did (G14)', () => {
  const node = startNode();
  acknowledge(node, n2, becomeLeader(node), 1);
  propose(node, 'a', 'b');
  node.step({ kind: 'proposeMembership', token: 77, payload: payloadOf(withLearner) });
  const before = node.settle();
  acknowledge(node, n2, before, 4);
  acknowledge(node, n4, before, 3);
  node.settle();
  node.step({ kind: 'peerUnreachable', peer: n4 });
  const work = node.settle();
  expect(sentTo(work, n4, 'appendEntries')).toMatchObject([{ prevLogIndex: 3 }]);
  node.tick(10);
  // A commit index beyond its log would be an invariant broken there.
  const told = sentTo(node.settle(), n4, 'heartbeat').map(({ leaderCommit }) => leaderCommit);
  expect(told.length).toBeGreaterThan(0);
  expect(Math.max(...told)).toBe(0);
  refuse(node, n4, work, 3, [0, 0]);
  expect(sentTo(node.settle(), n4, 'appendEntries')).toMatchObject([{ prevLogIndex: 0 }]);
});

test('a voter is not: what it has acknowledged counts on', () => {
  const node = startNode();
  const work = becomeLeader(node);
  acknowledge(node, n2, work, 1);
  node.step({ kind: 'peerUnreachable', peer: n2 });
  node.tick(10);
  const told = sentTo(node.settle(), n2, 'heartbeat').map(({ leaderCommit }) => leaderCommit);
  expect(Math.max(...told)).toBe(1);
});
