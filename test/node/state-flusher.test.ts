// The state on disk follows the log on disk and is never ahead of it.
import { describe, expect, test } from 'vitest';
import { deferred } from '../../src/lib/deferred.ts';
import { logIndex, revision, term } from '../../src/lib/ids.ts';
import { OutOfSpace } from '../../src/lib/out-of-space.ts';
import { nothingApplied } from '../../src/node/applier.ts';
import type { StateBatch } from '../../src/node/ports.ts';
import { StateFlusher } from '../../src/node/state-flusher.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryCluster, registration } from '../support/memory-cluster.ts';
import { MemoryStateStore } from '../support/memory-state-store.ts';

function harness() {
  const clock = new FakeClock();
  const position = { applied: 0, persisted: 0 };
  const batches: StateBatch[] = [];
  const failures: unknown[] = [];
  let hold: Promise<void> | undefined;
  let full = false;
  let dirty: string[] = [];
  const flusher = new StateFlusher({
    clock,
    registry: {
      takeDirty() {
        const taken = dirty.map((key) => ({ key, value: undefined }));
        dirty = [];
        return taken;
      },
      meta: () => ({ revision: revision(position.applied), registryTimeMs: 0, hash: '' }),
    },
    stateStore: new MemoryStateStore(undefined, {
      async beforeDurable(batch) {
        batches.push(batch);
        await hold;
        if (full) throw new OutOfSpace('no space left on device');
      },
    }),
    applied: () => ({ ...nothingApplied, index: logIndex(position.applied), term: term(1) }),
    persistedIndex: () => logIndex(position.persisted),
    log: { info: () => undefined, warn: () => undefined },
    failed: (error) => failures.push(error),
  });
  return {
    flusher,
    position,
    batches,
    failures,
    apply: (key: string): void => {
      position.applied++;
      dirty.push(key);
    },
    holdWrites: (until: Promise<void> | undefined): void => {
      hold = until;
    },
    fill: (is: boolean): void => {
      full = is;
    },
    /** Ticks as the node does. */
    pass: async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 10) {
        await clock.advance(10);
        flusher.tick();
      }
      await clock.settle();
    },
  };
}
const shape = (batches: readonly StateBatch[]) =>
  batches.map(({ appliedIndex, meta, records }) => ({
    index: appliedIndex,
    revision: meta.revision,
    keys: records.map((record) => record.key),
  }));

