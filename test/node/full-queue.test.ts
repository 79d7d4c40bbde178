// A peer whose stream is open but takes nothing: its queue is full, and stays full for a while.
import { expect, test } from 'vitest';
import { MemoryCluster } from '../support/memory-cluster.ts';

test('a full queue to one peer costs the leader a question per heartbeat, and the peer catches up (G17)', async () => {
  const cluster = await MemoryCluster.elected();
  const leader = cluster.leader() ?? '';
  const [stuck = ''] = cluster.followers();
  const { transport } = cluster.running(leader);
  const send = transport.send.bind(transport);
  let full = true;
  let refused = 0;
  transport.send = (to, frames) => {
    if (to !== stuck || !full) return send(to, frames);
    const lost = frames.some((one) => one.kind === 'raft' && one.message.kind === 'appendEntries');
    if (lost) refused++;
    return false;
  };
  // A leader that tells its core of each loss at once never comes to rest here.
  await cluster.register(leader, 'a');
  await cluster.clock.advance(200);
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(10);
  full = false;
  await cluster.register(leader, 'b');
  await cluster.clock.advance(400);
  expect(cluster.node(stuck).status().appliedIndex).toBe(
    cluster.node(leader).status().appliedIndex,
  );
  expect(cluster.leader()).toBe(leader);
  expect(cluster.fatals).toEqual([]);
});
