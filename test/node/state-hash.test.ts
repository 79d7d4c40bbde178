// A node whose state is not what was applied goes, the leader too; the others stay (G12).
import { describe, expect, test } from 'vitest';
import { logIndex, type NodeId, nodeId, revision } from '../../src/lib/ids.ts';
import { createHashComparison } from '../../src/node/hash-comparison.ts';
import { registryDefaults } from '../../src/registry/index.ts';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';

/** Registers so many instances through the node, in groups. */
async function fill(cluster: MemoryCluster, at: string, from: number, count: number) {
  for (let done = 0; done < count; done += 200) {
    const writes = Array.from({ length: Math.min(200, count - done) }, (_, offset) =>
      cluster.write(at, registration(`i-${from + done + offset}`)),
    );
    await cluster.finish(Promise.all(writes));
  }
}

describe('the state hash', () => {
  test('is equal on all nodes at the same index', async () => {
    const cluster = await MemoryCluster.elected();
    await fill(cluster, cluster.leader() ?? '', 0, 300);
    await cluster.clock.advance(200);
    const states = cluster.ids.map((id) => {
      const { stateHash, stateHashIndex } = cluster.node(id).status();
      return `${stateHash}@${stateHashIndex}`;
    });
    expect(new Set(states).size).toBe(1);
  });

  test('one byte altered in the leader makes the leader go, with exit code 12, and not the followers', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    await fill(cluster, leader, 0, 100);
    // Everything is in the state store before a byte of memory changes.
    await cluster.clock.advance(2000);
    const record = cluster.node(leader).registry.get('default', 'i-50');
    expect(record).toBeDefined();
    if (record !== undefined) record.encoded[10] = (record.encoded[10] ?? 0) ^ 1;
    // A new walk over the records begins a second after the last one, and this one is short.
    await cluster.clock.advance(1100);
    expect(cluster.fatals).toMatchObject([{ id: leader, code: 12 }]);
    await cluster.crash(leader);
    await cluster.settled();
    await cluster.register(cluster.leader() ?? '', 'after');
    await cluster.startNode(leader);
    await cluster.settled();
    await cluster.read(leader);
    expect(cluster.fatals).toHaveLength(1);
    const hashes = cluster.ids.map((id) => cluster.node(id).status().stateHash);
    expect(new Set(hashes).size).toBe(1);
  });

  test('of a state that went astray in the past is outvoted at the next multiple of 1024', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    await fill(cluster, leader, 0, 50);
    // The leader remembers an answer that no log holds.
    cluster.node(leader).registry.apply({
      header: {
        registryTimeMs: 1,
        unixTimeMs: 1,
        actor: '',
        requestId: 'astray',
        limits: registryDefaults,
      },
      fingerprint: '0123456789abcdef',
      body: {
        kind: 'deregister',
        namespace: 'default',
        instanceId: 'nobody',
        generation: revision(0),
        reason: '',
      },
    });
    await cluster.clock.advance(500);
    expect(cluster.fatals).toEqual([]);
    await fill(cluster, leader, 1000, 800);
    expect(cluster.node(leader).status().appliedIndex).toBeLessThan(1024);
    const rest = fill(cluster, leader, 2000, 400).catch(() => undefined);
    await cluster.clock.until(() => cluster.fatals.length > 0, 'the quarantine');
    await rest;
    expect(cluster.fatals).toMatchObject([{ id: leader, code: 12 }]);
    expect(cluster.fatals[0]?.reason).toContain('a majority');
  });
});

