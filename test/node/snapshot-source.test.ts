// The giving side of a snapshot, asked by hand: a source that is slow is not made slower by being asked again.
import { expect, test } from 'vitest';
import type { SnapshotChunk } from '../../src/node/peer-protocol.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { OTHER, SourceNode } from './snapshot-world.ts';

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
