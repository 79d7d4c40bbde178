// Who belongs to the cluster: configurations act where they are appended and go with their entries; learners count for
// nothing; each rule of a change is one reason to refuse it (dissertation chapter 4).
import { describe, expect, test } from 'vitest';
import { losePeer } from '../../src/raft/election.ts';
import {
  type LogEntry,
  type Membership,
  raftDefaults,
  type RejectReason,
} from '../../src/raft/index.ts';
import { appendToLog } from '../../src/raft/membership.ts';
import { createState } from '../../src/raft/state.ts';
import {
  acknowledge,
  appendEntries,
  at,
  becomeLeader,
  committedBy,
  entry,
  floorOf,
  heartbeat,
  inTerm,
  type LoneNode,
  membershipOf,
  n1,
  n2,
  n3,
  payloadOf,
  propose,
  sentTo,
  startNode,
  timeOut,
  type Work,
} from './lone-node.ts';
import { nodeId } from '../../src/lib/ids.ts';

const n4 = nodeId('n4');
const three: Membership = { voters: [n1, n2, n3], learners: [] };
const withLearner: Membership = { voters: [n1, n2, n3], learners: [n4] };
const four: Membership = { voters: [n1, n2, n3, n4], learners: [] };
const two: Membership = { voters: [n1, n2], learners: [] };

function members(index: number, term: number, membership: Membership): LogEntry {
  return { ...entry(index, term), kind: 'membership', payload: payloadOf(membership) };
}

function change(node: LoneNode, membership: Membership): void {
  node.step({ kind: 'proposeMembership', token: 77, payload: payloadOf(membership) });
}

/** What the proposal is refused with; undefined when it was appended. */
function refusal(node: LoneNode, membership: Membership): RejectReason | undefined {
  change(node, membership);
  return node.settle().readys.flatMap(({ rejected }) => rejected)[0]?.reason;
}

/** Leads in term 1 and has its no-op committed with n2; n2 is streamed to. */
function lead(node: LoneNode): Work {
  const work = becomeLeader(node);
  acknowledge(node, n2, work, node.raft.view().lastIndex);
  node.settle();
  return work;
}

describe('a configuration', () => {
  test('is in effect where it is appended, also on a follower', () => {
    const node = startNode();
    node.receive(n2, appendEntries(1, [0, 0], [members(1, 1, withLearner)]));
    expect(node.raft.view()).toMatchObject({
      membership: withLearner,
      configurationIndex: 1,
      commitIndex: 0,
    });
    expect(node.take().configuration?.index).toBe(1);
    expect(node.take().configuration).toBeUndefined();
  });

  test('goes with its entry when that is dropped', () => {
    const node = startNode();
    node.receive(n2, appendEntries(1, [0, 0], [entry(1, 1), members(2, 1, two)]));
    node.settle();
    expect(node.raft.view().membership).toEqual(two);
    node.receive(n3, appendEntries(2, [1, 1], [entry(2, 2)]));
    expect(node.raft.view()).toMatchObject({ membership: three, configurationIndex: 0 });
    expect(node.take().configuration?.index).toBe(0);
  });

  test('is found again after a restart, from the floor and the log', () => {
    const log = [entry(6, 1), members(7, 1, withLearner)];
    const node = startNode({ floor: [5, 1], log, commitIndex: 5 });
    expect(node.raft.view()).toMatchObject({ membership: withLearner, configurationIndex: 7 });
    expect(node.take().configuration?.index).toBe(7);
  });

  test('a node that has learnt of no cluster never campaigns, and takes in what a leader sends', () => {
    const node = startNode({ voters: [] });
    node.tick(500);
    expect(node.settle().sent).toEqual([]);
    node.receive(n2, appendEntries(3, [0, 0], [members(1, 3, withLearner)], 1));
    const [answer] = node.answers('appendEntriesResponse');
    expect(answer).toMatchObject({ success: true, matchIndex: 1, term: 3 });
    expect(node.raft.view().membership).toEqual(withLearner);
  });
});

