// The flow of entries to one peer: batches, windows, lost messages, sessions, entries that have left memory, and limits.
import { describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import type { RaftConfig } from '../../src/raft/index.ts';
import {
  acknowledge,
  becomeLeader,
  entries,
  type LoneNode,
  type LoneStart,
  n2,
  n3,
  propose,
  refuse,
  sentTo,
  startNode,
  type Work,
} from './lone-node.ts';

/** A leader whose peer n2 is streamed to; n3 never answers. */
function replicating(config: Partial<RaftConfig> = {}, start: LoneStart = {}): [LoneNode, Work] {
  const node = startNode({ ...start, config });
  const work = becomeLeader(node);
  acknowledge(node, n2, work, (start.log?.length ?? 0) + 1);
  node.settle();
  return [node, work];
}

function answerHeartbeat(node: LoneNode, work: Work): void {
  const session = present(sentTo(work, n2, 'appendEntries').at(-1), 'a message').session;
  node.receive(n2, {
    kind: 'heartbeatResponse',
    term: node.raft.view().term,
    session,
    round: 0,
  });
}

function broughtTo(node: LoneNode): number[][] {
  return sentTo(node.settle(), n2, 'appendEntries').map(({ entries: all }) =>
    all.map((one) => Number(one.index)),
  );
}

const texts = (count: number): string[] => Array.from({ length: count }, () => '12345678');
/** What one of those costs with its bookkeeping: 8 + 32. */
const entryCost = 40;

describe('windows', () => {
  test('a message holds at most maxAppendBytes', () => {
    const [node] = replicating({ maxAppendBytes: 2 * entryCost });
    propose(node, ...texts(5));
    expect(broughtTo(node)).toEqual([[2, 3], [4, 5], [6]]);
  });

  test('one entry larger than maxAppendBytes goes alone', () => {
    const [node] = replicating({ maxAppendBytes: 2 * entryCost });
    propose(node, 'a', 'b'.repeat(500), 'c');
    expect(broughtTo(node)).toEqual([[2], [3], [4]]);
  });

  test('at maxInflightMessages the stream waits, and an acknowledgement lets it go on', () => {
    const [node, work] = replicating({ maxAppendBytes: entryCost, maxInflightMessages: 2 });
    propose(node, ...texts(4));
    expect(broughtTo(node)).toEqual([[2], [3]]);
    expect(node.raft.hasReady()).toBe(false);
    acknowledge(node, n2, work, 2);
    expect(broughtTo(node)).toEqual([[4]]);
  });

  test('at maxInflightBytes the stream waits', () => {
    const [node, work] = replicating({ maxInflightBytes: 3 * entryCost });
    propose(node, ...texts(4));
    expect(broughtTo(node)).toEqual([[2, 3, 4]]);
    propose(node, ...texts(1));
    expect(broughtTo(node)).toEqual([]);
    acknowledge(node, n2, work, 4);
    expect(broughtTo(node).filter((indexes) => indexes.length > 0)).toEqual([[5, 6]]);
  });

  test('a peer that has not answered gets one message, not a stream', () => {
    const node = startNode();
    const work = becomeLeader(node);
    expect(sentTo(work, n3, 'appendEntries')).toHaveLength(1);
    propose(node, ...texts(3));
    expect(sentTo(node.settle(), n3, 'appendEntries')).toEqual([]);
  });
});

describe('what was lost is found', () => {
  test('a question without an answer is asked again once a later heartbeat is answered', () => {
    const node = startNode();
    const work = becomeLeader(node);
    answerHeartbeat(node, work);
    expect(broughtTo(node)).toEqual([]);
    node.tick(5);
    expect(broughtTo(node)).toEqual([]);
    answerHeartbeat(node, work);
    expect(broughtTo(node)).toEqual([[1]]);
  });

  test('a stream that does not move for an election timeout becomes a question', () => {
    const [node, work] = replicating();
    propose(node, ...texts(2));
    node.settle();
    for (let beat = 0; beat < 5; beat++) {
      node.tick(5);
      answerHeartbeat(node, work);
      expect(broughtTo(node)).toEqual([]);
    }
    node.tick(5);
    answerHeartbeat(node, work);
    expect(broughtTo(node)).toEqual([[2, 3]]);
  });

  test('an idle stream does not', () => {
    const [node, work] = replicating();
    for (let beat = 0; beat < 20; beat++) {
      node.tick(5);
      answerHeartbeat(node, work);
      expect(broughtTo(node)).toEqual([]);
    }
  });

  test('a hole in the stream is refused by the peer and filled from there', () => {
    const [node, work] = replicating({ maxAppendBytes: entryCost });
    propose(node, ...texts(3));
    node.settle();
    refuse(node, n2, work, 2, [2, 0]);
    expect(broughtTo(node)).toEqual([[2]]);
    refuse(node, n2, work, 3, [2, 0]);
    expect(broughtTo(node)).toEqual([]);
    acknowledge(node, n2, work, 2);
    expect(broughtTo(node).filter((indexes) => indexes.length > 0)).toEqual([[3], [4]]);
  });

  test('a refusal of what the peer has acknowledged since is old news', () => {
    const [node, work] = replicating();
    propose(node, ...texts(3));
    node.settle();
    acknowledge(node, n2, work, 4);
    node.settle();
    refuse(node, n2, work, 2, [2, 0]);
    expect(broughtTo(node)).toEqual([]);
  });
});

describe('fast backtracking', () => {
  test('where both logs have the conflicting term, the leader goes to its own end of it', () => {
    const node = startNode({ log: entries(1, 1, 2, 2, 4, 4) });
    const work = becomeLeader(node);
    refuse(node, n2, work, 6, [3, 2]);
    expect(sentTo(node.settle(), n2, 'appendEntries')).toMatchObject([{ prevLogIndex: 4 }]);
  });

  test('where it does not have that term, it goes to where the term began at the peer', () => {
    const node = startNode({ log: entries(1, 1, 2, 2, 4) });
    const work = becomeLeader(node);
    refuse(node, n2, work, 5, [3, 3]);
    expect(sentTo(node.settle(), n2, 'appendEntries')).toMatchObject([{ prevLogIndex: 2 }]);
  });

  test('a hint never leads upwards nor below what the peer holds', () => {
    const [node, work] = replicating({}, { log: entries(1, 1, 1) });
    propose(node, ...texts(2));
    node.settle();
    refuse(node, n2, work, 5, [1, 0]);
    expect(broughtTo(node)).toEqual([[5, 6]]);
    refuse(node, n2, work, 4, [99, 0]);
    expect(broughtTo(node)).toEqual([]);
  });
});

describe('sessions', () => {
  test.for(['peerUnreachable', 'peerDisconnected'] as const)(
    '%s starts a new one, and an acknowledgement of the old one is dropped with an event',
    (kind) => {
      const [node, work] = replicating();
      propose(node, 'a');
      node.settle();
      node.step({ kind, peer: n2 });
      const restarted = node.settle();
      acknowledge(node, n2, work, 2);
      const ready = node.take();
      expect(ready.events).toEqual([{ kind: 'staleReplyDropped', peer: n2 }]);
      expect(node.raft.view().commitIndex).toBe(1);
      acknowledge(node, n2, restarted, 2);
      expect(node.raft.view().commitIndex).toBe(2);
    },
  );
});

describe('entries that have left memory', () => {
  const small = { maxCachedBytes: 2 * entryCost, maxAppendBytes: 3 * entryCost };

  /** n3 is far behind; the first entries are evicted. */
  function withEvicted(): { node: LoneNode; work: Work } {
    const node = startNode({ config: small });
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 1);
    node.settle();
    propose(node, ...texts(6));
    node.settle();
    acknowledge(node, n2, work, 7);
    node.settle();
    return { node, work };
  }

  test('a question needs none of them; the host is asked only once the peer answers', () => {
    const { node, work } = withEvicted();
    refuse(node, n3, work, 0, [1, 0]);
    acknowledge(node, n3, work, 1);
    const ready = node.take();
    expect(ready.fetch).toEqual([
      { ticket: 1, peer: n3, from: 2, to: 5, maxBytes: small.maxAppendBytes },
    ]);
    expect(node.raft.hasReady()).toBe(false);
  });

  test('what was fetched is sent, in messages of at most maxAppendBytes, and the rest asked for', () => {
    const { node, work } = withEvicted();
    acknowledge(node, n3, work, 1);
    node.take();
    node.step({ kind: 'fetched', ticket: 1, entries: node.written().slice(1, 5) });
    const ready = node.take();
    const [sent] = sentTo({ sent: ready.sendNow, readys: [] }, n3, 'appendEntries');
    expect(sent?.entries.map((one) => one.index)).toEqual([2, 3, 4]);
    expect(ready.fetch).toMatchObject([{ ticket: 2, from: 5, to: 5 }]);
  });

  test('an unknown or repeated ticket is ignored, and so is a fetch that no longer fits', () => {
    const { node, work } = withEvicted();
    acknowledge(node, n3, work, 1);
    node.take();
    const fetched = node.written().slice(1, 3);
    node.step({ kind: 'fetched', ticket: 9, entries: fetched });
    expect(node.raft.hasReady()).toBe(false);
    acknowledge(node, n3, work, 4);
    node.step({ kind: 'fetched', ticket: 1, entries: fetched });
    const ready = node.take();
    expect(sentTo({ sent: ready.sendNow, readys: [] }, n3, 'appendEntries')).toEqual([]);
    expect(ready.fetch).toMatchObject([{ ticket: 2, from: 5 }]);
    node.step({ kind: 'fetched', ticket: 1, entries: fetched });
    expect(node.raft.hasReady()).toBe(false);
  });

  test('a lost session forgets its fetch', () => {
    const { node, work } = withEvicted();
    acknowledge(node, n3, work, 1);
    node.take();
    node.step({ kind: 'peerUnreachable', peer: n3 });
    node.settle();
    node.step({ kind: 'fetched', ticket: 1, entries: node.written().slice(1, 3) });
    expect(node.raft.hasReady()).toBe(false);
  });

  test('fetched entries that contradict the log stop the node', () => {
    const { node, work } = withEvicted();
    acknowledge(node, n3, work, 1);
    node.take();
    expect(() =>
      node.step({
        kind: 'fetched',
        ticket: 1,
        entries: node.written().slice(1, 2).concat(node.written().slice(3, 4)),
      }),
    ).toThrow(/no gaps/);
  });
});

