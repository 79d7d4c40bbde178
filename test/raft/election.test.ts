// Elections beyond Figure 2: pre-vote, stickiness, a leader whose process is gone, and time that nobody lived through.
import { describe, expect, test } from 'vitest';
import { type NodeId, nodeId } from '../../src/lib/ids.ts';
import type { PreVote } from '../../src/raft/index.ts';
import {
  appendEntries,
  becomeCandidate,
  becomeLeader,
  entries,
  grantPreVotes,
  heartbeat,
  inTerm,
  type LoneNode,
  n1,
  n2,
  n3,
  requestVote,
  sentTo,
  startNode,
  timeOut,
  vote,
} from './lone-node.ts';

function preVote(atTerm: number, last: readonly [number, number]): PreVote {
  return { ...requestVote(atTerm, last), kind: 'preVote' };
}

function answerTo(node: LoneNode, from: NodeId, question: PreVote): object | undefined {
  node.receive(from, question);
  return node.answers('preVoteResponse').at(-1);
}

/** How many ticks pass until the node asks for pre-votes; at most 100. */
function ticksUntilAsking(node: LoneNode, peer = n3): number {
  for (let ticks = 1; ticks <= 100; ticks++) {
    node.tick();
    if (sentTo(node.settle(), peer, 'preVote').length > 0) return ticks;
  }
  return Number.POSITIVE_INFINITY;
}

describe('pre-vote', () => {
  test('a yes echoes the term asked about, a no carries the own term', () => {
    const node = startNode({ log: entries(1, 2), term: 4 });
    expect(answerTo(node, n2, preVote(6, [2, 2]))).toMatchObject({ term: 6, voteGranted: true });
    expect(answerTo(node, n2, preVote(6, [9, 1]))).toMatchObject({ term: 4, voteGranted: false });
  });

  test('pitfall 10: asked about a term that is not ahead, it refuses, and the asker catches up', () => {
    const behind = startNode({ term: 1 });
    timeOut(behind);
    behind.settle();
    const ahead = startNode({ term: 6 });
    expect(answerTo(ahead, n2, preVote(2, [0, 0]))).toMatchObject({ term: 6, voteGranted: false });
    expect(answerTo(ahead, n2, preVote(6, [0, 0]))).toMatchObject({ term: 6, voteGranted: false });
    behind.receive(n2, { kind: 'preVoteResponse', term: inTerm(6), voteGranted: false });
    expect(behind.raft.view()).toMatchObject({ role: 'follower', term: 6 });
    timeOut(behind);
    expect(sentTo(behind.settle(), n3, 'preVote')).toMatchObject([{ term: 7 }]);
  });

  test('a stale yes for another term counts for nothing', () => {
    const node = startNode({ term: 3 });
    timeOut(node);
    node.receive(n2, { kind: 'preVoteResponse', term: inTerm(3), voteGranted: true });
    node.receive(n2, { kind: 'preVoteResponse', term: inTerm(9), voteGranted: true });
    expect(node.raft.view()).toMatchObject({ role: 'preCandidate', term: 3 });
    node.receive(n2, { kind: 'preVoteResponse', term: inTerm(4), voteGranted: true });
    expect(node.raft.view()).toMatchObject({ role: 'candidate', term: 4 });
  });

  test('pitfall 10: granting one does not delay the own campaign', () => {
    const node = startNode();
    for (let ticks = 0; ticks < 60; ticks++) {
      node.receive(n2, preVote(1, [0, 0]));
      node.tick();
    }
    expect(node.raft.view().role).toBe('preCandidate');
  });

  test('a leader refuses, and so does a follower that hears one', () => {
    const leader = startNode();
    becomeLeader(leader);
    expect(answerTo(leader, n2, preVote(2, [9, 9]))).toMatchObject({ voteGranted: false });
    const follower = startNode();
    follower.receive(n3, heartbeat(1));
    expect(answerTo(follower, n2, preVote(2, [9, 9]))).toMatchObject({ voteGranted: false });
    follower.tick(29);
    expect(answerTo(follower, n2, preVote(2, [9, 9]))).toMatchObject({ voteGranted: false });
    follower.tick(1);
    expect(answerTo(follower, n2, preVote(2, [9, 9]))).toMatchObject({ voteGranted: true });
  });

  test('alone in its cluster a node campaigns with its first tick and leads once its vote is durable', () => {
    const node = startNode({ voters: [nodeId('n1')] });
    node.tick();
    expect(node.raft.view().role).toBe('candidate');
    node.settle();
    expect(node.raft.view()).toMatchObject({ role: 'leader', term: 1, commitIndex: 1 });
  });
});

