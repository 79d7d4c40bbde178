// What every LogStore must do (port: src/node/ports.ts). Run for the log on disk and for the one in memory.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/lib/assert.ts';
import { logIndex, nodeId } from '../../src/lib/ids.ts';
import type { LogStore } from '../../src/node/ports.ts';
import type { Configuration, LogEntry, TermRun } from '../../src/raft/index.ts';
import { type BatchPlan, LogModel, payload } from '../support/log-batches.ts';

/** How the suite gets its stores: each call opens what the one before, closed, has left. */
export interface LogStoreHarness {
  open(): Promise<LogStore>;
  dispose?(): Promise<void>;
}

const hex = (one: LogEntry | Configuration): object => ({
  ...one,
  payload: Buffer.from(one.payload).toString('hex'),
});
const plain = (entries: readonly LogEntry[]): readonly object[] => entries.map(hex);

const someEntries = (count: number, bytes = 40): BatchPlan => ({
  payloads: Array.from({ length: count }, (_, mark) => payload(bytes, mark)),
});

const runsOf = (entries: readonly LogEntry[]): readonly TermRun[] =>
  entries
    .filter((entry, at) => entry.term !== entries[at - 1]?.term)
    .map(({ index, term }) => ({ firstIndex: index, term }));

export function describeLogStore(name: string, create: () => Promise<LogStoreHarness>): void {
  describe(`${name} is a LogStore`, () => {
    let harness: LogStoreHarness;
    let store: LogStore;
    let model: LogModel;

    beforeEach(async () => {
      harness = await create();
      store = await harness.open();
      model = new LogModel();
    });
    afterEach(async () => {
      await store.close();
      await harness.dispose?.();
    });

    const reopen = async (): Promise<void> => {
      await store.close();
      store = await harness.open();
    };
    const all = (): Promise<readonly LogEntry[]> =>
      store.read(model.firstIndex, model.lastIndex, Number.MAX_SAFE_INTEGER);
    const expectModel = async (): Promise<void> => {
      expect(store.image.hardState).toEqual(model.hardState);
      const { floor, configurations } = store.image;
      expect({ ...floor, configuration: hex(floor.configuration) }).toEqual({
        ...model.floor,
        configuration: hex(model.floor.configuration),
      });
      expect(configurations.map(hex)).toEqual(model.configurations.map(hex));
      expect(store.image.lastIndex).toBe(model.lastIndex);
      expect(store.image.runs).toEqual(runsOf(model.entries));
      if (model.entries.length > 0) expect(plain(await all())).toEqual(plain(model.entries));
    };

    test('opens empty, in term 0, without a vote', async () => {
      await expectModel();
    });

    test('a vote alone is there after a restart', async () => {
      await store.append(model.next({ rise: 7, votedFor: nodeId('n2') }));
      await reopen();
      await expectModel();
    });

    test('entries of every kind and size come back as they were', async () => {
      await store.append(model.next({ payloads: [payload(0), payload(1), payload(5_000)] }));
      const [first] = model.next({ payloads: [payload(3)] }).entries;
      expect(first).toBeDefined();
      model.entries.pop();
      const bootstrap = { ...model.next({ payloads: [payload(9)] }) };
      const entries = bootstrap.entries.map((entry) => ({ ...entry, kind: 'bootstrap' as const }));
      model.entries.splice(-1, 1, ...entries);
      await store.append({ ...bootstrap, entries });
      await reopen();
      await expectModel();
    });

    test('appends of one turn become durable in their order', async () => {
      const order: number[] = [];
      const appends = [1, 2, 3, 4, 5].map(async (mark) => {
        await store.append(model.next({ payloads: [payload(10, mark)] }));
        order.push(mark);
      });
      await Promise.all(appends);
      expect(order).toEqual([1, 2, 3, 4, 5]);
      await reopen();
      await expectModel();
    });

    test('a truncated suffix is gone, and what took its place is read', async () => {
      await store.append(model.next({ payloads: [1, 2, 3, 4].map((mark) => payload(40, mark)) }));
      await store.append(model.next({ rise: 2, cut: 2, payloads: [payload(40, 9)] }));
      expect(plain(await all())).toEqual(plain(model.entries));
      await expect(store.read(logIndex(4), logIndex(4), 1)).rejects.toThrow();
      await reopen();
      await expectModel();
    });

    test('a truncation without new entries holds', async () => {
      await store.append(model.next({ payloads: [payload(40, 1), payload(40, 2)] }));
      await store.append(model.next({ cut: 1 }));
      await reopen();
      await expectModel();
      await store.append(model.next({ cut: 1 }));
      await reopen();
      await expectModel();
    });

    test('batches of one turn may truncate each other', async () => {
      await Promise.all([
        store.append(model.next({ payloads: [payload(40, 1), payload(40, 2), payload(40, 3)] })),
        store.append(model.next({ rise: 1, cut: 2, payloads: [payload(40, 4), payload(40, 5)] })),
        store.append(model.next({ rise: 1, cut: 1, payloads: [payload(40, 6)] })),
      ]);
      expect(plain(await all())).toEqual(plain(model.entries));
      await reopen();
      await expectModel();
    });

    test('a read is cut to about maxBytes, and has at least one entry', async () => {
      await store.append(
        model.next({ payloads: [1, 2, 3, 4].map((mark) => payload(1_000, mark)) }),
      );
      const read = async (from: number, maxBytes: number): Promise<number[]> =>
        (await store.read(logIndex(from), logIndex(4), maxBytes)).map(({ index }) => index);
      expect(await read(1, 0)).toEqual([1]);
      expect(await read(3, 999)).toEqual([3]);
      const some = await read(2, 2_500);
      expect(some.length).toBeLessThan(3);
      expect(some[0]).toBe(2);
      expect(await read(1, 100_000)).toEqual([1, 2, 3, 4]);
    });

    test('a range that is not in the log is refused', async () => {
      await store.append(model.next({ payloads: [payload(10), payload(10)] }));
      await expect(store.read(logIndex(0), logIndex(1), 1_000)).rejects.toThrow();
      await expect(store.read(logIndex(2), logIndex(1), 1_000)).rejects.toThrow();
      await expect(store.read(logIndex(2), logIndex(3), 1_000)).rejects.toThrow();
    });

    test('payloads that a reader was given are its own', async () => {
      await store.append(model.next({ payloads: [payload(16)] }));
      for (const entry of await all()) entry.payload.fill(0xff);
      expect(plain(await all())).toEqual(plain(model.entries));
    });

    test('close waits for what was appended, and later appends reject', async () => {
      const appended = store.append(model.next({ payloads: [payload(16)] }));
      await store.close();
      await appended;
      const late = new LogModel(model);
      await expect(store.append(late.next({ payloads: [payload(16)] }))).rejects.toThrow();
      store = await harness.open();
      await expectModel();
    });

    describe('with a floor', () => {
      test('begins after it, in what it reads and after a restart', async () => {
        await store.append(model.next({ ...someEntries(6), commit: 6 }));
        await store.append(model.next({ compact: 4, payloads: [payload(9)] }));
        expect(plain(await all())).toEqual(plain(model.entries));
        await reopen();
        await expectModel();
        expect(store.image.floor.index).toBe(4);
        expect(store.image.runs).toEqual([{ firstIndex: 5, term: 1 }]);
        await store.append(model.next({ rise: 1, cut: 2, ...someEntries(3) }));
        await reopen();
        await expectModel();
      });

      test('refuses to read at it and below, and the floor never falls', async () => {
        await store.append(model.next({ ...someEntries(6), commit: 6 }));
        const below = new LogModel(model).next({ compact: 2 });
        await store.append(model.next({ compact: 4 }));
        for (const from of [1, 3, 4]) {
          const read = store.read(logIndex(from), logIndex(6), 1_000);
          await expect(read).rejects.toThrow(InvariantError);
        }
        expect(await store.read(logIndex(5), logIndex(6), 1_000)).toHaveLength(2);
        await expect(store.append(below)).rejects.toThrow('the floor never falls');
      });

      test('may be its last point, and goes on after it', async () => {
        await store.append(model.next({ rise: 3, ...someEntries(3), commit: 3 }));
        await store.append(model.next({ compact: 3 }));
        await reopen();
        await expectModel();
        expect(store.image).toMatchObject({ lastIndex: 3, runs: [] });
        await store.append(model.next({ ...someEntries(2), commit: 2 }));
        await expect(store.read(logIndex(3), logIndex(4), 1_000)).rejects.toThrow();
        await store.append(model.next({ compact: 1, payloads: [payload(7)] }));
        await reopen();
        await expectModel();
      });

      test('keeps the configurations behind it, and the one in effect with it', async () => {
        await store.append(model.next({ membership: true, ...someEntries(2), commit: 1 }));
        await store.append(model.next({ membership: true, ...someEntries(2), commit: 2 }));
        await store.append(model.next({ membership: true, ...someEntries(2), commit: 1 }));
        await store.append(model.next({ compact: 3 }));
        await reopen();
        await expectModel();
        expect(store.image.floor.configuration.index).toBe(3);
        expect(store.image.configurations.map(({ index }) => index)).toEqual([5]);
        await store.append(model.next({ rise: 1, cut: 2 }));
        await reopen();
        await expectModel();
        expect(store.image.configurations).toEqual([]);
      });

      test.for([
        ['beyond its end', { beyond: 9, kept: true }],
        ['of another term than the entry there', { beyond: 2, kept: false }],
      ] as const)('%s drops all of it', async ([, install]) => {
        await store.append(model.next({ membership: true, ...someEntries(4), commit: 1 }));
        await store.append(model.next({ install, ...someEntries(2) }));
        expect(plain(await all())).toEqual(plain(model.entries));
        expect(model.firstIndex).toBe(install.beyond + 2);
        await reopen();
        await expectModel();
        expect(store.image.configurations).toEqual([]);
      });

      test('at a point it has, though not committed, keeps what lies behind', async () => {
        await store.append(model.next({ ...someEntries(5), commit: 1 }));
        await store.append(model.next({ install: { beyond: 2, kept: true } }));
        expect(model.entries).toHaveLength(2);
        await reopen();
        await expectModel();
      });

      test('batches of one turn may truncate, raise and drop', async () => {
        await Promise.all([
          store.append(model.next({ ...someEntries(5), commit: 3 })),
          store.append(model.next({ rise: 1, cut: 2, compact: 2, ...someEntries(2) })),
          store.append(model.next({ install: { beyond: 40, kept: false }, ...someEntries(3) })),
          store.append(model.next({ ...someEntries(1), commit: 2 })),
          store.append(model.next({ cut: 1, compact: 1, ...someEntries(2) })),
        ]);
        expect(plain(await all())).toEqual(plain(model.entries));
        await reopen();
        await expectModel();
      });

      test('above what is committed is refused', async () => {
        await store.append(model.next({ ...someEntries(3), commit: 1 }));
        const { floor, ...rest } = new LogModel(model).next({ install: { beyond: 1, kept: true } });
        const hardState = model.hardState;
        const early = store.append({
          ...rest,
          floor,
          hardState: { ...rest.hardState, commitIndex: hardState.commitIndex },
        });
        await expect(early).rejects.toThrow('what the floor covers is committed');
        await reopen();
        await expectModel();
      });

      test('takes a bounded space, however much was written', async () => {
        let most = 0;
        for (let round = 0; round < 120; round++) {
          await store.append(model.next({ ...someEntries(8, 1500), commit: 8 }));
          if (round % 5 === 4) await store.append(model.next({ compact: 40 }));
          // Space is let go of in the background.
          if (round === 60) await reopen();
          if (round > 60) most = Math.max(most, store.bytes);
        }
        expect(model.lastIndex).toBe(960);
        expect(most).toBeGreaterThan(0);
        expect(most).toBeLessThan(400 * 1024);
        await reopen();
        await expectModel();
      });
    });

    test('a batch that leaves a gap is refused, and everything after it', async () => {
      await store.append(model.next({ payloads: [payload(16)] }));
      const astray = new LogModel(model);
      astray.next({ payloads: [payload(1)] });
      const gap = astray.next({ payloads: [payload(1)] });
      await expect(store.append(gap)).rejects.toThrow();
      const honest = new LogModel(model);
      await expect(store.append(honest.next({ payloads: [payload(1)] }))).rejects.toThrow();
      await reopen();
      await expectModel();
    });
  });
}
