// Figure 2, box "RequestVote RPC": one test per sentence.
import { describe, expect, test } from 'vitest';
import {
  becomeCandidate,
  entries,
  heartbeat,
  n1,
  n2,
  n3,
  requestVote,
  sentTo,
  startNode,
  timeOut,
  inTerm,
} from '../lone-node.ts';

describe('Figure 2, RequestVote RPC: arguments and results', () => {
  test('term, candidateId, lastLogIndex and lastLogTerm: the request describes the candidate', () => {
    const node = startNode({ log: entries(1, 2, 2) });
    const work = becomeCandidate(node);
    for (const peer of [n2, n3]) {
      expect(sentTo(work, peer, 'requestVote')).toEqual([requestVote(3, [3, 2])]);
    }
  });

  test('result term: the candidate updates itself and gives up', () => {
    const node = startNode();
    becomeCandidate(node);
    node.receive(n2, { kind: 'requestVoteResponse', term: inTerm(8), voteGranted: false });
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 8 });
  });

  test('result voteGranted: only true counts as a vote', () => {
    const node = startNode();
    becomeCandidate(node);
    node.receive(n2, { kind: 'requestVoteResponse', term: inTerm(1), voteGranted: false });
    expect(node.raft.view().role).toBe('candidate');
    node.receive(n3, { kind: 'requestVoteResponse', term: inTerm(1), voteGranted: true });
    expect(node.raft.view().role).toBe('leader');
  });
});

describe('Figure 2, RequestVote RPC: receiver', () => {
  test('rule 1: an earlier term is refused with the current one', () => {
    const node = startNode({ term: 3 });
    node.receive(n2, requestVote(2, [9, 2]));
    expect(node.answers('requestVoteResponse')).toMatchObject([{ term: 3, voteGranted: false }]);
  });

  test('rule 2: whoever has not voted votes for a candidate whose log is as long', () => {
    const node = startNode({ log: entries(1, 1) });
    node.receive(n2, requestVote(2, [2, 1]));
    expect(node.answers('requestVoteResponse')).toMatchObject([{ term: 2, voteGranted: true }]);
  });

  test('rule 2: a second candidate of the term gets nothing', () => {
    const node = startNode();
    node.receive(n2, requestVote(1, [0, 0]));
    node.receive(n3, requestVote(1, [5, 1]));
    const { sent } = node.settle();
    expect(sent.filter(({ to }) => to === n3)).toMatchObject([{ message: { voteGranted: false } }]);
    expect(sent.filter(({ to }) => to === n2)).toMatchObject([{ message: { voteGranted: true } }]);
  });

  test('rule 2: the same candidate is answered the same when it asks again', () => {
    const node = startNode();
    node.receive(n2, requestVote(1, [0, 0]));
    node.settle();
    node.receive(n2, requestVote(1, [0, 0]));
    expect(node.take()).toMatchObject({
      persist: undefined,
      sendAfterPersist: [{ to: n2, message: { voteGranted: true } }],
    });
  });

  test('rule 2: the vote outlives a restart', () => {
    const node = startNode({ term: 1, votedFor: n2 });
    node.receive(n3, requestVote(1, [0, 0]));
    expect(node.answers('requestVoteResponse')).toMatchObject([{ voteGranted: false }]);
  });

  test('rule 2: a candidate has voted for itself', () => {
    const node = startNode();
    becomeCandidate(node);
    node.receive(n2, requestVote(1, [5, 1]));
    expect(node.answers('requestVoteResponse')).toMatchObject([{ term: 1, voteGranted: false }]);
    expect(node.raft.view().role).toBe('candidate');
  });

  test.for([
    { candidate: 'an earlier last term, though longer', last: [9, 1], voteGranted: false },
    { candidate: 'the same last term, but shorter', last: [2, 2], voteGranted: false },
    { candidate: 'the same last entry', last: [3, 2], voteGranted: true },
    { candidate: 'the same last term, and longer', last: [4, 2], voteGranted: true },
    { candidate: 'a later last term, though shorter', last: [1, 3], voteGranted: true },
  ] as const)('rule 2, up to date (5.4.1): $candidate: $voteGranted', ({ last, voteGranted }) => {
    const node = startNode({ log: entries(1, 1, 2), term: 3 });
    node.receive(n2, requestVote(4, last));
    expect(node.answers('requestVoteResponse')).toMatchObject([{ term: 4, voteGranted }]);
  });

  test('section 4.2.3 of the dissertation: who hears a live leader ignores the request, term and all', () => {
    const node = startNode();
    node.receive(n3, heartbeat(1));
    node.settle();
    node.receive(n2, requestVote(2, [9, 1]));
    expect(node.settle().sent).toEqual([]);
    expect(node.raft.view()).toMatchObject({ term: 1, leader: n3 });
    node.tick(30);
    node.receive(n2, requestVote(2, [9, 1]));
    expect(node.raft.view()).toMatchObject({ term: 2, leader: undefined });
  });

  test('section 9.6 of the dissertation: before a campaign nobody is asked to change anything', () => {
    const node = startNode();
    timeOut(node);
    const { sent, readys } = node.settle();
    expect(sent.map(({ message }) => message.kind)).toEqual(['preVote', 'preVote']);
    expect(readys.some((ready) => ready.persist)).toBe(false);
    expect(node.raft.view()).toMatchObject({ role: 'preCandidate', term: 0 });
    const asked = startNode({ votedFor: n1, term: 1 });
    asked.receive(n2, { ...requestVote(2, [0, 0]), kind: 'preVote' });
    const ready = asked.take();
    expect(ready.persist).toBeUndefined();
    expect(ready.sendNow).toMatchObject([
      { message: { kind: 'preVoteResponse', term: 2, voteGranted: true } },
    ]);
    expect(asked.raft.view().term).toBe(1);
  });
});
