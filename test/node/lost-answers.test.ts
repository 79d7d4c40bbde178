// Only the leader's stream to a follower breaks, the follower's own stays whole: requests arrive, answers are lost.
import { describe, expect, test } from 'vitest';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';

/** A write through a follower whose answer is lost with the leader's stream to it. */
async function writeAnswerLost(requestId: string) {
  const cluster = await MemoryCluster.elected();
  const leader = cluster.leader() ?? '';
  const [follower = ''] = cluster.followers();
  const outcome = cluster.outcome(cluster.write(follower, registration('a'), requestId));
  await cluster.clock.advance(2);
  const { transport } = cluster.running(follower);
  cluster.running(leader).transport.breakStreams(({ to }) => to === transport);
  return { cluster, leader, outcome: await outcome };
}

describe('a write whose answer was lost', () => {
  test('with a request_id is asked again at once, and applied once (G4, G15)', async () => {
    const { cluster, leader, outcome } = await writeAnswerLost('r1');
    expect(outcome).toMatchObject({ value: { kind: 'registered', revision: 1 } });
    expect(outcome.afterMs).toBeLessThan(100);
    expect(cluster.node(leader).registry.revision).toBe(1);
    expect(cluster.leader()).toBe(leader);
  });

  test('without one is unknown at once, not after a long wait (G3)', async () => {
    const { cluster, leader, outcome } = await writeAnswerLost('');
    expect(outcome).toMatchObject({ error: { code: 'outcomeUnknown' } });
    expect(outcome.afterMs).toBeLessThan(100);
    expect(cluster.node(leader).registry.revision).toBe(1);
  });
});
