// Patience with the own disk: leadership is tied to what it writes, heartbeats are not (pitfall 11).
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import {
  acknowledge,
  appendEntries,
  becomeLeader,
  entries,
  inTerm,
  type LoneNode,
  n1,
  n2,
  n3,
  propose,
  sentTo,
  startNode,
  timeOut,
} from './lone-node.ts';

const patience = { diskPatienceTicks: 40 };

/** Ticks during which n2 answers whatever it is sent and the disk does nothing. */
function pass(node: LoneNode, ticks: number): void {
  for (let tick = 0; tick < ticks; tick++) {
    node.tick();
    for (const { to, message } of node.take().sendNow) {
      if (to !== n2 || message.kind !== 'heartbeat') continue;
      const { session, round, term } = message;
      node.receive(n2, { kind: 'heartbeatResponse', term, session, round });
    }
  }
}

function finish(node: LoneNode, sequence: number): void {
  node.step({ kind: 'persisted', sequence, term: node.raft.view().term });
}

describe('pitfall 11: a leader with a dead disk', () => {
  test('steps down by the age of its oldest unfinished write, though it is answered', () => {
    const node = startNode({ config: patience });
    becomeLeader(node);
    propose(node, 'a');
    node.take();
    pass(node, 39);
    expect(node.raft.view().role).toBe('leader');
    pass(node, 1);
    expect(node.raft.view().role).toBe('follower');
  });

  test('is not saved by younger writes that wait behind it', () => {
    const node = startNode({ config: patience });
    const work = becomeLeader(node);
    for (let write = 0; write < 4; write++) {
      propose(node, 'a');
      node.take();
      pass(node, 10);
    }
    expect(node.raft.view().role).toBe('follower');
    expect(sentTo(work, n2, 'appendEntries')).toHaveLength(1);
  });

  test('goes on when each write ends in time, however slow all of them are', () => {
    const node = startNode({ config: patience });
    becomeLeader(node);
    for (let write = 0; write < 10; write++) {
      propose(node, 'a');
      const { persist } = node.take();
      pass(node, 39);
      finish(node, persist?.sequence ?? 0);
    }
    expect(node.raft.view().role).toBe('leader');
  });

  test('does not count time in which the host stood still', () => {
    const node = startNode({ config: patience });
    becomeLeader(node);
    propose(node, 'a');
    node.take();
    pass(node, 39);
    node.step({ kind: 'clockGap', ticks: 500 });
    pass(node, 39);
    expect(node.raft.view().role).toBe('leader');
  });

  test('is not saved by a host that stands still again and again', () => {
    const node = startNode({ config: patience });
    becomeLeader(node);
    propose(node, 'a');
    node.take();
    for (let gap = 0; gap < 10; gap++) {
      pass(node, 10);
      node.step({ kind: 'clockGap', ticks: 6 });
    }
    expect(node.raft.view().role).toBe('follower');
  });

  test('alone it stays: nobody could take over', () => {
    const node = startNode({ config: patience, voters: [n1], learners: [nodeId('n4')] });
    node.tick(60);
    node.settle();
    propose(node, 'a');
    node.take();
    node.tick(500);
    expect(node.raft.view().role).toBe('leader');
  });
});

describe('a node whose disk has stopped', () => {
  test('does not campaign before all it had to write is written, and then does', () => {
    const node = startNode();
    becomeLeader(node);
    propose(node, 'a');
    const first = node.take().persist;
    pass(node, 90);
    propose(node, 'b');
    const second = node.take().persist;
    pass(node, 10);
    expect(node.raft.view().role).toBe('follower');
    finish(node, first?.sequence ?? 0);
    node.tick(60);
    expect(node.raft.view().role).toBe('follower');
    finish(node, second?.sequence ?? 0);
    timeOut(node);
    expect(node.raft.view().role).toBe('preCandidate');
  });

  test('as a follower does not campaign either, nor when it is told to', () => {
    const node = startNode({ config: patience });
    node.receive(n2, appendEntries(1, [0, 0], entries(1)));
    node.take();
    node.tick(45);
    node.receive(n2, { kind: 'timeoutNow', term: inTerm(1) });
    node.tick(200);
    expect(node.raft.view()).toMatchObject({ role: 'follower', term: 1 });
  });

  test('commits with the disks of a majority while its own is slow', () => {
    const node = startNode({ config: patience });
    const work = becomeLeader(node);
    propose(node, 'a');
    node.take();
    acknowledge(node, n2, work, 2);
    acknowledge(node, n3, work, 2);
    expect(node.raft.view()).toMatchObject({ commitIndex: 2, persistedIndex: 1 });
  });
});
