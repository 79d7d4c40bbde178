// The giving side of a snapshot, asked by hand: a source that is slow is not made slower by being asked again.
import { expect, test } from 'vitest';
import type { SnapshotChunk } from '../../src/node/peer-protocol.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { flipBit } from '../support/memory-state-store.ts';
import { leftBehind } from './snapshot-cluster.ts';
import { OTHER, SOURCE, SourceNode, TransferWorld } from './snapshot-world.ts';

test('a chunk asked for again before its turn has come is given once, to the newest request', async () => {
  const clock = new FakeClock();
  const node = new SourceNode(clock);
  await node.fill(50);
  const answers: SnapshotChunk[] = [];
  const ask = (id: number, snapshotId: string, chunk: number): void => {
    const request = { kind: 'snapshotRequest', id, snapshotId, chunk } as const;
    node.source.serve(OTHER, request, (answer) => answers.push(answer));
  };
  ask(1, '', 0);
  await clock.settle();
  const snapshotId = answers[0]?.snapshotId ?? '';
  // The first is in its turn at once, the others wait for it.
  ask(2, snapshotId, 1);
  ask(3, snapshotId, 2);
  ask(4, snapshotId, 3);
  ask(5, snapshotId, 2);
  ask(6, snapshotId, 3);
  // The same chunk of another snapshot is another question.
  ask(7, 'gone', 3);
  await clock.settle();
  expect(answers.map(({ id, chunk }) => [id, chunk])).toEqual([
    [1, 0],
    [2, 1],
    [5, 2],
    [6, 3],
    [7, 3],
  ]);
  expect(answers.at(-1)?.snapshotId).toBe('');
  expect(node.failures).toEqual([]);
});

test('a state that is not what was written is noticed while it is given, and its end is not (G13)', async () => {
  const world = new TransferWorld();
  const source = world.node();
  await source.fill(50);
  flipBit(source.state.records);
  await world.run(1000);
  expect(source.failures[0]).toMatch(/^the state on disk is damaged: its 50 records at index 10 /);
  expect(world.offered).toBe(false);
  expect(world.events).not.toContain('snapshot_pull_ended');
});

test('a state is not taken for damaged because some of it is asked for again (G13)', async () => {
  const world = new TransferWorld();
  const source = world.node();
  await source.fill(50);
  const lost = new Set<number>();
  world.mangle = (chunk) => {
    if (lost.has(chunk.chunk)) return chunk;
    lost.add(chunk.chunk);
    return undefined;
  };
  await world.run(60_000, SOURCE);
  expect(world.offered).toBe(true);
  expect(source.failures).toEqual([]);
});

test('a leader whose state is damaged ends when it is asked for it, and the next one gives it (G13)', async () => {
  const { cluster, away, leader } = await leftBehind();
  flipBit(cluster.disk(leader).state.records);
  const sinceMs = cluster.clock.now();
  await cluster.startNode(away);
  await cluster.clock.until(() => cluster.fatals.length > 0, 'the leader finds it');
  expect(cluster.fatals).toMatchObject([
    {
      id: leader,
      code: 10,
      reason: expect.stringContaining('the state on disk is damaged: its 60'),
    },
  ]);
  await cluster.crash(leader);
  await cluster.level();
  expect(cluster.node(away).registry.instanceCount).toBe(60);
  // Long before a scrub would have found it.
  expect(cluster.clock.now() - sinceMs).toBeLessThan(5000);
  expect(cluster.node(away).status().scrubbedAtMs).toBe(0);
  expect(cluster.fatals).toHaveLength(1);
});