describe('a learner', () => {
  const voters = [n2, n3];

  test('never campaigns, and forgets a leader that falls silent', () => {
    const node = startNode({ voters, learners: [n1] });
    node.receive(n2, heartbeat(1));
    node.settle();
    expect(node.raft.view().leader).toBe(n2);
    timeOut(node);
    expect(node.settle().sent).toEqual([]);
    expect(node.raft.view()).toMatchObject({ role: 'follower', leader: undefined, term: 1 });
  });

  test('counts neither for commitment nor for a round nor for check-quorum', () => {
    const node = startNode({ learners: [n4] });
    const work = becomeLeader(node);
    acknowledge(node, n4, work, 1);
    expect(node.raft.view().commitIndex).toBe(0);
    for (let ticks = 0; ticks < 30; ticks++) {
      acknowledge(node, n4, work, 1);
      node.tick();
      node.settle();
    }
    expect(node.raft.view().role).toBe('follower');
  });

  test('its vote counts for nothing', () => {
    const node = startNode({ learners: [n4] });
    timeOut(node);
    node.settle();
    node.receive(n4, { kind: 'preVoteResponse', term: inTerm(1), voteGranted: true });
    expect(node.raft.view().role).toBe('preCandidate');
  });

  test('confirms no read', () => {
    const node = startNode({ learners: [n4] });
    const work = lead(node);
    node.step({ kind: 'readIndex', token: 5 });
    const round = sentTo(node.settle(), n4, 'heartbeat').at(-1)?.round ?? 0;
    const session = sentTo(work, n4, 'appendEntries')[0]?.session ?? 0;
    expect(round).toBeGreaterThan(0);
    node.receive(n4, { kind: 'heartbeatResponse', term: inTerm(1), session, round });
    expect(node.settle().readys.flatMap(({ reads }) => reads)).toEqual([]);
  });

  test('receives the log and heartbeats, and may ask for a read index', () => {
    const node = startNode({ learners: [n4] });
    const work = lead(node);
    expect(sentTo(work, n4, 'appendEntries').at(-1)?.entries).toHaveLength(1);
    node.tick(5);
    expect(sentTo(node.settle(), n4, 'heartbeat')).toHaveLength(1);
    node.receive(n4, { kind: 'readIndexRequest', term: inTerm(1), context: 9 });
    const round = sentTo(node.settle(), n2, 'heartbeat').at(-1)?.round ?? 0;
    const session = sentTo(work, n2, 'appendEntries')[0]?.session ?? 0;
    node.receive(n2, { kind: 'heartbeatResponse', term: inTerm(1), session, round });
    expect(sentTo(node.settle(), n4, 'readIndexResponse')).toMatchObject([{ readIndex: 1 }]);
  });

  test('a leader alone among learners is its own majority', () => {
    const node = startNode({ voters: [n1], learners: [n4] });
    node.tick(60);
    const work = node.settle();
    expect(committedBy(work)).toEqual([1]);
    node.tick(500);
    expect(node.raft.view().role).toBe('leader');
  });
});

