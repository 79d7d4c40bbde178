// Where the log begins: floors that rise, what reaches below them, and peers that need what is gone.
import { describe, expect, test } from 'vitest';
import type { LogEntry, Membership, Message } from '../../src/raft/index.ts';
import {
  acknowledge,
  appendEntries,
  at,
  becomeLeader,
  committedBy,
  entries,
  entry,
  inTerm,
  type LoneNode,
  type LoneStart,
  n1,
  n2,
  n3,
  payloadOf,
  propose,
  refuse,
  sentTo,
  startNode,
  type Work,
} from './lone-node.ts';

const three: Membership = { voters: [n1, n2, n3], learners: [] };
const two: Membership = { voters: [n1, n2], learners: [] };

function answered(node: LoneNode, from: typeof n2, session: number, index: number): void {
  const term = node.raft.view().term;
  node.receive(from, { kind: 'installSnapshotResponse', term, session, index: at(index) });
}

/** Leads in term 2 with entries 1 to 6 applied and the log begun after `floor`. */
function leadWithFloor(floor: number, start: LoneStart = {}): { node: LoneNode; work: Work } {
  const node = startNode({ log: entries(1, 1, 1, 1, 1), term: 1, ...start });
  const work = becomeLeader(node);
  acknowledge(node, n2, work, 6);
  node.settle();
  node.step({ kind: 'compact', index: at(floor) });
  node.settle();
  return { node, work };
}

function flowOf(node: LoneNode, peer: typeof n3): string | undefined {
  return node.raft.peers().find((one) => one.peer === peer)?.flow;
}

function member(index: number, membership: Membership): LogEntry {
  return { ...entry(index, 1), kind: 'membership', payload: payloadOf(membership) };
}

function ask(index: number, lastTerm: number): Message {
  return {
    kind: 'preVote',
    term: inTerm(4),
    lastLogIndex: at(index),
    lastLogTerm: inTerm(lastTerm),
  };
}

