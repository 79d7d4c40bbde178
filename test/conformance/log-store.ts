// What every LogStore must do (port: src/node/ports.ts). Run for the log on disk and for the one in memory.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { logIndex, nodeId } from '../../src/lib/ids.ts';
import type { LogStore } from '../../src/node/ports.ts';
import type { LogEntry, TermRun } from '../../src/raft/index.ts';
import { LogModel, payload } from '../support/log-batches.ts';

/** How the suite gets its stores: each call opens what the one before, closed, has left. */
export interface LogStoreHarness {
  open(): Promise<LogStore>;
  dispose?(): Promise<void>;
}

const plain = (entries: readonly LogEntry[]): readonly object[] =>
  entries.map((entry) => ({ ...entry, payload: Buffer.from(entry.payload).toString('hex') }));

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
      store.read(logIndex(1), logIndex(model.lastIndex), Number.MAX_SAFE_INTEGER);
    const expectModel = async (): Promise<void> => {
      expect(store.image.hardState).toEqual(model.hardState);
      expect(store.image.lastIndex).toBe(model.lastIndex);
      expect(store.image.runs).toEqual(runsOf(model.entries));
      if (model.lastIndex > 0) expect(plain(await all())).toEqual(plain(model.entries));
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
