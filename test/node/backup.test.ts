// A backup is taken at the taker's pace, one at a time, and never holds the state store for longer than somebody takes it.
import { describe, expect, test } from 'vitest';
import { RegistryError } from '../../src/lib/registry-error.ts';
import { Backups } from '../../src/node/backup.ts';
import type { CallOptions } from '../../src/node/registry-node.ts';
import { hashOfImage } from '../../src/registry/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { emptyMemoryState, flipBit, MemoryStateStore } from '../support/memory-state-store.ts';
import { StateModel } from '../support/state-batches.ts';

async function world({ flushed = 3, quorum = true } = {}) {
  const clock = new FakeClock();
  const disk = emptyMemoryState();
  const stateStore = new MemoryStateStore(disk);
  const put = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`k${at}`, 'x'.repeat(50)]));
  const batch = new StateModel().next({ put });
  const { revision, registryTimeMs } = batch.meta;
  const hash = hashOfImage(batch.records, revision, registryTimeMs);
  await stateStore.write({ ...batch, meta: { ...batch.meta, hash } });
  const state = { flushed, damaged: [] as string[], disk };
  const backups = new Backups({
    clock,
    stateStore,
    nodeId: 'n1',
    softwareVersion: '1.2.3',
    cluster: () => ({ clusterId: 'test', clusterUuid: 'ab'.repeat(16) }),
    caughtUp: () =>
      quorum ? Promise.resolve() : Promise.reject(new RegistryError('noQuorum', 'nobody')),
    appliedIndex: () => 3,
    flushedIndex: () => state.flushed,
    chunkBytes: 200,
    idleMs: 1000,
    log: { info: () => undefined },
    damaged: (reason) => state.damaged.push(reason),
  });
  const open = (options: CallOptions = {}) => backups.save(options)[Symbol.asyncIterator]();
  return { clock, state, open };
}

async function restOf(parts: AsyncIterator<Uint8Array>): Promise<number> {
  let count = 0;
  while ((await parts.next()).done !== true) count++;
  return count;
}

describe('a backup', () => {
  test('comes in parts, made as they are taken', async () => {
    const { open } = await world();
    expect(await restOf(open())).toBeGreaterThan(10);
  });

  test('is one at a time: another one is refused, and taken once the first is over (G17)', async () => {
    const { open } = await world();
    const first = open();
    await first.next();
    await expect(open().next()).rejects.toMatchObject({ code: 'resourceExhausted' });
    await first.return?.();
    expect(await restOf(open())).toBeGreaterThan(10);
  });

  test('that nobody takes is given up, and makes room for the next (G17)', async () => {
    const { open, clock, state } = await world();
    const stuck = open();
    await stuck.next();
    await stuck.next();
    await clock.advance(1000);
    expect(await restOf(open())).toBeGreaterThan(10);
    await expect(stuck.next()).rejects.toMatchObject({
      code: 'resourceExhausted',
      message: 'a backup nobody takes, limit 1000 ms',
    });
    expect(state.damaged).toEqual([]);
  });

  test('of a state that is not what was written has no end, and the node is told at once (G13)', async () => {
    const { open, state } = await world();
    flipBit(state.disk.records);
    const parts = open();
    await expect(restOf(parts)).rejects.toMatchObject({ code: 'shuttingDown' });
    expect(state.damaged).toEqual([
      expect.stringMatching(
        /^the state on disk is damaged: its 40 records at index 3 have the hash/,
      ),
    ]);
  });

  test('is refused without a quorum: it would lack what was acknowledged', async () => {
    const { open } = await world({ quorum: false });
    await expect(open().next()).rejects.toMatchObject({ code: 'noQuorum' });
    await expect(open().next()).rejects.toMatchObject({ code: 'noQuorum' });
  });

  test('waits until the state on disk has what is applied, and says so when it never does', async () => {
    const { open, clock, state } = await world({ flushed: 2 });
    let begun = false;
    const waiting = open();
    const first = waiting.next().then(() => {
      begun = true;
    });
    await clock.advance(200);
    expect(begun).toBe(false);
    state.flushed = 3;
    await clock.advance(40);
    await first;
    await waiting.return?.();
    state.flushed = 2;
    const never = open().next();
    never.catch(() => undefined);
    await clock.advance(10_100);
    await expect(never).rejects.toMatchObject({ code: 'behind' });
  });
});
