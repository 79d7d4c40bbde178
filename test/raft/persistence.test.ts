// The seam to the disk: what a batch holds, what a completion vouches for, and when a Ready has something to do.
import { describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { noteApplied, takeCommitted } from '../../src/raft/commit.ts';
import { type PersistBatch, raftDefaults } from '../../src/raft/index.ts';
import { createState } from '../../src/raft/state.ts';
import {
  acknowledge,
  appendEntries,
  at,
  becomeLeader,
  entries,
  entry,
  floorOf,
  heartbeat,
  inTerm,
  type LoneNode,
  membershipOf,
  n1,
  n2,
  n3,
  propose,
  requestVote,
  runsOf,
  startNode,
} from './lone-node.ts';

function takeBatch(node: LoneNode): PersistBatch {
  return present(node.take().persist, 'something to write');
}

function complete(node: LoneNode, batch: PersistBatch): void {
  node.step({ kind: 'persisted', sequence: batch.sequence, term: batch.term });
}

describe('persistence', () => {
  test('term, vote, truncation and entries of several steps are one batch', () => {
    const node = startNode({ log: entries(1, 1, 1) });
    node.receive(n2, requestVote(2, [3, 1]));
    node.receive(n3, appendEntries(3, [1, 1], [entry(2, 3)]));
    node.receive(n3, appendEntries(3, [2, 3], [entry(3, 3)]));
    const ready = node.take();
    expect(ready.persist).toMatchObject({
      sequence: 1,
      term: 3,
      hardState: { term: 3, votedFor: undefined },
      truncateAfter: 1,
      entries: [{ index: 2 }, { index: 3 }],
    });
    expect(ready.sendAfterPersist.map(({ message }) => message.kind)).toEqual([
      'requestVoteResponse',
      'appendEntriesResponse',
    ]);
    expect(node.raft.hasReady()).toBe(false);
  });

  test('a vote in a term that is durable already is written before it is sent', () => {
    const node = startNode({ term: 1 });
    node.receive(n2, requestVote(1, [0, 0]));
    expect(node.take()).toMatchObject({
      persist: { hardState: { term: 1, votedFor: n2 } },
      sendNow: [],
      sendAfterPersist: [{ message: { voteGranted: true } }],
    });
  });

  test('an advance of the commit index alone writes nothing and travels with the next batch', () => {
    const node = startNode({ log: entries(1, 1), term: 1 });
    node.receive(n2, appendEntries(1, [2, 1], [], 2));
    expect(node.take().persist).toBeUndefined();
    node.receive(n2, appendEntries(1, [2, 1], [entry(3, 1)], 2));
    expect(takeBatch(node).hardState.commitIndex).toBe(2);
  });

  test('entries count as durable when their batch completes, not before', () => {
    const node = startNode();
    node.receive(n2, appendEntries(1, [0, 0], [entry(1, 1), entry(2, 1)]));
    const batch = takeBatch(node);
    expect(node.raft.view().persistedIndex).toBe(0);
    complete(node, batch);
    expect(node.raft.view().persistedIndex).toBe(2);
  });

  test('a completion of an earlier term vouches for nothing; the batch of the current term covers the entries', () => {
    const node = startNode();
    node.receive(n2, appendEntries(1, [0, 0], [entry(1, 1)]));
    const early = takeBatch(node);
    node.receive(n3, heartbeat(2));
    complete(node, early);
    expect(node.raft.view().persistedIndex).toBe(0);
    complete(node, takeBatch(node));
    expect(node.raft.view().persistedIndex).toBe(1);
  });

  test('a late completion does not vouch for entries appended again at the same indexes', () => {
    const node = startNode({ log: entries(1), term: 1 });
    node.receive(n2, appendEntries(1, [1, 1], [entry(2, 1), entry(3, 1)]));
    const first = takeBatch(node);
    node.receive(n3, appendEntries(2, [1, 1], [entry(2, 2)]));
    const second = takeBatch(node);
    node.receive(n3, appendEntries(2, [2, 2], [entry(3, 2)]));
    const third = takeBatch(node);
    complete(node, first);
    expect(node.raft.view().persistedIndex).toBe(1);
    complete(node, second);
    expect(node.raft.view().persistedIndex).toBe(2);
    complete(node, third);
    expect(node.raft.view().persistedIndex).toBe(3);
  });

  test('nor does one of the same term, issued before the leader made this node drop them', () => {
    const node = startNode({ term: 1 });
    node.receive(n2, appendEntries(1, [0, 0], [entry(1, 1), entry(2, 1), entry(3, 1)]));
    takeBatch(node);
    node.receive(n3, heartbeat(2));
    const withTerm = takeBatch(node);
    node.receive(n3, appendEntries(2, [1, 1], [entry(2, 2), entry(3, 2)]));
    const withEntries = takeBatch(node);
    complete(node, withTerm);
    expect(node.raft.view().persistedIndex).toBe(1);
    complete(node, withEntries);
    expect(node.raft.view().persistedIndex).toBe(3);
  });

  test('one completion covers all batches before it, and a repeated one does nothing', () => {
    const node = startNode({ term: 1 });
    node.receive(n2, appendEntries(1, [0, 0], [entry(1, 1)]));
    const first = takeBatch(node);
    node.receive(n2, appendEntries(1, [1, 1], [entry(2, 1)]));
    const second = takeBatch(node);
    complete(node, second);
    expect(node.raft.view().persistedIndex).toBe(2);
    complete(node, first);
    complete(node, second);
    expect(node.raft.view().persistedIndex).toBe(2);
  });

  test('a completion of what was never issued stops the node', () => {
    const node = startNode();
    expect(() => node.step({ kind: 'persisted', sequence: 1, term: inTerm(0) })).toThrow(/issued/);
  });

  test('an acknowledgement of entries already issued waits without a batch of its own', () => {
    const node = startNode({ term: 1 });
    const message = appendEntries(1, [0, 0], [entry(1, 1)]);
    node.receive(n2, message);
    takeBatch(node);
    node.receive(n2, message);
    const again = node.take();
    expect(again.persist).toBeUndefined();
    expect(again.sendNow).toEqual([]);
    expect(again.sendAfterPersist).toMatchObject([{ message: { success: true, matchIndex: 1 } }]);
  });

  test('several acknowledgements of one session in one Ready become the last one', () => {
    const node = startNode({ term: 1 });
    node.receive(n2, appendEntries(1, [0, 0], [entry(1, 1)]));
    node.receive(n2, appendEntries(1, [1, 1], [entry(2, 1)]));
    node.receive(n2, { ...appendEntries(1, [2, 1], []), session: 2 });
    expect(node.take().sendAfterPersist).toMatchObject([
      { message: { session: 1, matchIndex: 2 } },
      { message: { session: 2, matchIndex: 2 } },
    ]);
  });

  test('a restarted node is what its disk says', () => {
    const log = entries(1, 1, 2);
    const node = startNode({ log, term: 3, votedFor: n2, commitIndex: 2, appliedIndex: 1 });
    expect(node.raft.view()).toMatchObject({
      role: 'follower',
      term: 3,
      leader: undefined,
      lastIndex: 3,
      commitIndex: 2,
      appliedIndex: 1,
      persistedIndex: 3,
    });
    expect(() => startNode({ log, term: 1 })).toThrow(/at least that of the last entry/);
    expect(() => startNode({ log, commitIndex: 4 })).toThrow(/is in the log/);
    expect(() => startNode({ log, appliedIndex: 4 })).toThrow();
  });

  test('nothing is handed out twice', () => {
    const node = startNode();
    const work = becomeLeader(node);
    propose(node, 'a');
    acknowledge(node, n2, work, 1);
    expect(node.raft.hasReady()).toBe(true);
    node.take();
    expect(node.raft.hasReady()).toBe(false);
    expect(node.take()).toEqual({
      persist: undefined,
      install: undefined,
      pullSnapshotFrom: undefined,
      configuration: undefined,
      committed: [],
      sendNow: [],
      sendAfterPersist: [],
      appended: [],
      reads: [],
      rejected: [],
      fetch: [],
      events: [],
    });
  });

  test('nothing leaves memory that is not both applied and durable', () => {
    const log = entries(1, 1, 1);
    const state = createState({
      config: { ...raftDefaults, id: n1, membershipOf, seed: 1, maxCachedBytes: 1 },
      hardState: { term: inTerm(1), votedFor: undefined, commitIndex: at(3) },
      floor: floorOf({ voters: [n1, n2, n3], learners: [] }),
      configurations: [],
      runs: runsOf(log),
      lastIndex: at(3),
      tail: log,
      appliedIndex: at(0),
    });
    takeCommitted(state);
    state.log.persistedIndex = at(1);
    noteApplied(state, at(2));
    expect(state.log.firstCached).toBe(2);
    state.log.persistedIndex = at(3);
    noteApplied(state, at(2));
    expect(state.log.firstCached).toBe(3);
    noteApplied(state, at(3));
    expect(state.log.firstCached).toBe(4);
  });

  test('a host that applies beyond what it was given is stopped', () => {
    const node = startNode({ log: entries(1) });
    expect(() => node.step({ kind: 'applied', index: at(1) })).toThrow(/was given/);
  });
});
