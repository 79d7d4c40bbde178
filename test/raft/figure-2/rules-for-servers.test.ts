// Figure 2, box "Rules for Servers": one test per sentence.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../../src/lib/ids.ts';
import { present } from '../../../src/lib/assert.ts';
import {
  acknowledge,
  appendEntries,
  becomeCandidate,
  becomeLeader,
  committedBy,
  entries,
  grantPreVotes,
  heartbeat,
  n2,
  n3,
  propose,
  refuse,
  requestVote,
  sentTo,
  startNode,
  timeOut,
  vote,
  inTerm,
} from '../lone-node.ts';

const noMessage = { kind: 'heartbeatResponse', session: 1, round: 0 } as const;

describe('Figure 2, Rules: all servers', () => {
  test('line 1: what is committed is handed out in order, once', () => {
    const node = startNode({ log: entries(1, 1, 1) });
    node.receive(n2, appendEntries(1, [3, 1], [], 2));
    expect(committedBy(node.settle())).toEqual([1, 2]);
    node.receive(n2, appendEntries(1, [3, 1], [], 3));
    node.receive(n2, appendEntries(1, [3, 1], [], 3));
    expect(committedBy(node.settle())).toEqual([3]);
    expect(committedBy(node.settle())).toEqual([]);
  });

  test('line 1: a restarted node hands out what it knows to be committed and has not applied', () => {
    const node = startNode({ log: entries(1, 1, 1), commitIndex: 2, appliedIndex: 1 });
    expect(committedBy(node.settle())).toEqual([2]);
  });

  test.for(['follower', 'candidate', 'leader'] as const)(
    'line 2: a request or answer of a later term makes a %s follow in that term',
    (role) => {
      const node = startNode();
      if (role === 'candidate') becomeCandidate(node);
      if (role === 'leader') becomeLeader(node);
      expect(node.raft.view().role).toBe(role);
      node.receive(n3, { ...noMessage, term: inTerm(9) });
      expect(node.raft.view()).toMatchObject({ role: 'follower', term: 9 });
      expect(present(node.take().persist, 'a new term').hardState.term).toBe(9);
    },
  );
});

describe('Figure 2, Rules: followers', () => {
  test('line 1: they answer candidates and leaders', () => {
    const node = startNode();
    node.receive(n2, requestVote(1, [0, 0]));
    expect(node.settle().sent.map(({ to }) => to)).toEqual([n2]);
    node.receive(n3, appendEntries(2, [0, 0], []));
    expect(node.settle().sent.map(({ to }) => to)).toEqual([n3]);
  });

  test('line 2: without a sign of the leader they campaign after the election timeout, not before', () => {
    const node = startNode();
    node.tick(29);
    expect(node.raft.view().role).toBe('follower');
    node.tick(31);
    expect(node.raft.view().role).toBe('preCandidate');
  });

  test('line 2: each AppendEntries of the current leader starts the timeout anew', () => {
    const node = startNode();
    for (let times = 0; times < 10; times++) {
      node.receive(n2, appendEntries(1, [0, 0], []));
      node.tick(29);
      expect(node.raft.view()).toMatchObject({ role: 'follower', leader: n2 });
    }
  });

  test('line 2: an AppendEntries of an earlier leader does not', () => {
    const node = startNode({ term: 2 });
    for (let times = 0; times < 60; times++) {
      node.receive(n2, appendEntries(1, [0, 0], []));
      node.tick();
    }
    expect(node.raft.view().role).not.toBe('follower');
  });

  test('line 2: granting a vote starts the timeout anew, refusing one does not', () => {
    const granting = startNode({ log: entries(1) });
    granting.tick(29);
    granting.receive(n2, requestVote(2, [1, 1]));
    granting.tick(29);
    expect(granting.raft.view().role).toBe('follower');
    const refusing = startNode({ log: entries(1), term: 2 });
    for (let times = 0; times < 60; times++) {
      refusing.receive(n2, requestVote(2, [0, 0]));
      refusing.tick();
    }
    expect(refusing.raft.view().role).toBe('preCandidate');
  });
});

describe('Figure 2, Rules: candidates', () => {
  test('line 1: on conversion the term rises, it votes for itself and asks everyone', () => {
    const node = startNode({ term: 4 });
    timeOut(node);
    node.settle();
    grantPreVotes(node, n3);
    const ready = node.take();
    expect(present(ready.persist, 'the own vote').hardState).toMatchObject({
      term: 5,
      votedFor: 'n1',
    });
    expect(ready.sendAfterPersist.map(({ to }) => to)).toEqual([n2, n3]);
  });

  test('line 1: on conversion the timer starts anew', () => {
    const node = startNode();
    becomeCandidate(node);
    node.tick(29);
    expect(node.raft.view().role).toBe('candidate');
  });

  test('line 2: votes of a majority make it leader', () => {
    const five = ['n1', 'n2', 'n3', 'n4', 'n5'].map(nodeId);
    const node = startNode({ voters: five });
    timeOut(node);
    node.settle();
    grantPreVotes(node, n2, n3);
    node.settle();
    vote(node, n2);
    expect(node.raft.view().role).toBe('candidate');
    vote(node, n2);
    expect(node.raft.view().role).toBe('candidate');
    vote(node, n3);
    expect(node.raft.view().role).toBe('leader');
  });

  test('line 3: AppendEntries of a new leader makes it follow', () => {
    const node = startNode();
    becomeCandidate(node);
    node.receive(n3, appendEntries(1, [0, 0], []));
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 1, leader: n3 });
  });

  test('line 4: after another timeout it starts another election', () => {
    const node = startNode();
    becomeCandidate(node);
    timeOut(node);
    node.settle();
    grantPreVotes(node, n2);
    expect(node.raft.view()).toMatchObject({ role: 'candidate', term: 2 });
  });
});

