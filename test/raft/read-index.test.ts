// ReadIndex on leaders and followers: one round for all reads of a Ready, nothing reused, nothing answered on a guess.
import { describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { logIndex, type NodeId, nodeId } from '../../src/lib/ids.ts';
import {
  acknowledge,
  becomeLeader,
  heartbeat,
  inTerm,
  type LoneNode,
  type LoneStart,
  n1,
  n2,
  n3,
  sentTo,
  startNode,
  type Work,
} from './lone-node.ts';

function leading(start: LoneStart = {}): LoneNode {
  const node = startNode(start);
  const work = becomeLeader(node);
  acknowledge(node, n2, work, 1);
  node.settle();
  return node;
}

function following(start: LoneStart = {}): LoneNode {
  const node = startNode(start);
  node.receive(n2, heartbeat(1));
  node.settle();
  return node;
}

function read(node: LoneNode, ...tokens: number[]): void {
  for (const token of tokens) node.step({ kind: 'readIndex', token });
}

function confirm(node: LoneNode, from: NodeId, work: Work, round?: number): void {
  const sent = present(sentTo(work, from, 'heartbeat').at(-1), 'a heartbeat');
  node.receive(from, {
    kind: 'heartbeatResponse',
    term: node.raft.view().term,
    session: sent.session,
    round: round ?? sent.round,
  });
}

function readsOf(work: Work): { token: number; index: number }[] {
  return work.readys.flatMap((ready) => [...ready.reads]);
}

describe('reads at the leader', () => {
  test('all reads since the last Ready share one round, confirmed by a majority', () => {
    const node = leading();
    read(node, 1, 2, 3);
    const work = node.settle();
    expect(sentTo(work, n2, 'heartbeat')).toMatchObject([{ round: 1 }]);
    expect(readsOf(work)).toEqual([]);
    confirm(node, n2, work);
    expect(readsOf(node.settle())).toEqual([1, 2, 3].map((token) => ({ token, index: 1 })));
  });

  test('an answer to an earlier round confirms nothing later', () => {
    const node = leading();
    read(node, 1);
    const first = node.settle();
    read(node, 2);
    const second = node.settle();
    expect(sentTo(second, n2, 'heartbeat')).toMatchObject([{ round: 2 }]);
    confirm(node, n2, first);
    expect(readsOf(node.settle())).toEqual([{ token: 1, index: 1 }]);
    confirm(node, n2, first);
    expect(readsOf(node.settle())).toEqual([]);
    confirm(node, n2, second);
    expect(readsOf(node.settle())).toEqual([{ token: 2, index: 1 }]);
  });

  test('an answer to a heartbeat without a round confirms nothing', () => {
    const node = leading();
    read(node, 1);
    const work = node.settle();
    confirm(node, n2, work, 0);
    expect(readsOf(node.settle())).toEqual([]);
  });

  test('one of four peers is no majority of five', () => {
    const voters = ['n1', 'n2', 'n3', 'n4', 'n5'].map(nodeId);
    const node = startNode({ voters });
    const elect = (): Work => {
      node.tick(60);
      node.settle();
      for (const voter of [n2, n3]) {
        node.receive(voter, { kind: 'preVoteResponse', term: inTerm(1), voteGranted: true });
      }
      node.settle();
      for (const voter of [n2, n3]) {
        node.receive(voter, { kind: 'requestVoteResponse', term: inTerm(1), voteGranted: true });
      }
      return node.settle();
    };
    const work = elect();
    acknowledge(node, n2, work, 1);
    acknowledge(node, n3, work, 1);
    node.settle();
    read(node, 1);
    const asked = node.settle();
    confirm(node, n2, asked);
    confirm(node, n2, asked);
    expect(readsOf(node.settle())).toEqual([]);
    confirm(node, n3, asked);
    expect(readsOf(node.settle())).toEqual([{ token: 1, index: 1 }]);
  });

  test('a round is repeated by the heartbeats until it is answered', () => {
    const node = leading();
    read(node, 1);
    node.settle();
    node.tick(5);
    const work = node.settle();
    expect(sentTo(work, n2, 'heartbeat')).toMatchObject([{ round: 1 }]);
    confirm(node, n2, work);
    node.settle();
    node.tick(5);
    expect(sentTo(node.settle(), n2, 'heartbeat')).toMatchObject([{ round: 0 }]);
  });

  test('a new leader holds reads until an entry of its own term is committed', () => {
    const node = startNode();
    const work = becomeLeader(node);
    read(node, 1);
    expect(node.raft.hasReady()).toBe(false);
    acknowledge(node, n2, work, 1);
    const asked = node.settle();
    confirm(node, n2, asked);
    expect(readsOf(node.settle())).toEqual([{ token: 1, index: 1 }]);
  });

  test('whoever steps down rejects its own reads and refuses those of others', () => {
    const node = leading();
    read(node, 1);
    node.receive(n3, { kind: 'readIndexRequest', term: inTerm(1), context: 5 });
    node.settle();
    read(node, 2);
    node.receive(n2, heartbeat(2));
    const work = node.settle();
    expect(work.readys.flatMap((ready) => [...ready.rejected])).toEqual([
      { token: 1, reason: 'noLeader' },
      { token: 2, reason: 'noLeader' },
    ]);
    expect(sentTo(work, n3, 'readIndexResponse')).toMatchObject([
      { term: 2, context: 5, readIndex: undefined },
    ]);
  });

  test('at maxPendingReads they are rejected, also those of followers', () => {
    const node = leading({ config: { maxPendingReads: 2 } });
    read(node, 1, 2, 3);
    node.receive(n3, { kind: 'readIndexRequest', term: inTerm(1), context: 5 });
    const work = node.settle();
    expect(work.readys.flatMap((ready) => [...ready.rejected])).toEqual([
      { token: 3, reason: 'overloaded' },
    ]);
    expect(sentTo(work, n3, 'readIndexResponse')).toMatchObject([{ readIndex: undefined }]);
    confirm(node, n2, work);
    read(node, 4);
    expect(node.settle().readys.flatMap((ready) => [...ready.rejected])).toEqual([]);
  });

  test('alone in its cluster a leader needs nobody', () => {
    const node = startNode({ voters: [n1] });
    node.tick(60);
    node.settle();
    read(node, 1);
    expect(readsOf(node.settle())).toEqual([{ token: 1, index: 1 }]);
  });

  test('a follower’s question joins the round and is answered with the commit index', () => {
    const node = leading();
    read(node, 1);
    node.receive(n3, { kind: 'readIndexRequest', term: inTerm(1), context: 5 });
    const work = node.settle();
    expect(sentTo(work, n2, 'heartbeat')).toHaveLength(1);
    confirm(node, n2, work);
    expect(sentTo(node.settle(), n3, 'readIndexResponse')).toMatchObject([
      { context: 5, readIndex: 1 },
    ]);
  });
});

function ask(node: LoneNode, ...tokens: number[]): number {
  read(node, ...tokens);
  const sent = sentTo(node.settle(), n2, 'readIndexRequest');
  expect(sent).toHaveLength(1);
  return present(sent[0], 'a question').context;
}

function answer(node: LoneNode, context: number, readIndex: number | undefined): Work {
  node.receive(n2, {
    kind: 'readIndexResponse',
    term: inTerm(1),
    context,
    readIndex: readIndex === undefined ? undefined : logIndex(readIndex),
  });
  return node.settle();
}

function rejected(work: Work): object[] {
  return work.readys.flatMap((ready) => [...ready.rejected]);
}

describe('reads at a follower', () => {
  test('all reads since the last Ready are one question', () => {
    const node = following();
    const context = ask(node, 1, 2);
    expect(readsOf(answer(node, context, 7))).toEqual([
      { token: 1, index: 7 },
      { token: 2, index: 7 },
    ]);
    expect(readsOf(answer(node, context, 7))).toEqual([]);
  });

  test('no context is used twice, and a restarted node starts elsewhere', () => {
    const node = following();
    const first = ask(node, 1);
    expect(ask(node, 2)).not.toBe(first);
    const again = following({ config: { seed: 8 } });
    expect(Math.abs(ask(again, 1) - first)).toBeGreaterThan(1000);
  });

  test('a refusal, a new leader and silence reject it', () => {
    const refused = following();
    expect(rejected(answer(refused, ask(refused, 1), undefined))).toEqual([
      { token: 1, reason: 'noLeader' },
    ]);
    const deposed = following();
    ask(deposed, 1);
    read(deposed, 2);
    deposed.receive(n3, heartbeat(2));
    expect(rejected(deposed.settle())).toEqual([
      { token: 1, reason: 'noLeader' },
      { token: 2, reason: 'noLeader' },
    ]);
    const silent = following();
    const context = ask(silent, 1);
    for (let beat = 0; beat < 6; beat++) {
      silent.tick(5);
      silent.receive(n2, heartbeat(1));
    }
    expect(rejected(silent.settle())).toEqual([{ token: 1, reason: 'noLeader' }]);
    expect(readsOf(answer(silent, context, 3))).toEqual([]);
  });

  test('an answer that does not come from the leader is not taken', () => {
    const node = following();
    const context = ask(node, 1);
    node.receive(n3, {
      kind: 'readIndexResponse',
      term: inTerm(1),
      context,
      readIndex: logIndex(3),
    });
    expect(readsOf(node.settle())).toEqual([]);
  });

  test('at maxPendingReads they are rejected, and an answer makes room', () => {
    const node = following({ config: { maxPendingReads: 2 } });
    const context = ask(node, 1, 2);
    read(node, 3);
    expect(node.take().rejected).toEqual([{ token: 3, reason: 'overloaded' }]);
    answer(node, context, 1);
    read(node, 4);
    expect(node.take().rejected).toEqual([]);
  });

  test('without a leader there is nobody to ask', () => {
    const node = startNode();
    read(node, 1);
    expect(node.take().rejected).toEqual([{ token: 1, reason: 'noLeader' }]);
  });

  test('whoever does not lead refuses the questions of others', () => {
    const node = following();
    node.receive(n3, { kind: 'readIndexRequest', term: inTerm(1), context: 5 });
    expect(node.answers('readIndexResponse')).toMatchObject([{ readIndex: undefined }]);
  });
});
