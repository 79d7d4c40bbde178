// A node that becomes a member says nothing as one before its data-dir knows: until then the data-dir may lose everything and
// begin anew in the same incarnation (G14).
import { expect, test } from 'vitest';
import { deferred } from '../../src/lib/deferred.ts';
import { nodeId } from '../../src/lib/ids.ts';
import type { PeerFrame } from '../../src/node/peer-protocol.ts';
import { MemoryCluster } from '../support/memory-cluster.ts';

/** What speaks for the disk of `id`, from now on. */
function promisesOf(cluster: MemoryCluster, id: string): readonly string[] {
  const { transport } = cluster.running(id);
  const send = transport.send.bind(transport);
  const promises: string[] = [];
  transport.send = (to, frames) => {
    promises.push(...frames.flatMap(promiseOf));
    return send(to, frames);
  };
  return promises;
}

function promiseOf(frame: PeerFrame): readonly string[] {
  if (frame.kind !== 'raft') return [];
  const { message } = frame;
  if (message.kind === 'requestVoteResponse' && message.voteGranted) return ['vote'];
  if (message.kind === 'appendEntriesResponse' && message.success) return ['acknowledgement'];
  return message.kind === 'installSnapshotResponse' ? ['snapshot'] : [];
}

const TRIMMED = { logEntries: 8, logBytes: 1, chunkBytes: 512 };

test.for([
  ['whose log begins with the first entry', {}],
  ['that begins with a snapshot', TRIMMED],
] as const)(
  'a node %s acknowledges no membership while its identity cannot be written, and gets no vote (G14)',
  async ([, retention]) => {
    const identity = deferred<void>();
    const cluster = await MemoryCluster.elected({
      retention,
      identity: async (id) => {
        if (id === 'n4') await identity.promise;
      },
    });
    const leader = cluster.leader() ?? '';
    for (let i = 0; i < 40; i++) await cluster.register(leader, `i-${i}`);
    await cluster.startNode('n4', { join: true });
    const promises = promisesOf(cluster, 'n4');
    const problems = (): string => cluster.node('n4').status().problems.join();
    const noting = (): boolean => problems().includes('noting in its data directory');
    await cluster.clock.until(noting, 'n4 learns that it is a member', 20_000, () =>
      cluster.picture(),
    );
    const before = promises.length;
    const promote = { kind: 'promote', nodeId: nodeId('n4') } as const;
    const outcome = await cluster.outcome(cluster.node(leader).changeMembers(promote, {}));
    expect('error' in outcome && outcome.error.code).toBe('failedPrecondition');
    // Its own log has the entry, more comes, and whoever asks for a vote gets none.
    await cluster.register(leader, 'more');
    await cluster.crash(leader);
    await cluster.clock.advance(5000);
    expect(cluster.disk('n4').formed).toBeUndefined();
    expect(promises.slice(before)).toEqual([]);

    identity.resolve();
    await cluster.clock.until(() => promises.length > before, 'n4 acknowledges');
    await cluster.clock.advance(500);
    expect(cluster.disk('n4').formed).toBeDefined();
    expect(await cluster.change(cluster.leader() ?? '', promote)).toContain('n4');
    expect(cluster.fatals).toEqual([]);
  },
);

test('a node that cannot write its identity ends with exit code 10', async () => {
  const cluster = await MemoryCluster.elected({
    identity: (id) => (id === 'n4' ? Promise.reject(new Error('EIO')) : Promise.resolve()),
  });
  await cluster.startNode('n4', { join: true });
  await cluster.clock.until(() => cluster.fatals.length > 0, 'n4 ends');
  expect(cluster.fatals).toMatchObject([
    { id: 'n4', code: 10, reason: 'the data directory could not note its cluster' },
  ]);
});

test('and so does one that cannot at its next start: its log is not to blame', async () => {
  const writes = [deferred<void>().promise, Promise.reject(new Error('EIO'))];
  for (const write of writes) write.catch(() => undefined);
  const cluster = await MemoryCluster.elected({
    identity: async (id) => {
      if (id === 'n4') await writes.shift();
    },
  });
  await cluster.startNode('n4', { join: true });
  await cluster.clock.until(() => writes.length === 1, 'n4 learns that it is a member');
  await cluster.crash('n4');
  await cluster.startNode('n4', { join: true });
  await cluster.clock.until(() => cluster.fatals.length > 0, 'n4 ends');
  expect(cluster.fatals).toMatchObject([
    { id: 'n4', code: 10, reason: 'the data directory could not note its cluster' },
  ]);
});

test('a node that ended before it could note its membership notes it at the next start, before it says anything (G14)', async () => {
  const never = deferred<void>();
  const second = deferred<void>();
  const writes: Promise<void>[] = [never.promise, second.promise];
  const cluster = await MemoryCluster.elected({
    identity: async (id) => {
      if (id === 'n4') await writes.shift();
    },
  });
  const leader = cluster.leader() ?? '';
  await cluster.startNode('n4', { join: true });
  const noting = (): boolean =>
    cluster.node('n4').status().problems.join().includes('noting in its data directory');
  await cluster.clock.until(noting, 'n4 learns that it is a member');
  await cluster.crash('n4');
  await cluster.startNode('n4', { join: true });
  const promises = promisesOf(cluster, 'n4');
  await cluster.register(leader, 'more');
  await cluster.clock.advance(3000);
  expect(writes).toEqual([]);
  expect(cluster.disk('n4').formed).toBeUndefined();
  expect(promises).toEqual([]);

  second.resolve();
  await cluster.clock.until(() => promises.length > 0, 'n4 acknowledges');
  expect(cluster.disk('n4').formed).toBeDefined();
  expect(cluster.fatals).toEqual([]);
});
