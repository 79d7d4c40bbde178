// Figure 2, box "AppendEntries RPC": one test per sentence.
import { describe, expect, test } from 'vitest';
import {
  appendEntries,
  becomeLeader,
  entries,
  entry,
  heartbeat,
  n2,
  n3,
  propose,
  sentTo,
  acknowledge,
  startNode,
  at,
  inTerm,
} from '../lone-node.ts';

describe('Figure 2, AppendEntries RPC: arguments and results', () => {
  test('term and leaderId: a follower learns whom to send clients to', () => {
    const node = startNode();
    node.receive(n3, appendEntries(2, [0, 0], []));
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 2, leader: n3 });
    propose(node, 'a');
    expect(node.take().rejected).toEqual([{ token: 1, reason: 'notLeader' }]);
  });

  test('prevLogIndex and prevLogTerm: they name the entry just before the new ones', () => {
    const node = startNode({ log: entries(1, 2, 2) });
    const work = becomeLeader(node);
    expect(sentTo(work, n2, 'appendEntries')).toMatchObject([
      { prevLogIndex: 3, prevLogTerm: 2, entries: [{ index: 4, term: 3 }] },
    ]);
  });

  test('entries[]: several travel in one message, none in a heartbeat', () => {
    const node = startNode();
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 1);
    node.settle();
    propose(node, 'a', 'b');
    propose(node, 'c');
    const sent = sentTo(node.settle(), n2, 'appendEntries');
    expect(sent.map((message) => message.entries.map((one) => one.index))).toEqual([[2, 3, 4]]);
    node.tick(5);
    expect(node.settle().sent.map(({ message }) => message.kind)).toEqual([
      'heartbeat',
      'heartbeat',
    ]);
  });

  test('leaderCommit: the leader tells how far it has committed', () => {
    const node = startNode();
    const work = becomeLeader(node);
    acknowledge(node, n2, work, 1);
    expect(sentTo(node.settle(), n2, 'appendEntries')).toMatchObject([
      { entries: [], leaderCommit: 1 },
    ]);
  });

  test('result term: a leader of an earlier term updates itself from the answer and steps down', () => {
    const node = startNode();
    becomeLeader(node);
    node.receive(n2, {
      ...appendEntries(1, [0, 0], []),
      kind: 'appendEntriesResponse',
      term: inTerm(5),
      success: false,
      matchIndex: at(0),
      conflictIndex: at(0),
      conflictTerm: inTerm(0),
    });
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 5 });
  });

  test('result success: true iff the follower holds the entry at prevLogIndex with prevLogTerm', () => {
    const node = startNode({ log: entries(1, 1) });
    node.receive(n2, appendEntries(2, [2, 1], []));
    node.receive(n2, appendEntries(2, [1, 1], []));
    node.receive(n2, appendEntries(2, [2, 2], []));
    node.receive(n2, appendEntries(2, [3, 1], []));
    const answers = node.answers('appendEntriesResponse');
    expect(answers.filter(({ success }) => success).map((one) => one.matchIndex)).toEqual([2, 1]);
    expect(answers.filter(({ success }) => !success).map((one) => one.matchIndex)).toEqual([2, 3]);
  });
});

describe('Figure 2, AppendEntries RPC: receiver', () => {
  test('rule 1: an earlier term is refused with the current one', () => {
    const node = startNode({ term: 3, log: entries(1) });
    node.receive(n2, appendEntries(2, [1, 1], [entry(2, 2)], 1));
    expect(node.answers('appendEntriesResponse')).toMatchObject([{ term: 3, success: false }]);
    expect(node.raft.view()).toMatchObject({ lastIndex: 1, commitIndex: 0, leader: undefined });
  });

  test('rule 2: entries after one that is missing are refused, and the end of the log is named', () => {
    const node = startNode({ log: entries(1, 1) });
    node.receive(n2, appendEntries(2, [5, 2], [entry(6, 2)]));
    expect(node.answers('appendEntriesResponse')).toMatchObject([
      { success: false, matchIndex: 5, conflictTerm: 0, conflictIndex: 3 },
    ]);
    expect(node.written()).toHaveLength(2);
  });

  test('rule 2: entries after one of another term are refused, and the start of that term is named', () => {
    const node = startNode({ log: entries(1, 2, 2, 2) });
    node.receive(n2, appendEntries(4, [4, 3], [entry(5, 4)]));
    expect(node.answers('appendEntriesResponse')).toMatchObject([
      { success: false, matchIndex: 4, conflictTerm: 2, conflictIndex: 2 },
    ]);
  });

  test('rule 2: the hint never goes below what is committed, where the logs must agree', () => {
    const node = startNode({ log: entries(1, 1, 1, 1), commitIndex: 2 });
    node.receive(n2, appendEntries(4, [4, 3], [entry(5, 4)]));
    expect(node.answers('appendEntriesResponse')).toMatchObject([
      { success: false, matchIndex: 4, conflictTerm: 1, conflictIndex: 3 },
    ]);
  });

  test('rule 3: an entry that conflicts goes, with all that follow it', () => {
    const node = startNode({ log: entries(1, 1, 2, 2) });
    node.receive(n2, appendEntries(3, [2, 1], [entry(3, 3)]));
    const { persist } = node.take();
    expect(persist).toMatchObject({ truncateAfter: 2, entries: [{ index: 3, term: 3 }] });
    expect(node.raft.view().lastIndex).toBe(3);
  });

  test('rule 3: what does not conflict stays, also when a late message ends before it', () => {
    const node = startNode({ log: entries(1, 1, 1) });
    node.receive(n2, appendEntries(1, [0, 0], [entry(1, 1)]));
    const ready = node.take();
    expect(ready.persist).toBeUndefined();
    expect(node.raft.view().lastIndex).toBe(3);
  });

  test('rule 3: a committed entry is never dropped, the node stops instead', () => {
    const node = startNode({ log: entries(1, 1), commitIndex: 2 });
    expect(() => node.receive(n2, appendEntries(2, [1, 1], [entry(2, 2)]))).toThrow(
      /committed entry is never dropped/,
    );
  });

  test('rule 4: only what is not in the log yet is appended', () => {
    const node = startNode({ log: entries(1, 1) });
    node.receive(n2, appendEntries(1, [0, 0], entries(1, 1, 1, 1)));
    expect(node.take().persist).toMatchObject({
      truncateAfter: undefined,
      entries: [{ index: 3 }, { index: 4 }],
    });
  });

  test('rule 5: the commit index rises to leaderCommit', () => {
    const node = startNode({ log: entries(1, 1, 1) });
    node.receive(n2, appendEntries(1, [3, 1], [], 2));
    expect(node.raft.view().commitIndex).toBe(2);
  });

  test('rule 5: but never beyond the last new entry, behind which the logs may differ', () => {
    const node = startNode({ log: entries(1, 1, 1, 1) });
    node.receive(n2, appendEntries(2, [1, 1], [entry(2, 1)], 4));
    expect(node.raft.view().commitIndex).toBe(2);
  });

  test('rule 5: a heartbeat names no new entries, so it carries only what the follower is known to hold', () => {
    const node = startNode({ log: entries(1, 1) });
    node.receive(n2, heartbeat(1, 2));
    expect(node.raft.view().commitIndex).toBe(2);
    expect(() => node.receive(n2, heartbeat(1, 3))).toThrow(/only what is in the log/);
  });
});