describe('a snapshot that takes the place of the state on disk', () => {
  test('waits for the batch that is being written, and no older state is written after it', async () => {
    const { flusher, position, batches, apply, holdWrites, pass } = harness();
    const write = deferred<void>();
    const install = deferred<void>();
    holdWrites(write.promise);
    apply('a');
    position.persisted = 10;
    await pass(100);
    apply('b');
    let installing = false;
    const replaced = flusher.replace(logIndex(9), () => {
      installing = true;
      return install.promise;
    });
    await pass(300);
    expect(installing).toBe(false);
    write.resolve();
    await pass(300);
    expect(installing).toBe(true);
    install.resolve();
    await replaced;
    await pass(300);
    expect(flusher.flushedIndex).toBe(9);
    expect(shape(batches).map(({ index }) => index)).toEqual([1]);
    position.applied = 9;
    apply('c');
    await pass(300);
    expect(shape(batches).map(({ index }) => index)).toEqual([1, 10]);
  });

  test('makes a batch that waited for the log one of the past', async () => {
    const { flusher, position, batches, apply, pass } = harness();
    apply('a');
    await pass(300);
    await flusher.replace(logIndex(9), () => Promise.resolve());
    position.applied = 9;
    position.persisted = 20;
    await pass(300);
    apply('b');
    await pass(300);
    expect(shape(batches).map(({ index, keys }) => [index, keys])).toEqual([[10, ['b']]]);
  });

  test('ends the shortage of a batch that found no space, which would refuse writes for good', async () => {
    const { flusher, position, batches, apply, fill, pass } = harness();
    fill(true);
    apply('a');
    position.persisted = 10;
    await pass(200);
    expect(flusher.starved).toBe(true);
    fill(false);
    await flusher.replace(logIndex(9), () => Promise.resolve());
    position.applied = 9;
    await pass(2000);
    expect([flusher.starved, batches.length]).toEqual([false, 1]);
    apply('b');
    await pass(2000);
    expect(shape(batches).at(-1)).toMatchObject({ index: 10, keys: ['b'] });
  });

  test('is awaited by a flush', async () => {
    const { flusher } = harness();
    const install = deferred<void>();
    const story: string[] = [];
    void flusher.replace(logIndex(9), () => install.promise).then(() => story.push('installed'));
    void flusher.flush().then(() => story.push('flushed'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(story).toEqual([]);
    install.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(story).toEqual(['installed', 'flushed']);
  });
});

describe('the state flusher', () => {
  test('waits for the own log, and then writes the state of the index it waited for, not a later one', async () => {
    const { position, batches, apply, pass } = harness();
    apply('a');
    await pass(200);
    expect(batches).toEqual([]);
    apply('b');
    position.persisted = 1;
    await pass(20);
    expect(shape(batches)).toEqual([{ index: 1, revision: 1, keys: ['a'] }]);
    position.persisted = 2;
    await pass(200);
    expect(shape(batches).at(-1)).toEqual({ index: 2, revision: 2, keys: ['b'] });
  });

  test('puts everything since the last batch into one, one at a time', async () => {
    const { position, batches, apply, pass, holdWrites } = harness();
    position.persisted = 100;
    const slow = deferred<void>();
    apply('a');
    holdWrites(slow.promise);
    await pass(10);
    for (let more = 0; more < 50; more++) apply(`b${more}`);
    await pass(500);
    expect(batches).toHaveLength(1);
    holdWrites(undefined);
    slow.resolve();
    await pass(200);
    expect(shape(batches).map(({ index, keys }) => [index, keys.length])).toEqual([
      [1, 1],
      [51, 50],
    ]);
  });

  test('writes what is left when asked to, and nothing when there is nothing', async () => {
    const { flusher, position, batches, apply } = harness();
    position.persisted = 100;
    apply('a');
    await flusher.flush();
    expect(flusher.flushedIndex).toBe(1);
    await flusher.flush();
    expect(batches).toHaveLength(1);
  });

  test('ends after a failure, which it reports once', async () => {
    const { position, failures, batches, apply, pass, holdWrites } = harness();
    position.persisted = 100;
    const disk = deferred<void>();
    holdWrites(disk.promise);
    apply('a');
    await pass(50);
    disk.reject(new Error('EIO'));
    await pass(300);
    apply('b');
    await pass(300);
    expect(failures).toHaveLength(1);
    expect(batches).toHaveLength(1);
  });
});

describe('a node whose log disk is stuck', () => {
  test('applies what the others committed, but does not put it into its state store', async () => {
    const stuck = new Set<string>();
    const never = new Promise<void>(() => undefined);
    const cluster = await MemoryCluster.elected({
      log: (id) => ({ beforeDurable: () => (stuck.has(id) ? never : Promise.resolve()) }),
    });
    const [slow = ''] = cluster.followers();
    await cluster.register(cluster.leader() ?? '', 'before');
    await cluster.clock.advance(500);
    stuck.add(slow);
    await cluster.register(cluster.leader() ?? '', 'after');
    await cluster.clock.advance(1000);
    const durable = cluster.disk(slow).log.entries.length;
    expect(cluster.node(slow).registry.get('default', 'after')).toBeDefined();
    expect(cluster.node(slow).status().appliedIndex).toBeGreaterThan(durable);
    expect(cluster.disk(slow).state.last?.appliedIndex).toBeLessThanOrEqual(durable);
    // Killed now, it comes back with a state that its log covers.
    await cluster.crash(slow);
    stuck.delete(slow);
    await cluster.startNode(slow);
    await cluster.settled();
    await cluster.finish(cluster.write(slow, registration('later')));
    expect(cluster.fatals).toEqual([]);
  });
});