describe('the floor', () => {
  test('rises to what is applied and durable, and no further', () => {
    const node = startNode({ log: entries(1, 1, 1, 1, 1), commitIndex: 4 });
    node.settle();
    node.step({ kind: 'compact', index: at(5) });
    expect(node.raft.view().firstIndex).toBe(5);
    const { persist } = node.take();
    expect(persist?.floor).toMatchObject({ index: 4, term: 1, configuration: { index: 0 } });
    expect(node.written().map(({ index }) => index)).toEqual([5]);
  });

  test('pitfall 12: waits for the disk: what is committed and not durable here stays', () => {
    const node = startNode();
    node.receive(n2, appendEntries(1, [0, 0], entries(1, 1), 2));
    const { committed } = node.take();
    expect(committed).toHaveLength(2);
    node.step({ kind: 'applied', index: at(2) });
    node.step({ kind: 'compact', index: at(2) });
    expect(node.raft.view().firstIndex).toBe(1);
    expect(node.raft.hasReady()).toBe(false);
  });

  test('is said to the disk while earlier batches are outstanding', () => {
    const node = startNode({ log: entries(1, 1, 1), commitIndex: 3, term: 1 });
    node.settle();
    node.receive(n2, appendEntries(1, [3, 1], [entry(4, 1)]));
    const earlier = node.take().persist;
    node.step({ kind: 'compact', index: at(3) });
    const batch = node.take().persist;
    expect(earlier?.floor).toBeUndefined();
    expect(batch).toMatchObject({ floor: { index: 3 }, entries: [] });
    expect(node.written().map(({ index }) => index)).toEqual([4]);
    node.step({ kind: 'persisted', sequence: batch?.sequence ?? 0, term: inTerm(1) });
    expect(node.raft.view().persistedIndex).toBe(4);
  });

  test('carries the configuration in effect there, and keeps those behind it', () => {
    const node = startNode();
    const log = [entry(1, 1), member(2, two), entry(3, 1), member(4, three)];
    node.receive(n2, appendEntries(1, [0, 0], log, 4));
    node.settle();
    node.step({ kind: 'compact', index: at(3) });
    const { persist } = node.take();
    expect(persist?.floor?.configuration).toEqual({ index: 2, payload: payloadOf(two) });
    expect(node.raft.view()).toMatchObject({ membership: three, configurationIndex: 4 });
    node.step({ kind: 'compact', index: at(4) });
    expect(node.take().persist?.floor?.configuration.index).toBe(4);
  });

  test('never falls, and saying it again writes nothing', () => {
    const node = startNode({ log: entries(1, 1, 1), commitIndex: 3 });
    node.settle();
    node.step({ kind: 'compact', index: at(3) });
    node.settle();
    node.step({ kind: 'compact', index: at(2) });
    node.step({ kind: 'compact', index: at(3) });
    expect(node.raft.hasReady()).toBe(false);
    expect(node.raft.view()).toMatchObject({ firstIndex: 4, lastIndex: 3 });
  });

  test('a node whose whole log is below it goes on from there, after a restart too', () => {
    const node = startNode({ floor: [7, 3], log: [] });
    expect(node.raft.view()).toMatchObject({ firstIndex: 8, lastIndex: 7, commitIndex: 7 });
    node.receive(n2, appendEntries(4, [7, 3], [entry(8, 4)], 8));
    const work = node.settle();
    expect(committedBy(work)).toEqual([8]);
    expect(node.written()).toHaveLength(1);
  });

  test('decides elections by its term where the log behind it is empty', () => {
    const node = startNode({ floor: [7, 3], log: [] });
    node.receive(n2, ask(9, 2));
    node.receive(n2, ask(6, 3));
    node.receive(n2, ask(7, 3));
    const granted = node.answers('preVoteResponse').map(({ voteGranted }) => voteGranted);
    expect(granted).toEqual([false, false, true]);
  });

  test('a leader below whose floor everything is goes on', () => {
    const { node, work } = leadWithFloor(6);
    expect(node.raft.view()).toMatchObject({ firstIndex: 7, role: 'leader' });
    propose(node, 'a');
    expect(sentTo(node.settle(), n2, 'appendEntries')).toMatchObject([
      { prevLogIndex: 6, prevLogTerm: 2 },
    ]);
    acknowledge(node, n2, work, 7);
    expect(node.raft.view().commitIndex).toBe(7);
  });
});

describe('AppendEntries that reach below the floor', () => {
  const start = { floor: [5, 2], log: [entry(6, 2)], term: 2 } as const;

  test('pitfall 14: an entry that is gone matches no missing one, and what is committed is agreed on', () => {
    const node = startNode(start);
    node.receive(n2, appendEntries(3, [3, 1], [entry(4, 1), entry(5, 2), entry(6, 3)], 5));
    const work = node.settle();
    expect(sentTo(work, n2, 'appendEntriesResponse')).toMatchObject([
      { success: true, matchIndex: 6 },
    ]);
    expect(node.written()).toMatchObject([{ index: 6, term: 3 }]);
    node.receive(n2, appendEntries(3, [2, 1], [entry(3, 1)], 5));
    expect(node.answers('appendEntriesResponse')).toMatchObject([{ success: true, matchIndex: 5 }]);
  });

  test('a conflict just above it is found and said', () => {
    const node = startNode(start);
    node.receive(n2, appendEntries(3, [6, 3], [entry(7, 3)]));
    const [answer] = node.answers('appendEntriesResponse');
    expect(answer).toMatchObject({ success: false, conflictTerm: 2, conflictIndex: 6 });
  });
});