describe('a change', () => {
  test('takes effect at once at the leader, and its own commitment counts by it', () => {
    const node = startNode({ learners: [n4] });
    const work = lead(node);
    acknowledge(node, n4, work, 1);
    expect(refusal(node, four)).toBeUndefined();
    expect(node.raft.view()).toMatchObject({ membership: four, configurationIndex: 2 });
    acknowledge(node, n2, work, 2);
    expect(node.raft.view().commitIndex).toBe(1);
    acknowledge(node, n4, work, 2);
    expect(node.raft.view().commitIndex).toBe(2);
  });

  test('pitfall 4: is refused before the leader has committed in its own term', () => {
    const node = startNode();
    const work = becomeLeader(node);
    expect(refusal(node, withLearner)).toBe('termNotCommitted');
    acknowledge(node, n2, work, 1);
    expect(refusal(node, withLearner)).toBeUndefined();
  });

  test('pitfall 5: is refused while another one is not committed', () => {
    const node = startNode();
    const work = lead(node);
    expect(refusal(node, withLearner)).toBeUndefined();
    expect(refusal(node, three)).toBe('changePending');
    acknowledge(node, n2, work, 2);
    expect(refusal(node, three)).toBeUndefined();
  });

  test.for<readonly [string, Membership]>([
    ['of two learners', { voters: [n1, n2, n3], learners: [n4, nodeId('n5')] }],
    ['of a learner and another voter', { voters: [n1, n2], learners: [n4] }],
    ['that replaces a voter', { voters: [n1, n2, n4], learners: [] }],
    ['that removes two voters', { voters: [n1], learners: [] }],
    ['that leaves no voter', { voters: [], learners: [n1, n2, n3] }],
    ['that names a node twice', { voters: [n1, n2, n3], learners: [n3] }],
  ])('%s is refused as invalid', ([, membership]) => {
    const node = startNode();
    lead(node);
    expect(refusal(node, membership)).toBe('invalidChange');
  });

  test('that changes nobody is allowed: it may bind an address', () => {
    const node = startNode();
    lead(node);
    expect(refusal(node, three)).toBeUndefined();
    expect(node.raft.view().configurationIndex).toBe(2);
  });

  test('a voter may become a learner', () => {
    const node = startNode();
    lead(node);
    expect(refusal(node, { voters: [n1, n2], learners: [n3] })).toBeUndefined();
  });

  test('a node without the log does not become a voter', () => {
    const node = startNode({ learners: [n4], config: { maxPromotionLag: 2 } });
    const work = lead(node);
    expect(refusal(node, { voters: [n1, n2, n3, nodeId('n5')], learners: [n4] })).toBe(
      'notCaughtUp',
    );
    expect(refusal(node, four)).toBe('notCaughtUp');
    acknowledge(node, n4, work, 1);
    propose(node, 'a', 'b', 'c');
    expect(refusal(node, four)).toBe('notCaughtUp');
    acknowledge(node, n4, work, 2);
    expect(refusal(node, four)).toBeUndefined();
  });

  test('that leaves no majority of voters that were heard is refused', () => {
    const node = startNode();
    const work = lead(node);
    expect(refusal(node, { voters: [n1, n3], learners: [] })).toBe('wouldLoseQuorum');
    acknowledge(node, n3, work, 1);
    expect(refusal(node, { voters: [n1, n3], learners: [] })).toBeUndefined();
  });

  test('counts a voter as heard that answered in the check-quorum window before', () => {
    const node = startNode();
    const work = lead(node);
    acknowledge(node, n3, work, 1);
    node.tick(30);
    expect(node.raft.peers().find(({ peer }) => peer === n3)?.active).toBe(true);
    acknowledge(node, n2, work, 1);
    node.tick(30);
    expect(node.raft.peers().find(({ peer }) => peer === n3)?.active).toBe(false);
    expect(refusal(node, { voters: [n1, n3], learners: [] })).toBe('wouldLoseQuorum');
  });

  test('wherever this node does not lead, it is told so', () => {
    const node = startNode();
    expect(refusal(node, withLearner)).toBe('noLeader');
    node.receive(n2, heartbeat(1));
    expect(refusal(node, withLearner)).toBe('notLeader');
  });

  test('pitfall 6: a peer removed and added again is another one: answers to what it was told before are dropped', () => {
    const node = startNode({ learners: [n4] });
    const work = lead(node);
    acknowledge(node, n4, work, 1);
    const before = sentTo(work, n4, 'appendEntries')[0]?.session;
    expect(refusal(node, three)).toBeUndefined();
    acknowledge(node, n2, work, 2);
    node.settle();
    change(node, withLearner);
    const again = node.settle();
    const session = sentTo(again, n4, 'appendEntries')[0]?.session;
    expect(session).not.toBe(before);
    acknowledge(node, n4, work, 1);
    expect(node.raft.peers().find(({ peer }) => peer === n4)).toMatchObject({
      matchIndex: 0,
      flow: 'probe',
      learner: true,
    });
    acknowledge(node, n4, again, 3);
    expect(node.raft.peers().find(({ peer }) => peer === n4)?.matchIndex).toBe(3);
  });
});

