// Figure 2, box "State": one test per sentence.
import { describe, expect, test } from 'vitest';
import { present } from '../../../src/lib/assert.ts';
import {
  acknowledge,
  appendEntries,
  becomeCandidate,
  becomeLeader,
  committedBy,
  entries,
  entry,
  heartbeat,
  n1,
  n2,
  n3,
  propose,
  requestVote,
  sentTo,
  startNode,
  textOf,
  vote,
  at,
  inTerm,
} from '../lone-node.ts';

describe('Figure 2, State: persistent on all servers', () => {
  test('currentTerm, line 1: a first boot is in term 0', () => {
    expect(startNode().raft.view().term).toBe(0);
  });

  test('currentTerm, line 1: it is the latest term seen, and it only rises', () => {
    const node = startNode();
    node.receive(n2, heartbeat(4));
    expect(node.raft.view().term).toBe(4);
    node.receive(n3, heartbeat(3));
    expect(node.raft.view().term).toBe(4);
    node.receive(n3, requestVote(2, [9, 2]));
    expect(node.raft.view().term).toBe(4);
  });

  test('votedFor, line 2: it names who got the vote in the current term, and nobody at first', () => {
    const node = startNode();
    node.receive(n2, heartbeat(1));
    expect(present(node.take().persist, 'a new term').hardState.votedFor).toBeUndefined();
    const other = startNode();
    other.receive(n3, requestVote(1, [0, 0]));
    expect(present(other.take().persist, 'a vote').hardState).toMatchObject({
      term: 1,
      votedFor: n3,
    });
  });

  test('votedFor, line 2: a later term starts without a vote', () => {
    const node = startNode({ term: 3, votedFor: n2 });
    node.receive(n3, heartbeat(4));
    expect(present(node.take().persist, 'a new term').hardState.votedFor).toBeUndefined();
  });

  test('log[], line 3: an entry holds the command and the term its leader received it in, from index 1', () => {
    const node = startNode();
    const work = becomeLeader(node);
    propose(node, 'a', 'b');
    acknowledge(node, n2, work, 1);
    node.settle();
    expect(node.written().map((one) => [one.index, one.term, textOf(one)])).toEqual([
      [1, 1, 'noop'],
      [2, 1, 'a'],
      [3, 1, 'b'],
    ]);
  });

  test('caption: stable storage is updated before a vote is answered', () => {
    const node = startNode();
    node.receive(n2, requestVote(1, [0, 0]));
    const ready = node.take();
    expect(ready.sendNow).toEqual([]);
    expect(present(ready.persist, 'a vote').hardState.votedFor).toBe(n2);
    expect(ready.sendAfterPersist).toMatchObject([
      { to: n2, message: { kind: 'requestVoteResponse', voteGranted: true } },
    ]);
  });

  test('caption: stable storage is updated before entries are acknowledged', () => {
    const node = startNode();
    node.receive(n2, appendEntries(1, [0, 0], [entry(1, 1)]));
    const ready = node.take();
    expect(ready.sendNow).toEqual([]);
    expect(present(ready.persist, 'an entry').entries).toHaveLength(1);
    expect(ready.sendAfterPersist).toMatchObject([
      { to: n2, message: { kind: 'appendEntriesResponse', success: true, matchIndex: 1 } },
    ]);
  });

  test('caption: a candidate asks for votes only once its own is durable, and counts it only then', () => {
    const node = startNode();
    while (node.raft.view().role === 'follower') node.tick();
    node.take();
    node.receive(n2, { kind: 'preVoteResponse', term: inTerm(1), voteGranted: true });
    const ready = node.take();
    const { sequence, term, hardState } = present(ready.persist, 'the own vote');
    expect(hardState).toMatchObject({ term: 1, votedFor: n1 });
    expect(ready.sendNow).toEqual([]);
    expect(ready.sendAfterPersist.map(({ message }) => message.kind)).toEqual([
      'requestVote',
      'requestVote',
    ]);
    vote(node, n2);
    expect(node.raft.view().role).toBe('candidate');
    node.step({ kind: 'persisted', sequence, term });
    expect(node.raft.view().role).toBe('leader');
  });
});

