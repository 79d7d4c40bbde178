// What counts as a sign of life, seen on whole nodes: heartbeats, which never enter the log, and registers, which speak
// for the registration they state and for no other (architecture, "Leases"; G10).
import { describe, expect, test } from 'vitest';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';
import { revision } from '../../src/lib/ids.ts';

const TTL_MS = 2000;
/** TTL + 1 s + 1 %, and one more round of whoever looks. */
const GONE_BY_MS = TTL_MS + 1000 + 20 + 500;
const ROUND_MS = 500;

const isThere = (cluster: MemoryCluster): boolean =>
  cluster.node(cluster.leader() ?? '').registry.get('default', 'a') !== undefined;

/** Runs `sign` every 500 ms until the instance would be long gone without it. */
async function repeat(cluster: MemoryCluster, sign: () => Promise<unknown>): Promise<void> {
  for (let passedMs = 0; passedMs < GONE_BY_MS; passedMs += ROUND_MS) {
    await cluster.outcome(sign());
    await cluster.clock.advance(ROUND_MS);
  }
}

describe('heartbeats', () => {
  test('never enter the log: 10,000 of them through every node append nothing', async () => {
    const cluster = await MemoryCluster.elected();
    for (let at = 0; at < 100; at++) await cluster.register('n1', `i-${at}`);
    const entries = (): readonly number[] =>
      cluster.ids.map((id) => cluster.disk(id).log.entries.length);
    await cluster.settled();
    await cluster.clock.advance(200);
    const before = entries();
    let acknowledged = 0;
    for (let round = 0; round < 100; round++) {
      const at = cluster.ids[round % cluster.ids.length] ?? '';
      const beats = Array.from({ length: 100 }, (_, position) => ({
        namespace: 'default',
        instanceId: `i-${position}`,
        generation: revision(0),
      }));
      const { failures } = await cluster.finish(cluster.node(at).heartbeat(beats, {}));
      acknowledged += beats.length - failures.length;
    }
    await cluster.clock.advance(200);
    expect(acknowledged).toBe(10_000);
    expect(entries()).toEqual(before);
  });
});

describe('a register', () => {
  test('of what is there already keeps it alive, with a request_id and without', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a', { ttlMs: TTL_MS });
    let round = 0;
    await repeat(cluster, () => {
      const requestId = round++ % 2 === 0 ? '' : `r-${round}`;
      return cluster.write('n1', registration('a', { ttlMs: TTL_MS }), requestId);
    });
    expect(isThere(cluster)).toBe(true);
  });

  test('in a batch with others that changed keeps it alive', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a', { ttlMs: TTL_MS });
    let port = 1;
    await repeat(cluster, () => {
      const all = [
        registration('a', { ttlMs: TTL_MS }),
        registration('b', { ttlMs: TTL_MS, port: port++ }),
      ];
      const items = all.flatMap((body) => (body.kind === 'register' ? [body.item] : []));
      return cluster.write('n1', { kind: 'registerBatch', items });
    });
    expect(isThere(cluster)).toBe(true);
  });

  test('that is refused for its generation does not keep a newer one alive (G10)', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'a', { ttlMs: TTL_MS, port: 1 });
    await cluster.register('n1', 'a', { ttlMs: TTL_MS, port: 2 });
    const old = { ttlMs: TTL_MS, port: 1, ifGeneration: revision(1) };
    await repeat(cluster, () => cluster.write('n1', registration('a', old)));
    expect(isThere(cluster)).toBe(false);
  });

  test('that is replayed from before does not keep a newer one alive (G4, G10)', async () => {
    const cluster = await MemoryCluster.elected();
    const first = { ttlMs: TTL_MS, port: 1 };
    await cluster.register('n1', 'a', { ...first, requestId: 'first' });
    await cluster.register('n1', 'a', { ttlMs: TTL_MS, port: 2 });
    await repeat(cluster, () => cluster.write('n1', registration('a', first), 'first'));
    expect(isThere(cluster)).toBe(false);
  });
});
