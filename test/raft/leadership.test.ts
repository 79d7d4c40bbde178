// What makes a leader stay or go: check-quorum, a clock gap, a disk that stopped, and who may say so.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import {
  becomeCandidate,
  becomeLeader,
  inTerm,
  type LoneNode,
  n1,
  n2,
  n3,
  propose,
  requestVote,
  sentTo,
  startNode,
  vote,
  type Work,
} from './lone-node.ts';

function answerHeartbeat(node: LoneNode, work: Work, session?: number): void {
  const [sent] = sentTo(work, n2, 'appendEntries');
  node.receive(n2, {
    kind: 'heartbeatResponse',
    term: node.raft.view().term,
    session: session ?? sent?.session ?? 0,
    round: 0,
  });
}

describe('check-quorum', () => {
  test('a leader that no majority answers steps down after an election timeout', () => {
    const node = startNode();
    becomeLeader(node);
    node.tick(29);
    expect(node.raft.view().role).toBe('leader');
    node.tick(1);
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 1, leader: undefined });
    expect(node.settle().readys.flatMap((ready) => ready.events)).toContainEqual({
      kind: 'steppedDown',
      term: 1,
      reason: 'no majority answered within an election timeout',
    });
  });

  test('one answer in each window is enough for one of three', () => {
    const node = startNode();
    const work = becomeLeader(node);
    for (let window = 0; window < 5; window++) {
      node.tick(29);
      answerHeartbeat(node, work);
      node.tick(1);
    }
    expect(node.raft.view().role).toBe('leader');
    node.tick(30);
    expect(node.raft.view().role).toBe('follower');
  });

  test('an answer of another session does not count', () => {
    const node = startNode();
    const work = becomeLeader(node);
    answerHeartbeat(node, work, 99);
    node.tick(30);
    expect(node.raft.view().role).toBe('follower');
  });

  test('a leader alone in its cluster has its majority', () => {
    const node = startNode({ voters: [n1] });
    node.tick(60);
    node.settle();
    node.tick(500);
    expect(node.raft.view().role).toBe('leader');
  });
});

describe('a clock gap of a leader', () => {
  test('answers from before it do not keep it in office', () => {
    const node = startNode();
    const work = becomeLeader(node);
    answerHeartbeat(node, work);
    node.step({ kind: 'clockGap', ticks: 50 });
    node.tick(29);
    expect(node.raft.view().role).toBe('leader');
    node.tick(1);
    expect(node.raft.view().role).toBe('follower');
  });

  test('it asks at once, and until a majority answers it yields to a candidate', () => {
    const node = startNode();
    const work = becomeLeader(node);
    node.receive(n3, requestVote(2, [9, 1]));
    expect(node.raft.view()).toMatchObject({ role: 'leader', term: 1 });
    node.step({ kind: 'clockGap', ticks: 50 });
    node.tick(1);
    expect(sentTo(node.settle(), n2, 'heartbeat')).toHaveLength(1);
    answerHeartbeat(node, work);
    node.receive(n3, requestVote(2, [9, 1]));
    expect(node.raft.view()).toMatchObject({ role: 'leader', term: 1 });
    node.step({ kind: 'clockGap', ticks: 50 });
    node.receive(n3, requestVote(2, [9, 1]));
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 2 });
  });
});

describe('a leader whose disk has stopped', () => {
  test('it steps down after a second without a finished write, though its heartbeats are answered', () => {
    const node = startNode();
    const work = becomeLeader(node);
    propose(node, 'a');
    node.take();
    for (let ticks = 1; ticks < 100; ticks++) {
      node.tick();
      answerHeartbeat(node, work);
      node.take();
    }
    expect(node.raft.view().role).toBe('leader');
    node.tick();
    expect(node.raft.view().role).toBe('follower');
  });

  test('a slow one that still completes batches deposes nobody', () => {
    const node = startNode();
    const work = becomeLeader(node);
    for (let write = 0; write < 5; write++) {
      propose(node, 'a');
      const { persist } = node.take();
      for (let ticks = 0; ticks < 99; ticks++) {
        node.tick();
        answerHeartbeat(node, work);
      }
      node.step({
        kind: 'persisted',
        sequence: persist?.sequence ?? 0,
        term: persist?.term ?? inTerm(0),
      });
    }
    expect(node.raft.view().role).toBe('leader');
  });
});

describe('strangers', () => {
  const n9 = nodeId('n9');

  test('answers of a node that is no member keep no leader in office', () => {
    const node = startNode();
    becomeLeader(node);
    for (let ticks = 0; ticks < 30; ticks++) {
      node.receive(n9, { kind: 'heartbeatResponse', term: inTerm(1), session: 1, round: 0 });
      node.tick();
    }
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 1 });
  });

  test('a vote of a node that is no member elects nobody', () => {
    const node = startNode();
    becomeCandidate(node);
    vote(node, n9);
    expect(node.raft.view().role).toBe('candidate');
  });

  test('a leader that is heard is not disturbed by a candidate that is no member', () => {
    const node = startNode();
    becomeLeader(node);
    node.receive(n9, requestVote(7, [9, 9]));
    expect(node.settle().sent).toEqual([]);
    expect(node.raft.view()).toMatchObject({ role: 'leader', term: 1 });
  });
});