describe('the comparison', () => {
  const [a, b, c] = [nodeId('a'), nodeId('b'), nodeId('c')];
  const index = logIndex(1024);
  const unknown = { incarnation: '', peerAddress: '', clientAddress: '' };
  const abc = { members: [a, b, c].map((id) => ({ ...unknown, nodeId: id, learner: false })) };
  const comparisonOf = (self: NodeId, record = () => abc, applied = 1024) =>
    createHashComparison({ self, record, appliedIndex: () => logIndex(applied) });

  test('convicts nobody while no majority agrees', () => {
    const comparison = comparisonOf(a);
    expect(comparison.report(a, index, 'x')).toEqual({ kind: 'nothing' });
    expect(comparison.report(b, index, 'y')).toEqual({ kind: 'differs', index, peers: [b] });
    expect(comparison.report(c, index, 'z')).toEqual({ kind: 'differs', index, peers: [b, c] });
  });

  test('convicts the node that a majority contradicts, whichever report comes last', () => {
    const orders = [
      [a, b, c],
      [b, a, c],
      [b, c, a],
      [c, b, a],
    ];
    for (const order of orders) {
      const comparison = comparisonOf(a);
      const verdicts = order.map((node) => comparison.report(node, index, node === a ? 'x' : 'y'));
      expect(verdicts.at(-1)?.kind).toBe('outvoted');
    }
  });

  test('counts each node once and strangers not at all', () => {
    const comparison = comparisonOf(a);
    comparison.report(a, index, 'x');
    comparison.report(b, index, 'y');
    expect(comparison.report(b, index, 'y').kind).toBe('differs');
    expect(comparison.report(nodeId('d'), index, 'y').kind).toBe('nothing');
  });

  test('hears learners too, and lets only those convict who vote', () => {
    const members = abc.members.map((member) => ({ ...member, learner: member.nodeId === c }));
    const comparison = comparisonOf(c, () => ({ members }));
    comparison.report(c, index, 'x');
    expect(comparison.report(a, index, 'y')).toEqual({ kind: 'differs', index, peers: [a] });
    expect(comparison.report(b, index, 'y').kind).toBe('outvoted');
    const voter = comparisonOf(a, () => ({ members }));
    voter.report(a, index, 'x');
    voter.report(c, index, 'y');
    expect(voter.report(nodeId('b'), index, 'x').kind).toBe('differs');
  });

  test('follows the members as they change', () => {
    let members = abc.members.slice(0, 1);
    const comparison = comparisonOf(a, () => ({ members }));
    comparison.report(a, index, 'x');
    expect(comparison.report(b, index, 'y').kind).toBe('nothing');
    members = abc.members;
    comparison.report(b, index, 'y');
    expect(comparison.report(c, index, 'y').kind).toBe('outvoted');
  });

  test('remembers a bounded number of indexes, the newest', () => {
    const comparison = comparisonOf(a, () => abc, 200 * 1024);
    for (let at = 1; at <= 200; at++) comparison.report(b, logIndex(at * 1024), 'y');
    expect(comparison.report(a, logIndex(72 * 1024), 'x').kind).toBe('nothing');
    expect(comparison.report(a, logIndex(73 * 1024), 'x').kind).toBe('differs');
    expect(comparison.report(a, logIndex(200 * 1024), 'x').kind).toBe('differs');
  });

  test('keeps its own indexes whatever a member says of ones that nobody has reached (G12)', () => {
    const comparison = comparisonOf(a);
    comparison.report(a, index, 'x');
    for (let at = 1; at <= 1000; at++) comparison.report(b, logIndex(at * 2 ** 40), 'y');
    for (let at = 2; at <= 1000; at++) comparison.report(b, logIndex(at * 1024), 'y');
    expect(comparison.report(b, logIndex(1025), 'y').kind).toBe('nothing');
    expect(comparison.report(c, index, 'y').kind).toBe('differs');
    // One that is ahead is compared once this node has got there, up to 64 indexes further.
    expect(comparison.report(a, logIndex(65 * 1024), 'x').kind).toBe('differs');
    expect(comparison.report(a, logIndex(66 * 1024), 'x').kind).toBe('nothing');
  });

  test('keeps its own indexes whatever a member says of ones at which nobody compares (G12)', () => {
    const comparison = comparisonOf(a);
    comparison.report(a, index, 'x');
    for (let at = 1025; at < 2048; at++) comparison.report(b, logIndex(at), 'y');
    expect(comparison.report(c, index, 'y')).toEqual({ kind: 'differs', index, peers: [c] });
  });
});
