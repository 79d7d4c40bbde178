// What a leader that was restarted and elected again may make of answers to its former life. Sessions and rounds are
// counted anew in each life, so an answer to the old one can carry the same numbers.
import { describe, expect, test } from 'vitest';
import {
  acknowledge,
  appendEntries,
  becomeLeader,
  entries,
  heartbeat,
  inTerm,
  n2,
  n3,
  requestVote,
  sentTo,
  startNode,
} from './lone-node.ts';

/** What a node in term 3 answers to what was sent in term 1. */
function answersToOldLeader(request: ReturnType<typeof heartbeat | typeof appendEntries>) {
  const node = startNode({ term: 3, log: entries(1) });
  node.receive(n2, request);
  return node.settle().sent.map(({ message }) => message);
}

describe('an answer to a leader of an earlier term', () => {
  test('carries the current term, so that the sender steps down', () => {
    expect(answersToOldLeader(heartbeat(1, 0, 1))).toMatchObject([
      { kind: 'heartbeatResponse', term: 3 },
    ]);
    expect(answersToOldLeader(appendEntries(1, [0, 0], []))).toMatchObject([
      { kind: 'appendEntriesResponse', term: 3, success: false },
    ]);
  });

  test('G2: confirms no read round of a leader that was restarted and leads again', () => {
    const leader = startNode({ term: 2, log: entries(1) });
    const work = becomeLeader(leader);
    acknowledge(leader, n2, work, 2);
    leader.settle();
    leader.step({ kind: 'readIndex', token: 1 });
    const asked = sentTo(leader.settle(), n2, 'heartbeat')[0];
    expect(asked).toMatchObject({ term: 3, round: 1 });
    // The same numbers as in this life, but sent in term 1.
    for (const answer of answersToOldLeader({
      ...heartbeat(1, 0, 1),
      session: asked?.session ?? 0,
    })) {
      leader.receive(n2, answer);
    }
    expect(leader.settle().readys.flatMap(({ reads }) => reads)).toEqual([]);
  });

  test('is not taken for an answer to a round that was never begun', () => {
    const leader = startNode({ term: 2, log: entries(1) });
    const session = sentTo(becomeLeader(leader), n3, 'appendEntries')[0]?.session ?? 0;
    for (const answer of answersToOldLeader({ ...heartbeat(1, 0, 1), session })) {
      expect(() => leader.receive(n3, answer)).not.toThrow();
    }
    expect(leader.raft.view().role).toBe('leader');
  });

  test('does not move the search for where the logs agree', () => {
    const leader = startNode({ term: 2, log: entries(1, 1, 1) });
    const sent = sentTo(becomeLeader(leader), n2, 'appendEntries')[0];
    for (const answer of answersToOldLeader({
      ...appendEntries(1, [3, 1], []),
      session: sent?.session ?? 0,
    })) {
      leader.receive(n2, answer);
    }
    expect(leader.answers('appendEntries')).toEqual([]);
  });
});

describe('a term that no cluster reaches', () => {
  const far = Number.MAX_SAFE_INTEGER;

  test('is not adopted, or no election could follow', () => {
    for (const message of [
      heartbeat(far, 0, 1),
      appendEntries(far, [0, 0], []),
      { ...requestVote(far, [9, far]), transfer: true },
      { kind: 'preVoteResponse', term: inTerm(far), voteGranted: false } as const,
    ]) {
      const node = startNode({ term: 3, log: entries(1) });
      node.receive(n2, message);
      expect(node.settle().sent, message.kind).toEqual([]);
      expect(node.raft.view(), message.kind).toMatchObject({ term: 3, leader: undefined });
      expect(() => becomeLeader(node)).not.toThrow();
    }
  });

  test('is one 2^40 ahead, not one before that', () => {
    const node = startNode({ term: 3, log: entries(1) });
    node.receive(n2, heartbeat(2 ** 40 + 4, 0, 1));
    expect(node.raft.view().term).toBe(3);
    node.receive(n2, heartbeat(2 ** 40 + 3, 0, 1));
    expect(node.raft.view().term).toBe(2 ** 40 + 3);
  });
});
