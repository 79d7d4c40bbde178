// Snapshots on the side that needs one: called by its leader, or because the state below its log is lost.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import type { Membership } from '../../src/raft/index.ts';
import {
  appendEntries,
  at,
  becomeLeader,
  committedBy,
  entries,
  entry,
  heartbeat,
  inTerm,
  type LoneNode,
  type MessageOf,
  n1,
  n2,
  n3,
  payloadOf,
  sentTo,
  startNode,
  timeOut,
} from './lone-node.ts';

const n4 = nodeId('n4');
const three: Membership = { voters: [n1, n2, n3], learners: [] };
const two: Membership = { voters: [n1, n2], learners: [] };

function installSnapshot(atTerm: number, session = 9): MessageOf<'installSnapshot'> {
  return { kind: 'installSnapshot', term: inTerm(atTerm), session };
}

/** The host has a snapshot up to `index` in its hands. */
function bring(
  node: LoneNode,
  index: number,
  atTerm: number,
  membership = three,
  configurationIndex = 0,
): void {
  node.step({
    kind: 'snapshotReceived',
    index: at(index),
    term: inTerm(atTerm),
    configuration: { index: at(configurationIndex), payload: payloadOf(membership) },
  });
}

describe('a follower that is to pull a snapshot', () => {
  test('says from whom, and takes the call for a sign of life', () => {
    const node = startNode();
    node.receive(n2, installSnapshot(3));
    expect(node.raft.view()).toMatchObject({ term: 3, leader: n2 });
    expect(node.take().pullSnapshotFrom).toBe(n2);
    expect(node.take().pullSnapshotFrom).toBeUndefined();
    node.receive(n2, installSnapshot(2));
    expect(sentTo(node.settle(), n2, 'heartbeatResponse')).toMatchObject([{ term: 3, session: 0 }]);
  });

  test('drops its whole log where that does not match, and goes on after the snapshot (pitfall 2)', () => {
    const node = startNode({ log: entries(1, 1, 2, 2, 2, 2), commitIndex: 2 });
    node.settle();
    node.receive(n2, installSnapshot(3));
    node.settle();
    bring(node, 4, 3);
    const ready = node.take();
    expect(ready.persist).toMatchObject({ floor: { index: 4, term: 3 }, entries: [] });
    expect(ready.install).toEqual({ index: 4, term: 3 });
    expect(ready.sendAfterPersist).toMatchObject([
      { to: n2, message: { kind: 'installSnapshotResponse', session: 9, index: 4 } },
    ]);
    expect(ready.events).toContainEqual({ kind: 'logReplaced', index: 4, lastIndexBefore: 6 });
    expect(node.raft.view()).toMatchObject({ firstIndex: 5, lastIndex: 4, commitIndex: 4 });
    expect(node.written()).toEqual([]);
    node.receive(n2, appendEntries(3, [4, 3], [entry(5, 3)]));
    expect(node.answers('appendEntriesResponse')).toMatchObject([{ success: true, matchIndex: 5 }]);
  });

  test('keeps what follows where its log matches, and what it knew of members there', () => {
    const brought = { ...entry(5, 2), kind: 'membership' as const, payload: payloadOf(two) };
    const node = startNode({ log: [...entries(1, 1, 1, 2), brought, entry(6, 2)] });
    node.receive(n2, installSnapshot(2));
    bring(node, 4, 2);
    const { persist } = node.take();
    expect(persist).toMatchObject({ floor: { index: 4 }, truncateAfter: undefined, entries: [] });
    expect(node.written().map(({ index }) => index)).toEqual([5, 6]);
    expect(node.raft.view()).toMatchObject({
      lastIndex: 6,
      membership: two,
      configurationIndex: 5,
    });
  });

  test('keeps what arrived just before and has not been written, and writes only what lies behind', () => {
    const node = startNode();
    node.receive(n2, appendEntries(2, [0, 0], entries(1, 1, 1, 2, 2, 2)));
    node.receive(n2, installSnapshot(2));
    bring(node, 4, 2);
    const { persist } = node.take();
    expect(persist).toMatchObject({ floor: { index: 4 }, entries: [{ index: 5 }, { index: 6 }] });
    expect(node.written()).toHaveLength(2);
    expect(node.raft.view().persistedIndex).toBe(0);
    node.step({ kind: 'persisted', sequence: persist?.sequence ?? 0, term: inTerm(2) });
    expect(node.raft.view().persistedIndex).toBe(6);
  });

  test('pitfall 3: a configuration that was never committed does not outlive the log it stood in', () => {
    const phantom = { ...entry(6, 1), kind: 'membership' as const, payload: payloadOf(two) };
    const node = startNode({ log: [...entries(1, 1, 1, 1, 1), phantom] });
    expect(node.raft.view().membership).toEqual(two);
    node.receive(n2, installSnapshot(3));
    bring(node, 4, 3, { voters: [n1, n2, n3], learners: [n4] }, 2);
    expect(node.raft.view()).toMatchObject({
      membership: { voters: [n1, n2, n3], learners: [n4] },
      configurationIndex: 2,
    });
    expect(node.take().configuration?.index).toBe(2);
  });

  test('hands nothing out before the snapshot is in place, and takes in entries meanwhile', () => {
    const node = startNode();
    node.receive(n2, installSnapshot(3));
    bring(node, 4, 3);
    node.receive(n2, appendEntries(3, [4, 3], [entry(5, 3), entry(6, 3)], 6));
    const ready = node.take();
    expect(ready.persist).toMatchObject({
      floor: { index: 4 },
      entries: [{ index: 5 }, { index: 6 }],
    });
    expect(ready.committed).toEqual([]);
    expect(node.raft.view()).toMatchObject({ commitIndex: 6, awaitsSnapshot: true });
    expect(node.raft.hasReady()).toBe(false);
    node.step({ kind: 'persisted', sequence: ready.persist?.sequence ?? 0, term: inTerm(3) });
    expect(node.take().committed).toEqual([]);
    node.step({ kind: 'applied', index: at(4) });
    expect(node.take().committed.map(({ index }) => index)).toEqual([5, 6]);
    expect(node.raft.view().awaitsSnapshot).toBe(false);
  });

  test('what the disk was still writing of the old log vouches for nothing behind the snapshot', () => {
    const node = startNode({ log: entries(1, 1), commitIndex: 1, term: 1 });
    node.settle();
    node.receive(n2, appendEntries(1, [2, 1], [entry(3, 1), entry(4, 1)]));
    node.receive(n3, installSnapshot(2));
    const old = node.take().persist;
    expect(old).toMatchObject({ term: 2, entries: [{ index: 3 }, { index: 4 }] });
    bring(node, 3, 2);
    const fresh = node.take().persist;
    node.step({ kind: 'persisted', sequence: old?.sequence ?? 0, term: inTerm(2) });
    expect(node.raft.view().persistedIndex).toBeLessThan(3);
    node.step({ kind: 'persisted', sequence: fresh?.sequence ?? 0, term: inTerm(2) });
    expect(node.raft.view().persistedIndex).toBe(3);
  });

  test('does not campaign before the snapshot is in place', () => {
    const node = startNode();
    node.receive(n2, installSnapshot(3));
    bring(node, 4, 3);
    node.take();
    node.tick(200);
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 3 });
  });

  test('a repeated call in an answered session is answered again, and pulls nothing', () => {
    const node = startNode();
    node.receive(n2, installSnapshot(3, 9));
    bring(node, 4, 3);
    node.settle();
    node.receive(n2, installSnapshot(3, 9));
    const again = node.take();
    expect(again.pullSnapshotFrom).toBeUndefined();
    expect(again.sendAfterPersist).toMatchObject([
      { message: { kind: 'installSnapshotResponse', session: 9, index: 4 } },
    ]);
    node.receive(n2, installSnapshot(3, 11));
    expect(node.take().pullSnapshotFrom).toBe(n2);
  });

  test('a snapshot of what is handed out already changes nothing, but the leader is told', () => {
    const node = startNode({ log: entries(1, 1, 1), commitIndex: 3 });
    node.settle();
    node.receive(n2, installSnapshot(1));
    node.settle();
    bring(node, 2, 1);
    const ready = node.take();
    expect(ready).toMatchObject({ persist: undefined, install: undefined });
    expect(ready.sendAfterPersist).toMatchObject([{ message: { index: 3, session: 9 } }]);
    expect(node.raft.view().firstIndex).toBe(1);
  });

  test('a second snapshot is not begun while one is being put in place', () => {
    const node = startNode();
    node.receive(n2, installSnapshot(3));
    bring(node, 4, 3);
    node.take();
    node.receive(n2, installSnapshot(3, 12));
    expect(node.take().pullSnapshotFrom).toBeUndefined();
    bring(node, 6, 3);
    expect(node.take().install).toBeUndefined();
    expect(node.raft.view().commitIndex).toBe(4);
  });

  test('pitfall 3: a snapshot that contradicts what is committed stops the node', () => {
    const node = startNode({ log: entries(1, 1, 1, 1), commitIndex: 3 });
    node.receive(n2, installSnapshot(5));
    expect(() => bring(node, 3, 4)).toThrow(/agrees with what is committed/);
  });

  test('a leader has no use for one', () => {
    const node = startNode();
    becomeLeader(node);
    bring(node, 99, 1);
    expect(node.take()).toMatchObject({ install: undefined, persist: undefined });
  });

  test('one that is newer than any term heard of stops the node', () => {
    expect(() => bring(startNode(), 4, 3)).toThrow(/newer than the leader/);
  });

  test('a campaign ends with the snapshot', () => {
    const node = startNode({ term: 3 });
    timeOut(node);
    node.settle();
    bring(node, 4, 3);
    expect(node.raft.view()).toMatchObject({ role: 'follower', lastIndex: 4 });
  });
});

