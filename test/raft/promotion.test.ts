// Who is given a vote: besides what membership.test.ts asks for, only one who has acknowledged that it is a member.
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