describe('Figure 2, Rules: leaders', () => {
  test('line 1: upon election everyone hears of it at once, with the no-op of section 8', () => {
    const node = startNode();
    const work = becomeLeader(node);
    for (const peer of [n2, n3]) {
      expect(sentTo(work, peer, 'appendEntries')).toMatchObject([
        { term: 1, entries: [{ index: 1, kind: 'noop' }] },
      ]);
    }
  });

  test('line 1: in idle periods heartbeats go out within every election timeout', () => {
    const node = startNode();
    becomeLeader(node);
    for (let beat = 0; beat < 4; beat++) {
      node.tick(5);
      expect(node.settle().sent.map(({ to, message }) => [to, message.kind])).toEqual([
        [n2, 'heartbeat'],
        [n3, 'heartbeat'],
      ]);
    }
  });

  test('line 2: a command is appended, and handed out once committed', () => {
    const node = startNode();
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 1);
    node.settle();
    propose(node, 'a');
    const ready = node.take();
    expect(ready.appended).toEqual([{ token: 1, index: 2, term: 1 }]);
    expect(ready.committed).toEqual([]);
    const { sequence, term } = present(ready.persist, 'the entry');
    node.step({ kind: 'persisted', sequence, term });
    acknowledge(node, n2, work, 2);
    expect(committedBy(node.settle())).toEqual([2]);
  });

  test('line 3: a peer behind gets the entries from nextIndex on', () => {
    const node = startNode();
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 1);
    node.settle();
    propose(node, 'a', 'b');
    const [sent] = sentTo(node.settle(), n2, 'appendEntries');
    expect(sent).toMatchObject({ prevLogIndex: 1, entries: [{ index: 2 }, { index: 3 }] });
  });

  test('line 3, success: nextIndex and matchIndex move up', () => {
    const node = startNode({ log: entries(1, 1) });
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 3);
    expect(node.raft.view().commitIndex).toBe(3);
    node.settle();
    propose(node, 'a');
    expect(sentTo(node.settle(), n2, 'appendEntries')).toMatchObject([{ prevLogIndex: 3 }]);
  });

  test('line 3, failure: nextIndex moves down and the leader tries again', () => {
    const node = startNode({ log: entries(1, 1, 1, 2) });
    const work = becomeLeader(node);
    refuse(node, n2, work, 4, [3, 0]);
    expect(sentTo(node.settle(), n2, 'appendEntries')).toMatchObject([
      { prevLogIndex: 2, prevLogTerm: 1, entries: [{ index: 3 }, { index: 4 }, { index: 5 }] },
    ]);
  });

  test('line 4: what a majority holds of the own term is committed', () => {
    const node = startNode();
    const work = becomeLeader(node);
    propose(node, 'a', 'b');
    node.settle();
    acknowledge(node, n3, work, 2);
    expect(node.raft.view().commitIndex).toBe(2);
    acknowledge(node, n2, work, 3);
    expect(node.raft.view().commitIndex).toBe(3);
  });

  test('line 4: an entry of an earlier term is not committed by counting, only under one of the own term', () => {
    const node = startNode({ log: entries(1, 2), term: 2 });
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 2);
    acknowledge(node, n3, work, 2);
    expect(node.raft.view()).toMatchObject({ commitIndex: 0, committedInTerm: false });
    acknowledge(node, n2, work, 3);
    expect(node.raft.view()).toMatchObject({ commitIndex: 3, committedInTerm: true });
  });

  test('line 4: the own copy counts only once it is durable', () => {
    const node = startNode();
    const work = becomeLeader(node);
    propose(node, 'a');
    const { persist } = node.take();
    acknowledge(node, n2, work, 2);
    expect(node.raft.view().commitIndex).toBe(1);
    const { sequence, term } = present(persist, 'the entry');
    node.step({ kind: 'persisted', sequence, term });
    expect(node.raft.view().commitIndex).toBe(2);
  });

  test('line 4: two followers commit without the own copy', () => {
    const node = startNode();
    const work = becomeLeader(node);
    propose(node, 'a');
    node.take();
    acknowledge(node, n2, work, 2);
    acknowledge(node, n3, work, 2);
    expect(node.raft.view()).toMatchObject({ commitIndex: 2, persistedIndex: 1 });
  });

  test('a heartbeat of the same term from another leader stops the node', () => {
    const node = startNode();
    becomeLeader(node);
    expect(() => node.receive(n2, heartbeat(1))).toThrow(/at most one leader/);
  });
});