describe('proposals', () => {
  test('a follower says whether somebody leads', () => {
    const node = startNode();
    propose(node, 'a');
    expect(node.take().rejected).toEqual([{ token: 1, reason: 'noLeader' }]);
  });

  test('beyond maxUncommittedBytes they are rejected; what is committed makes room again', () => {
    const [node, work] = replicating({ maxUncommittedBytes: 3 * entryCost });
    propose(node, ...texts(5));
    const ready = node.take();
    expect(ready.appended.map(({ token }) => token)).toEqual([1, 2, 3]);
    expect(ready.rejected).toEqual([
      { token: 4, reason: 'overloaded' },
      { token: 5, reason: 'overloaded' },
    ]);
    acknowledge(node, n2, work, 2);
    node.settle();
    const persisted = startNode({ config: { maxUncommittedBytes: 1 } });
    const first = becomeLeader(persisted);
    acknowledge(persisted, n2, first, 1);
    persisted.settle();
    propose(persisted, 'x'.repeat(100), 'y');
    expect(persisted.take()).toMatchObject({
      appended: [{ token: 1 }],
      rejected: [{ token: 2, reason: 'overloaded' }],
    });
  });

  test('a new leader counts what it inherits, so the limit does not start anew with each term', () => {
    const node = startNode({ log: entries(1, 1, 1), config: { maxUncommittedBytes: 100 } });
    const work = becomeLeader(node);
    propose(node, 'a');
    expect(node.take().rejected).toEqual([{ token: 1, reason: 'overloaded' }]);
    acknowledge(node, n2, work, 4);
    propose(node, 'a');
    expect(node.take().appended).toHaveLength(1);
  });
});