describe('stickiness', () => {
  test('it is renewed by each sign of the leader', () => {
    const node = startNode();
    for (const sign of [heartbeat(1), appendEntries(1, [0, 0], []), heartbeat(1)]) {
      node.receive(n3, sign);
      node.tick(20);
      expect(answerTo(node, n2, preVote(2, [9, 9]))).toMatchObject({ voteGranted: false });
    }
  });

  test('a broken stream to the leader does not end it', () => {
    const node = startNode();
    node.receive(n3, heartbeat(1));
    node.step({ kind: 'peerUnreachable', peer: n3 });
    expect(answerTo(node, n2, preVote(2, [9, 9]))).toMatchObject({ voteGranted: false });
    expect(ticksUntilAsking(node)).toBeGreaterThanOrEqual(30);
  });

  test('the end of the leader’s process ends it at once, and a campaign follows within five ticks', () => {
    const node = startNode();
    node.receive(n3, heartbeat(1));
    node.step({ kind: 'peerDisconnected', peer: n3 });
    expect(node.raft.view()).toMatchObject({ role: 'follower', leader: undefined });
    expect(answerTo(node, n2, preVote(2, [9, 9]))).toMatchObject({ voteGranted: true });
    expect(ticksUntilAsking(node)).toBeLessThanOrEqual(5);
  });

  test('the survivors take turns: one asks at once, the other leaves it time, whatever they draw', () => {
    for (let inTheTerm = 1; inTheTerm <= 4; inTheTerm++) {
      for (let seed = 1; seed <= 20; seed++) {
        const waits = ([n1, n3] as const).map((id, at) => {
          const node = startNode({ config: { id, seed: seed + 100 * at } });
          node.receive(n2, heartbeat(inTheTerm));
          node.step({ kind: 'peerDisconnected', peer: n2 });
          return ticksUntilAsking(node, id === n1 ? n3 : n1);
        });
        const first = inTheTerm % 2;
        expect(waits[first]).toBeLessThanOrEqual(2);
        expect(waits[1 - first]).toBeGreaterThanOrEqual(3);
        expect(waits[1 - first]).toBeLessThanOrEqual(4);
      }
    }
  });

  test('the end of another process does not', () => {
    const node = startNode();
    node.receive(n3, heartbeat(1));
    node.step({ kind: 'peerDisconnected', peer: n2 });
    expect(node.raft.view().leader).toBe(n3);
    expect(ticksUntilAsking(node)).toBeGreaterThanOrEqual(30);
  });

  test('refused, it asks again every few ticks, and after an election timeout of that it calms down', () => {
    const node = startNode();
    node.receive(n2, heartbeat(1));
    node.step({ kind: 'peerDisconnected', peer: n2 });
    const waits: number[] = [];
    while (waits.reduce((sum, wait) => sum + wait, 0) < 30) {
      waits.push(ticksUntilAsking(node));
      node.receive(n3, { kind: 'preVoteResponse', term: inTerm(1), voteGranted: false });
    }
    expect(Math.max(...waits.slice(0, -1))).toBeLessThanOrEqual(5);
    expect(new Set(waits).size).toBeGreaterThan(1);
    ticksUntilAsking(node);
    expect(ticksUntilAsking(node)).toBeGreaterThanOrEqual(30);
  });

  test('a leader that is heard after all is followed again, with a full timeout', () => {
    const node = startNode();
    node.receive(n2, heartbeat(1));
    node.step({ kind: 'peerDisconnected', peer: n2 });
    node.receive(n2, heartbeat(1));
    expect(node.raft.view().leader).toBe(n2);
    expect(ticksUntilAsking(node)).toBeGreaterThanOrEqual(30);
  });

  test('a refusal with a higher term keeps the hurry', () => {
    const node = startNode();
    node.receive(n2, heartbeat(1));
    node.step({ kind: 'peerDisconnected', peer: n2 });
    ticksUntilAsking(node);
    node.receive(n3, { kind: 'preVoteResponse', term: inTerm(4), voteGranted: false });
    expect(node.raft.view().term).toBe(4);
    expect(ticksUntilAsking(node)).toBeLessThanOrEqual(5);
  });

  test('a hurried candidate whose votes were split asks again soon, others wait their timeout', () => {
    const hurried = startNode();
    hurried.receive(n2, heartbeat(1));
    hurried.step({ kind: 'peerDisconnected', peer: n2 });
    ticksUntilAsking(hurried);
    grantPreVotes(hurried, n3);
    hurried.settle();
    vote(hurried, n3, false);
    expect(hurried.raft.view()).toMatchObject({ role: 'follower', term: 2 });
    expect(ticksUntilAsking(hurried)).toBeLessThanOrEqual(5);
    const patient = startNode();
    becomeCandidate(patient);
    patient.step({ kind: 'peerDisconnected', peer: n2 });
    vote(patient, n3, false);
    expect(patient.raft.view().role).toBe('candidate');
  });

  test('voting for another ends the hurry', () => {
    const node = startNode();
    node.receive(n2, heartbeat(1));
    node.step({ kind: 'peerDisconnected', peer: n2 });
    node.receive(n3, requestVote(2, [0, 0]));
    expect(ticksUntilAsking(node)).toBeGreaterThanOrEqual(30);
  });
});

