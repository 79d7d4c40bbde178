// Clusters whose logs are so short that a follower soon needs a snapshot.
import { expect } from 'vitest';
import { MemoryCluster, type MemoryClusterOptions } from '../support/memory-cluster.ts';

export const SMALL = { logEntries: 20, chunkBytes: 2000 };

/** Time passes while every log is trimmed to what its limits say. */
export const trimmed = (cluster: MemoryCluster): Promise<void> => cluster.clock.advance(3000);

export interface LeftBehind {
  readonly cluster: MemoryCluster;
  /** Crashed, not started again. */
  readonly away: string;
  readonly leader: string;
}

/** One follower is away while the others write more than their logs keep. */
export async function leftBehind(
  options: MemoryClusterOptions = {},
  writes = 60,
): Promise<LeftBehind> {
  const cluster = await MemoryCluster.elected({ retention: SMALL, ...options });
  const leader = cluster.leader() ?? '';
  const [away = ''] = cluster.followers();
  await cluster.crash(away);
  for (let i = 0; i < writes; i++) await cluster.register(leader, `behind-${i}`);
  await trimmed(cluster);
  return { cluster, away, leader };
}

/** All running nodes hold the same state, none of them failed, and no log is whole any more (G12). */
export function expectEqual(cluster: MemoryCluster): void {
  const [first] = cluster.ids;
  const wanted = cluster.node(first ?? '').registry.meta();
  for (const id of cluster.ids) {
    expect(cluster.node(id).registry.meta(), id).toEqual(wanted);
    expect(cluster.node(id).status().firstIndex, id).toBeGreaterThan(1);
  }
  expect(cluster.fatals).toEqual([]);
}
