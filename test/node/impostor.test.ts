// Two data-dirs under one name (G14): what one of them holds is never counted for the other, whatever it has heard of.
import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../../src/lib/ids.ts';
import { NEWEST_FRAME, type PeerFrame } from '../../src/node/peer-protocol.ts';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';
import { sampleHello } from '../support/peer-frames.ts';

const stranger = {
  nodeId: nodeId('n9'),
  incarnation: '',
  peerAddress: 'memory:n9',
  clientAddress: 'client:n9',
  learner: true,
};

/** The leader dies with a change of the members at an index that the others reach only much later. */
async function cutOffWithChange(cluster: MemoryCluster): Promise<string> {
  const old = cluster.leader() ?? '';
  cluster.network.partition(`${old} | ${cluster.followers().join(' ')}`);
  for (let at = 0; at < 60; at++) {
    cluster.write(old, registration(`lost-${at}`)).catch(() => undefined);
  }
  await cluster.clock.advance(20);
  const add = { kind: 'add', member: stranger } as const;
  cluster
    .node(old)
    .changeMembers(add, {})
    .catch(() => undefined);
  await cluster.clock.advance(50);
  expect(cluster.members(old)).toContain('n9?');
  await cluster.crash(old);
  cluster.network.heal();
  await cluster.settled();
  return old;
}

describe('a data-dir that was removed with its leader', () => {
  test('does not count for its successor, although it holds a newer configuration (G1, G14)', async () => {
    const cluster = await MemoryCluster.elected();
    const old = await cutOffWithChange(cluster);
    const first = cluster.disk(old);
    const [one = '', other = ''] = cluster.ids;
    // Meanwhile another data-dir has become the member of that name.
    await cluster.change(one, { kind: 'remove', nodeId: nodeId(old) });
    cluster.wipe(old);
    await cluster.join(old);
    await cluster.change(one, { kind: 'promote', nodeId: nodeId(old) });
    const leader = cluster.leader() ?? '';
    await cluster.crash(old);
    cluster.giveBack(old, first);
    const impostor = await cluster.startNode(old);
    // It takes the answer of this name to make a majority.
    await cluster.crash(leader === one ? other : one);
    const outcome = await cluster.outcome(cluster.write(leader, registration('alone')));
    expect('error' in outcome && outcome.error.code).toMatch(/noQuorum|outcomeUnknown/);
    // Nor is it told that what stands in its own log was committed.
    expect(impostor.status()).toMatchObject({ revision: 0, instances: 0 });
    expect(cluster.fatals).toEqual([]);
  });
});

describe('a member with a change of its own that was never committed', () => {
  test('hears a leader it does not know, whose configuration has a lower index', async () => {
    const cluster = await MemoryCluster.elected();
    const old = await cutOffWithChange(cluster);
    const [one = ''] = cluster.followers();
    await cluster.join('n4');
    await cluster.change(one, { kind: 'promote', nodeId: nodeId('n4') });
    await cluster.change(one, { kind: 'transfer', nodeId: nodeId('n4') });
    expect(cluster.leader()).toBe('n4');
    await cluster.startNode(old);
    await cluster.level();
    expect(cluster.members(old)).toBe('n1 n2 n3 n4');
    expect(cluster.fatals).toEqual([]);
  });
});

describe('a node that comes back under the name of its former self', () => {
  test('does not lead on what the log says of that one (G1, G14)', async () => {
    const clock: { after?: (ms: number, then: () => void) => unknown } = {};
    const slowly = (): Promise<void> =>
      new Promise((resolve) => clock.after?.(20, () => resolve()));
    const cluster = await MemoryCluster.elected({
      ids: ['n1'],
      raftLimits: { maxAppendBytes: 200, maxInflightMessages: 1 },
      log: (id) => (id === 'n1' && clock.after !== undefined ? { beforeDurable: slowly } : {}),
    });
    for (let at = 0; at < 50; at++) await cluster.register('n1', `i-${at}`);
    await cluster.join('n2');
    await cluster.change('n1', { kind: 'promote', nodeId: nodeId('n2') });
    await cluster.change('n1', { kind: 'remove', nodeId: nodeId('n1') });
    await cluster.clock.until(() => cluster.node('n2').status().role === 'leader', 'n2 leads');
    await cluster.crash('n1');
    cluster.wipe('n1');
    clock.after = (ms, then) => cluster.clock.after(ms, then);
    const back = await cluster.startNode('n1', { join: true });
    const { log } = cluster.disk('n1');
    await cluster.clock.until(() => log.entries.length > 5, 'a part of the log');
    expect(log.entries.some(({ kind }) => kind === 'membership')).toBe(false);
    // There it was the only voter.
    await cluster.crash('n2');
    await cluster.clock.advance(5000);
    expect(back.status().role).not.toBe('leader');
    const outcome = await cluster.outcome(cluster.write('n1', registration('alone')));
    expect('error' in outcome && outcome.error.code).toMatch(/noQuorum|notLeader/);
    await cluster.startNode('n2');
    await cluster.level();
    expect(cluster.fatals).toEqual([]);
  });
});

async function say(cluster: MemoryCluster, to: string, frames: readonly PeerFrame[]) {
  for (const id of cluster.ids.filter((other) => other !== to)) {
    const address = `memory:stranger-${id}`;
    const transport = cluster.network.transport(nodeId(id), cluster.clock, address);
    await transport.start({
      hello: () => ({
        ...sampleHello(id, to),
        peerAddress: address,
        clusterId: 'test',
        clusterUuid: cluster.disk(to).formed ?? '',
        lastTerm: term(1_000_000),
        newestFrame: NEWEST_FRAME,
      }),
      admit: () => undefined,
      onFrames: () => undefined,
      onConnected: (peer) => transport.send(peer, frames),
      onBroken: () => undefined,
      onGone: () => undefined,
      onRefused: () => undefined,
    });
    transport.connect([{ nodeId: nodeId(to), address: `memory:${to}` }]);
  }
  await cluster.clock.advance(10);
}

describe('strangers under the names of members, who know the uuid and say a term that nobody has reached', () => {
  test('do not convict a node with what they say its state should be (G12)', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    for (let round = 0; round < 6; round++) {
      const writes = Array.from({ length: 200 }, (_, at) =>
        cluster.write(leader, registration(`i-${round}-${at}`)),
      );
      await cluster.finish(Promise.all(writes));
    }
    await cluster.level();
    const [follower = ''] = cluster.followers();
    expect(cluster.node(follower).status().appliedIndex).toBeGreaterThan(1024);
    await say(cluster, follower, [{ kind: 'stateHash', index: logIndex(1024), hash: 'astray' }]);
    expect(cluster.fatals).toEqual([]);
    expect(cluster.node(follower).status().problems.join()).not.toContain('differs');
  });

  test('do not stop the writes with what they say of their disks', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    await say(cluster, leader, [{ kind: 'diskReport', freeBytes: 0, short: true }]);
    expect(cluster.node(leader).status().problems.join()).not.toContain('disk_reserve_bytes');
  });
});