describe('a peer that needs what is gone', () => {
  test('is told to pull a snapshot under a session of its own, again and again, and gets no entries', () => {
    const { node, work } = leadWithFloor(5);
    refuse(node, n3, work, 5, [1, 0]);
    expect(flowOf(node, n3)).toBe('snapshot');
    const told = node.settle();
    const [first] = sentTo(told, n3, 'installSnapshot');
    expect(first?.session).not.toBe(sentTo(work, n3, 'appendEntries')[0]?.session);
    expect(sentTo(told, n3, 'appendEntries')).toEqual([]);
    propose(node, 'a');
    node.tick(9);
    expect(sentTo(node.settle(), n3, 'installSnapshot')).toEqual([]);
    node.tick(1);
    const again = node.settle();
    expect(sentTo(again, n3, 'installSnapshot')).toEqual([first]);
    expect(sentTo(again, n3, 'heartbeat').length).toBeGreaterThan(0);
    expect(sentTo(again, n3, 'appendEntries')).toEqual([]);
  });

  test('is asked from where its snapshot ends, and streamed to from there', () => {
    const { node, work } = leadWithFloor(4);
    refuse(node, n3, work, 5, [1, 0]);
    refuse(node, n3, node.settle(), 4, [1, 0]);
    const [told] = sentTo(node.settle(), n3, 'installSnapshot');
    answered(node, n3, told?.session ?? 0, 5);
    expect(flowOf(node, n3)).toBe('probe');
    const asked = node.settle();
    expect(sentTo(asked, n3, 'appendEntries')).toMatchObject([{ prevLogIndex: 5 }]);
    acknowledge(node, n3, asked, 6);
    expect(flowOf(node, n3)).toBe('replicate');
  });

  test('a snapshot that ends below where the log has begun meanwhile is followed by another', () => {
    const { node, work } = leadWithFloor(4);
    refuse(node, n3, work, 5, [1, 0]);
    refuse(node, n3, node.settle(), 4, [1, 0]);
    const [told] = sentTo(node.settle(), n3, 'installSnapshot');
    node.step({ kind: 'compact', index: at(6) });
    node.settle();
    answered(node, n3, told?.session ?? 0, 5);
    expect(flowOf(node, n3)).toBe('snapshot');
    const [second] = sentTo(node.settle(), n3, 'installSnapshot');
    expect(second?.session).toBeGreaterThan(told?.session ?? 0);
  });

  test('an answer in an earlier session, or beyond this log, counts for nothing', () => {
    const { node, work } = leadWithFloor(4);
    refuse(node, n3, work, 5, [1, 0]);
    refuse(node, n3, node.settle(), 4, [1, 0]);
    const [told] = sentTo(node.settle(), n3, 'installSnapshot');
    answered(node, n3, (told?.session ?? 0) - 1, 6);
    answered(node, n3, told?.session ?? 0, 99);
    expect(flowOf(node, n3)).toBe('snapshot');
    expect(node.raft.peers().find(({ peer }) => peer === n3)?.matchIndex).toBe(0);
  });

  test('pitfall 14: is found when the log is cut under a stream to it', () => {
    const { node, work } = leadWithFloor(1, { config: { maxInflightMessages: 1 } });
    acknowledge(node, n3, work, 1);
    expect(flowOf(node, n3)).toBe('replicate');
    node.step({ kind: 'compact', index: at(6) });
    // It has what was in flight, so it may well reach the floor: only silence or a refusal says otherwise.
    node.settle();
    node.step({ kind: 'peerUnreachable', peer: n3 });
    const asked = node.settle();
    expect(sentTo(asked, n3, 'appendEntries')).toMatchObject([{ prevLogIndex: 6 }]);
    refuse(node, n3, asked, 6, [2, 0]);
    expect(flowOf(node, n3)).toBe('snapshot');
  });

  test('an answered snapshot counts as a copy on disk', () => {
    const { node, work } = leadWithFloor(5);
    refuse(node, n3, work, 5, [1, 0]);
    propose(node, 'a');
    const [told] = sentTo(node.settle(), n3, 'installSnapshot');
    answered(node, n3, told?.session ?? 0, 7);
    expect(node.raft.view().commitIndex).toBe(7);
  });

  test('that has lost its state is told that it may pull, and goes on being streamed to', () => {
    const { node, work } = leadWithFloor(1);
    node.receive(n2, { kind: 'snapshotWanted', term: inTerm(2) });
    const session = sentTo(work, n2, 'appendEntries')[0]?.session;
    expect(sentTo(node.settle(), n2, 'installSnapshot')).toMatchObject([{ session }]);
    expect(flowOf(node, n2)).toBe('replicate');
  });
});
