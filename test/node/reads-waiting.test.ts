// Readers that wait while this node cannot serve anybody yet.
import { expect, test } from 'vitest';
import { revision } from '../../src/lib/ids.ts';
import { Reads } from '../../src/node/reads.ts';
import { createCatalogue } from './catalogue.ts';
import { TurnClock } from './turn-clock.ts';

test('a new leader that becomes known before this node may serve leaves the readers waiting, and the node running', async () => {
  const clock = new TurnClock();
  let running = false;
  const reads = new Reads({
    clock,
    registry: createCatalogue().registry,
    running: () => running,
    joinRound: (done) => done({ kind: 'confirmed', begunMs: clock.now() }),
    freshMs: () => undefined,
    noQuorumReason: () => 'nobody leads',
  });
  const read = reads.read({
    consistency: 'linearizable',
    minRevision: revision(0),
    maxStalenessMs: 0,
  });
  clock.rest();
  reads.leaderChanged();
  running = true;
  reads.leaderChanged();
  await expect(read).resolves.toEqual({ ageMs: 0 });
});