describe('a voter that is removed', () => {
  test('is sent nothing more', () => {
    const node = startNode();
    lead(node);
    change(node, two);
    node.tick(5);
    expect(node.settle().sent.filter(({ to }) => to === n3)).toEqual([]);
    expect(node.raft.peers().map(({ peer }) => peer)).toEqual([n2]);
  });

  test('is forgotten as one whose process is gone: should it return, it is heard like any other', () => {
    const state = createState({
      config: { ...raftDefaults, id: n1, membershipOf, seed: 1 },
      hardState: { term: inTerm(1), votedFor: undefined, commitIndex: at(0) },
      floor: floorOf(three),
      configurations: [],
      runs: [],
      lastIndex: at(0),
      tail: [],
      appliedIndex: at(0),
    });
    losePeer(state, n3);
    expect([...state.gone]).toEqual([n3]);
    appendToLog(state, members(1, 1, two));
    expect([...state.gone]).toEqual([]);
    losePeer(state, n3);
    expect([...state.gone]).toEqual([]);
  });

  test('does not campaign once it knows that this is committed', () => {
    const node = startNode();
    const without = { voters: [n2, n3], learners: [] };
    node.receive(n2, appendEntries(1, [0, 0], [members(1, 1, without)], 1));
    node.settle();
    node.tick(200);
    expect(node.settle().sent).toEqual([]);
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 1 });
  });

  test('campaigns without a vote of its own while it may be the only one that knows (figure 4.6)', () => {
    const node = startNode({ voters: [n1, n2] });
    node.receive(n2, appendEntries(1, [0, 0], [members(1, 1, { voters: [n2], learners: [] })]));
    node.settle();
    timeOut(node);
    node.settle();
    expect(node.raft.view().role).toBe('preCandidate');
    node.receive(n2, { kind: 'preVoteResponse', term: inTerm(2), voteGranted: true });
    node.settle();
    expect(node.raft.view().role).toBe('candidate');
    node.receive(n2, { kind: 'requestVoteResponse', term: inTerm(2), voteGranted: true });
    expect(node.raft.view().role).toBe('leader');
  });
});

describe('a leader that is removed', () => {
  test('goes on without counting itself, then hands over to the voter that holds the most', () => {
    const node = startNode();
    const work = lead(node);
    acknowledge(node, n3, work, 1);
    change(node, { voters: [n2, n3], learners: [] });
    node.settle();
    acknowledge(node, n2, work, 2);
    expect(node.raft.view()).toMatchObject({ role: 'leader', commitIndex: 1 });
    acknowledge(node, n3, work, 2);
    expect(node.raft.view()).toMatchObject({ role: 'follower', commitIndex: 2, leader: undefined });
    const last = node.settle();
    expect(sentTo(last, n2, 'timeoutNow')).toHaveLength(1);
    expect(committedBy(last)).toEqual([2]);
    node.tick(200);
    expect(node.settle().sent).toEqual([]);
  });

  test('does not answer for itself in check-quorum', () => {
    const node = startNode({ voters: [n1, n2] });
    lead(node);
    change(node, { voters: [n2], learners: [] });
    node.tick(60);
    expect(node.raft.view().role).not.toBe('leader');
  });

  test('as the only voter it is refused', () => {
    const node = startNode({ voters: [n1] });
    node.tick(60);
    node.settle();
    expect(refusal(node, { voters: [], learners: [n1] })).toBe('invalidChange');
  });

  test('reads are confirmed by those that remain', () => {
    const node = startNode({ voters: [n1, n2] });
    const work = lead(node);
    change(node, { voters: [n2], learners: [] });
    node.step({ kind: 'readIndex', token: 5 });
    const round = sentTo(node.settle(), n2, 'heartbeat').at(-1)?.round ?? 0;
    const session = sentTo(work, n2, 'appendEntries')[0]?.session ?? 0;
    node.receive(n2, { kind: 'heartbeatResponse', term: inTerm(1), session, round });
    expect(node.settle().readys.flatMap(({ reads }) => reads)).toEqual([
      { token: 5, index: at(1) },
    ]);
  });
});
