// A follower dies at each stage of taking over a snapshot, with the power or without, and is started again: it has the
// old state or the new one, never a mixture, and gets there in the end.
import { describe, expect, test } from 'vitest';
import type { MemoryCluster } from '../support/memory-cluster.ts';
import { type DiskStep, loseUnsettled } from '../support/memory-state-store.ts';
import { expectEqual, leftBehind } from './snapshot-cluster.ts';

/** Where the follower stops for good; `floor` is the batch with which its log begins behind the snapshot. */
type Stage = DiskStep | 'floor' | 'second part' | 'written after';
const stages: readonly Stage[] = [
  'stage',
  'add',
  'second part',
  'seal',
  'floor',
  'install',
  'written after',
];

const never = (): Promise<void> => new Promise<void>(() => undefined);

/** A follower far behind that comes to a halt at this stage. */
async function haltedAt(
  stage: Stage,
): Promise<{ readonly cluster: MemoryCluster; readonly away: string; readonly leader: string }> {
  let armed: string | undefined;
  let halted = false;
  let adds = 0;
  const halt = (): Promise<void> => {
    halted = true;
    armed = undefined;
    return never();
  };
  const behind = await leftBehind({
    state: (id) => ({
      async beforeStep(step) {
        if (armed !== id) return;
        if (step === stage) await halt();
        if (step === 'add' && ++adds === 2 && stage === 'second part') await halt();
      },
      async beforeDurable() {
        if (armed === id && stage === 'written after') await halt();
      },
    }),
    log: (id) => ({
      async beforeDurable(batch) {
        if (armed === id && stage === 'floor' && batch.floor !== undefined) await halt();
      },
    }),
  });
  armed = behind.away;
  await behind.cluster.startNode(behind.away);
  for (let i = 0; i < 3; i++) await behind.cluster.register(behind.leader, `meanwhile-${i}`);
  await behind.cluster.clock.until(() => halted, `the halt at ${stage}`, 20_000);
  return behind;
}

async function expectRecovery(cluster: MemoryCluster, away: string, leader: string): Promise<void> {
  await cluster.startNode(away);
  await cluster.settled();
  await cluster.register(leader, 'afterwards');
  await cluster.read(away);
  expectEqual(cluster);
  expect(cluster.node(away).registry.instanceCount).toBe(64);
  await cluster.stop();
}

describe('a follower that dies while it takes over a snapshot', () => {
  test.for(stages)('at the stage "%s" has the whole state in the end', async (stage) => {
    const { cluster, away, leader } = await haltedAt(stage);
    await cluster.crash(away);
    await expectRecovery(cluster, away, leader);
  });

  test.for(stages)(
    'at the stage "%s", with the power, has the whole state in the end',
    async (stage) => {
      const { cluster, away, leader } = await haltedAt(stage);
      await cluster.crash(away);
      loseUnsettled(cluster.disk(away).state, 0);
      await expectRecovery(cluster, away, leader);
    },
  );

  test('at the stage "install" needs nobody to have the new state at its next start', async () => {
    const { cluster, away } = await haltedAt('install');
    await cluster.crash(away);
    for (const id of cluster.ids) await cluster.crash(id);
    await cluster.startNode(away);
    await cluster.clock.advance(5000);
    expect(cluster.node(away).registry.instanceCount).toBeGreaterThanOrEqual(60);
    expect(cluster.fatals).toEqual([]);
    await cluster.stop();
  });

  test('again and again gets there when it lives', async () => {
    const { cluster, away, leader } = await haltedAt('second part');
    for (let i = 0; i < 5; i++) {
      await cluster.crash(away);
      await cluster.startNode(away);
      await cluster.clock.advance(15 + 10 * i);
    }
    await cluster.crash(away);
    await expectRecovery(cluster, away, leader);
  });

  test('leaves with what it has when it is stopped in the middle', async () => {
    const { cluster, away, leader } = await haltedAt('floor');
    await cluster.crash(away);
    await cluster.startNode(away);
    await cluster.clock.advance(30);
    await cluster.finish(cluster.node(away).stop({ graceMs: 0 }));
    await cluster.crash(away);
    await expectRecovery(cluster, away, leader);
  });
});
