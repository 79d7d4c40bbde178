// The scrub of the state on disk: it reads all of it back, slowly, and finds what is not what was written.
import { describe, expect, test } from 'vitest';
import { logIndex, revision } from '../../src/lib/ids.ts';
import { nothingApplied } from '../../src/node/applier.ts';
import type { StateSnapshot } from '../../src/node/ports.ts';
import { StateScrub } from '../../src/node/state-scrub.ts';
import { hashOfImage, imageHasher } from '../../src/registry/index.ts';
import { DiskError } from '../../src/storage/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryCluster } from '../support/memory-cluster.ts';
import { emptyMemoryState, MemoryStateStore } from '../support/memory-state-store.ts';

const KIB = 1024;

async function harness(count: number) {
  const clock = new FakeClock();
  const state = emptyMemoryState();
  const store = new MemoryStateStore(state);
  const records = Array.from({ length: count }, (_, at) => ({
    key: `k${String(at).padStart(6, '0')}`,
    value: new Uint8Array(KIB).fill(at % 251),
  }));
  let index = 0;
  const write = async (): Promise<void> => {
    index++;
    const hash = hashOfImage(records, revision(index), 0);
    await store.write({
      records,
      appliedIndex: logIndex(index),
      appliedTerm: 1,
      configuration: nothingApplied.configuration,
      meta: { revision: revision(index), registryTimeMs: 0, hash },
    });
  };
  await write();
  const seen = {
    views: 0,
    reads: 0,
    damaged: [] as string[],
    failing: false,
    ended: false,
    refused: undefined as Error | undefined,
  };
  const scrub = new StateScrub({
    clock,
    stateStore: {
      async snapshot(): Promise<StateSnapshot> {
        if (seen.refused !== undefined) throw seen.refused;
        const view = await store.snapshot();
        seen.views++;
        return {
          header: view.header,
          get ended() {
            return seen.ended;
          },
          read: (after, maxBytes) => {
            seen.reads++;
            return seen.failing ? Promise.reject(new Error('EIO')) : view.read(after, maxBytes);
          },
          close: () => view.close(),
        };
      },
    },
    imageHasher,
    damaged: (reason) => seen.damaged.push(reason),
    log: { info: () => undefined },
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      await clock.advance(100);
      scrub.tick(clock.now());
      await clock.settle();
    }
  };
  return { state, scrub, seen, write, pass };
}

describe('the scrub of the state on disk', () => {
  test('reads all of it at its pace, says how far it is, and begins again after a rest', async () => {
    const { scrub, seen, pass } = await harness(1000);
    await pass(9900);
    expect([seen.views, scrub.records, scrub.scrubbedAtMs]).toEqual([0, 0, 0]);
    await pass(1000);
    expect(scrub.records).toBeGreaterThan(0);
    expect(scrub.records).toBeLessThanOrEqual(6 * 65);
    await pass(4000);
    expect([scrub.records, seen.views, seen.damaged]).toEqual([1000, 1, []]);
    expect(scrub.scrubbedAtMs).toBeGreaterThan(0);
    const { reads } = seen;
    await pass(590_000);
    expect(seen.reads).toBe(reads);
    await pass(20_000);
    expect([seen.views, seen.damaged]).toEqual([2, []]);
  });

  test('sees one state while it is written to', async () => {
    const { scrub, seen, write, pass } = await harness(300);
    await pass(10_200);
    await write();
    await pass(3000);
    expect([scrub.records, seen.damaged]).toEqual([300, []]);
    expect(scrub.scrubbedAtMs).toBeGreaterThan(0);
  });

  test.each(['changed', 'lost', 'new'])('finds a record that was %s', async (how) => {
    const { state, scrub, seen, pass } = await harness(300);
    const value = state.records.get('k000123');
    if (how === 'changed' && value !== undefined) value[17] = (value[17] ?? 0) ^ 4;
    if (how === 'lost') state.records.delete('k000123');
    if (how === 'new') state.records.set('k000123b', new Uint8Array(3));
    await pass(15_000);
    expect(seen.damaged).toHaveLength(1);
    expect(seen.damaged[0]).toMatch(/^the state on disk is damaged: its \d+ records at index 1 /);
    expect(scrub.scrubbedAtMs).toBe(0);
  });

  test('takes what cannot be read back for damage, but not where other content has taken its place', async () => {
    const one = await harness(300);
    await one.pass(10_200);
    one.seen.failing = true;
    await one.pass(1000);
    expect(one.seen.damaged).toEqual(['the state on disk cannot be read back']);
    const other = await harness(300);
    await other.pass(10_200);
    other.seen.failing = true;
    other.seen.ended = true;
    await other.pass(1000);
    expect(other.seen.damaged).toEqual([]);
    other.seen.failing = false;
    other.seen.ended = false;
    await other.pass(15_000);
    expect([other.seen.views, other.scrub.records, other.seen.damaged]).toEqual([2, 300, []]);
  });

  test('takes a view whose beginning the disk refuses for damage, and one that cannot be had now for nothing', async () => {
    const { seen, scrub, pass } = await harness(300);
    seen.refused = new Error('no more than 5 snapshots are open at a time');
    await pass(30_000);
    expect([seen.views, seen.damaged]).toEqual([0, []]);
    seen.refused = new DiskError('Reading the metadata of the state', new Error('corruption'));
    await pass(10_200);
    expect(seen.damaged).toEqual(['the state on disk cannot be read back']);
    scrub.stop();
    await pass(20_000);
    expect(seen.damaged).toHaveLength(1);
  });

  test('ends quietly when its node stops', async () => {
    const { seen, scrub, pass } = await harness(300);
    await pass(10_200);
    scrub.stop();
    seen.failing = true;
    await pass(20_000);
    expect([seen.views, seen.damaged]).toEqual([1, []]);
  });
});

describe('a node whose state on disk has changed', () => {
  test('ends with the code that has it started again, and so verified (G12)', async () => {
    const cluster = await MemoryCluster.elected();
    const [id = ''] = cluster.followers();
    for (let count = 0; count < 20; count++) await cluster.register(id, `i-${count}`);
    await cluster.clock.advance(500);
    const { state } = cluster.disk(id);
    const [, value] = [...state.records][7] ?? [];
    if (value !== undefined) value[3] = (value[3] ?? 0) ^ 1;
    await cluster.clock.advance(12_000);
    const [other = ''] = cluster.ids.filter((one) => one !== id);
    expect(cluster.node(other).status().scrubbedRecords).toBeGreaterThan(19);
    expect(cluster.fatals).toMatchObject([{ id, code: 10 }]);
    expect(cluster.fatals[0]?.reason).toContain('the state on disk is damaged');
  });
});