describe('a node that has lost the state below its log', () => {
  const start = { floor: [4, 2], log: [entry(5, 2), entry(6, 2)], appliedIndex: 0 } as const;

  test('asks its leader for a snapshot, again and again, and hands nothing out meanwhile', () => {
    const node = startNode({ ...start, commitIndex: 5 });
    expect(node.raft.view()).toMatchObject({
      awaitsSnapshot: true,
      appliedIndex: 0,
      commitIndex: 5,
    });
    node.receive(n2, heartbeat(2, 6));
    node.tick();
    const work = node.settle();
    expect(sentTo(work, n2, 'snapshotWanted')).toHaveLength(1);
    expect(committedBy(work)).toEqual([]);
    node.tick(9);
    expect(node.answers('snapshotWanted')).toEqual([]);
    node.tick(1);
    expect(node.answers('snapshotWanted')).toHaveLength(1);
  });

  test('never campaigns, but votes and acknowledges: its log is whole', () => {
    const node = startNode(start);
    node.tick(200);
    expect(node.settle().sent).toEqual([]);
    node.receive(n2, appendEntries(3, [6, 2], [entry(7, 3)]));
    expect(node.answers('appendEntriesResponse')).toMatchObject([{ success: true, matchIndex: 7 }]);
  });

  test('takes a snapshot at its floor, or in its log, and then what follows', () => {
    for (const index of [4, 5]) {
      const node = startNode({ ...start, commitIndex: 6 });
      node.receive(n2, installSnapshot(2));
      bring(node, index, 2);
      const work = node.settle();
      expect(work.readys[0]?.install).toEqual({ index, term: 2 });
      expect(committedBy(work).at(-1)).toBe(6);
      expect(committedBy(work)[0]).toBe(index + 1);
      expect(node.raft.view()).toMatchObject({ awaitsSnapshot: false, lastIndex: 6 });
    }
  });

  test('a snapshot from below its floor is of no use', () => {
    const node = startNode(start);
    node.receive(n2, installSnapshot(2));
    node.settle();
    bring(node, 3, 1);
    const ready = node.take();
    expect(ready.install).toBeUndefined();
    expect(ready.sendAfterPersist).toEqual([]);
  });
});