describe('a clock gap', () => {
  test('a follower does not campaign on it, and no longer sticks to what it heard before', () => {
    const node = startNode();
    node.receive(n3, appendEntries(1, [0, 0], []));
    node.tick(29);
    node.step({ kind: 'clockGap', ticks: 100 });
    expect(answerTo(node, n2, preVote(2, [0, 0]))).toMatchObject({ voteGranted: true });
    expect(ticksUntilAsking(node)).toBeGreaterThanOrEqual(30);
  });

  test('a short one neither ends stickiness nor prolongs it', () => {
    const node = startNode();
    node.receive(n3, heartbeat(1));
    node.tick(10);
    node.step({ kind: 'clockGap', ticks: 10 });
    expect(answerTo(node, n2, preVote(2, [0, 0]))).toMatchObject({ voteGranted: false });
    node.tick(10);
    expect(answerTo(node, n2, preVote(2, [0, 0]))).toMatchObject({ voteGranted: true });
  });

  test('short ones without end do not put off an election without end', () => {
    const node = startNode();
    let lived = 0;
    while (node.raft.view().role === 'follower' && lived < 100) {
      node.step({ kind: 'clockGap', ticks: 6 });
      node.tick(1);
      lived += 1;
    }
    expect(lived).toBeGreaterThanOrEqual(30);
    expect(lived).toBeLessThan(60);
  });
});

const waitOf = (seed: number): number => ticksUntilAsking(startNode({ config: { seed } }));

describe('randomness', () => {
  test('the same seed and inputs give the same outputs, another seed another timeout', () => {
    expect(waitOf(5)).toBe(waitOf(5));
    expect(new Set([1, 2, 3, 4, 5, 6, 7, 8].map(waitOf)).size).toBeGreaterThan(3);
  });
});