describe('Figure 2, State: volatile on all servers', () => {
  test('commitIndex, line 1: it starts at what is known to be committed and only rises', () => {
    const node = startNode({ log: entries(1, 1, 1) });
    expect(node.raft.view().commitIndex).toBe(0);
    node.receive(n2, appendEntries(1, [3, 1], [], 3));
    expect(node.raft.view().commitIndex).toBe(3);
    node.receive(n2, appendEntries(1, [3, 1], [], 1));
    expect(node.raft.view().commitIndex).toBe(3);
  });

  test('lastApplied, line 2: it follows what the host applied, and the host may not go back or ahead', () => {
    const node = startNode({ log: entries(1, 1, 1) });
    node.receive(n2, appendEntries(1, [3, 1], [], 2));
    expect(committedBy({ readys: [node.take()], sent: [] })).toEqual([1, 2]);
    node.step({ kind: 'applied', index: at(2) });
    expect(node.raft.view().appliedIndex).toBe(2);
    expect(() => node.step({ kind: 'applied', index: at(1) })).toThrow(/never falls/);
    const other = startNode({ log: entries(1, 1, 1) });
    expect(() => other.step({ kind: 'applied', index: at(1) })).toThrow(/was given/);
  });
});

describe('Figure 2, State: volatile on leaders', () => {
  test('nextIndex[], line 1: it starts just after the last entry of the leader', () => {
    const node = startNode({ log: entries(1, 1, 2) });
    const work = becomeLeader(node);
    for (const peer of [n2, n3]) {
      const first = present(sentTo(work, peer, 'appendEntries')[0], 'a first AppendEntries');
      expect(first).toMatchObject({ prevLogIndex: 3, prevLogTerm: 2 });
    }
  });

  test('matchIndex[], line 2: it starts at 0, so nothing of an earlier term counts as held', () => {
    const node = startNode({ log: entries(1, 1) });
    const work = becomeLeader(node);
    node.tick(5);
    const told = sentTo(node.settle(), n2, 'heartbeat');
    expect(told).toMatchObject([{ leaderCommit: 0 }]);
    expect(node.raft.view().commitIndex).toBe(0);
    acknowledge(node, n2, work, 3);
    expect(node.raft.view().commitIndex).toBe(3);
  });

  test('matchIndex[], line 2: a heartbeat never names a commit index beyond what its receiver holds', () => {
    const node = startNode();
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 1);
    node.settle();
    node.tick(5);
    const beat = node.settle();
    expect(sentTo(beat, n2, 'heartbeat')).toMatchObject([{ leaderCommit: 1 }]);
    expect(sentTo(beat, n3, 'heartbeat')).toMatchObject([{ leaderCommit: 0 }]);
  });

  test('matchIndex[], line 2: it only rises, also when an older acknowledgement arrives late', () => {
    const node = startNode();
    const work = becomeLeader(node);
    propose(node, 'a', 'b');
    node.settle();
    acknowledge(node, n2, work, 3);
    node.settle();
    acknowledge(node, n2, work, 1);
    node.tick(5);
    expect(sentTo(node.settle(), n2, 'heartbeat')).toMatchObject([{ leaderCommit: 3 }]);
  });

  test('caption: both are set anew after each election', () => {
    const node = startNode();
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 1);
    node.settle();
    node.receive(n2, heartbeat(2));
    node.settle();
    becomeCandidate(node);
    vote(node, n3);
    const again = node.settle();
    expect(node.raft.view()).toMatchObject({ role: 'leader', term: 3, commitIndex: 1 });
    expect(sentTo(again, n2, 'appendEntries')).toMatchObject([{ prevLogIndex: 1 }]);
    expect(sentTo(again, n2, 'appendEntries')[0]?.session).not.toBe(
      sentTo(work, n2, 'appendEntries')[0]?.session,
    );
  });
});
