// Two data-dirs under one name (G14): what one of them holds is never counted for the other, whatever it has heard of.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';

describe('a data-dir that was removed with its leader', () => {
  test('does not count for its successor, although it holds a newer configuration (G1, G14)', async () => {
    const cluster = await MemoryCluster.elected();
    const old = cluster.leader() ?? '';
    const [one = '', other = ''] = cluster.followers();
    // Cut off, it appends a change of the members at an index that the others reach only much later.
    cluster.network.partition(`${old} | ${one} ${other}`);
    const lost = Array.from({ length: 60 }, (_, at) =>
      cluster.outcome(cluster.write(old, registration(`lost-${at}`))),
    );
    await cluster.clock.advance(20);
    const member = {
      nodeId: nodeId('n9'),
      incarnation: '',
      peerAddress: 'memory:n9',
      clientAddress: 'client:n9',
      learner: true,
    };
    const change = cluster.outcome(cluster.node(old).changeMembers({ kind: 'add', member }, {}));
    await cluster.clock.advance(50);
    expect(cluster.members(old)).toContain('n9?');
    await cluster.crash(old);
    const first = cluster.disk(old);
    cluster.network.heal();
    await cluster.settled();
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
    void lost;
    void change;
  });
});
