// Three nodes in memory: they form, elect, write and read.
import { describe, expect, test } from 'vitest';
import { MemoryCluster } from '../support/memory-cluster.ts';

describe('three nodes', () => {
  test('form a cluster, elect a leader and take writes and linearizable reads on every node', async () => {
    const cluster = await MemoryCluster.elected();
    for (const id of cluster.ids) {
      const result = await cluster.register(id, `instance-${id}`);
      expect(result.kind).toBe('registered');
      for (const reader of cluster.ids) {
        expect(await cluster.read(reader)).toBe(0);
        expect(cluster.node(reader).registry.get('default', `instance-${id}`)).toBeDefined();
      }
    }
    expect(cluster.fatals).toEqual([]);
    await cluster.stop();
  });
});
