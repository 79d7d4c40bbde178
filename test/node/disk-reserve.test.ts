// The room that is left on a node's disk, against the reserve it keeps.
import { describe, expect, test } from 'vitest';
import { DiskReserve } from '../../src/node/disk-reserve.ts';
import type { LogStore } from '../../src/node/ports.ts';
import { FakeClock } from '../support/fake-clock.ts';

const RESERVE_BYTES = 1000;

function harness(options: { readonly blind?: boolean } = {}) {
  const clock = new FakeClock();
  const state = {
    free: 2000,
    failing: false,
    looks: 0,
    resumes: 0,
    starved: 'no' as LogStore['starved'],
    stateStarved: false,
    events: [] as unknown[],
  };
  const note = (fields: object): void => {
    state.events.push('event' in fields ? fields.event : fields);
  };
  const reserve = new DiskReserve({
    clock,
    freeSpace:
      options.blind === true
        ? undefined
        : async () => {
            state.looks++;
            if (state.failing) throw new Error('EIO');
            return state.free;
          },
    reserveBytes: RESERVE_BYTES,
    logStore: {
      get starved() {
        return state.starved;
      },
      resume() {
        state.resumes++;
      },
    },
    stateStarved: () => state.stateStarved,
    log: { info: note, warn: note },
  });
  /** Ticks as a node does. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      await clock.advance(100);
      reserve.tick(clock.now());
      await clock.settle();
    }
  };
  return { state, reserve, pass };
}

describe('the reserve of a disk', () => {
  test('is looked at once a second, whatever else goes on', async () => {
    const { state, reserve, pass } = harness();
    await pass(5000);
    expect(state.looks).toBe(5);
    expect(reserve.freeBytes).toBe(2000);
    expect(reserve.problems()).toEqual([]);
  });

  test('is reached below it, and there again only with a quarter more', async () => {
    const { state, reserve, pass } = harness();
    const seen: [number, boolean][] = [];
    for (const free of [1000, 999, 1000, 1249, 1250, 1000, 0]) {
      state.free = free;
      await pass(1000);
      seen.push([free, reserve.short]);
    }
    expect(seen).toEqual([
      [1000, false],
      [999, true],
      [1000, true],
      [1249, true],
      [1250, false],
      [1000, false],
      [0, true],
    ]);
    expect(state.events).toEqual([
      'disk_reserve_reached',
      'disk_space_back',
      'disk_reserve_reached',
    ]);
    expect(reserve.problems()).toEqual([
      "0.0 MiB are free on this node's disk, less than disk_reserve_bytes (0.0 MiB): make room",
    ]);
  });

  test('keeps its last figure while the file system cannot be asked, and says so once', async () => {
    const { state, reserve, pass } = harness();
    state.free = 10;
    await pass(1000);
    state.failing = true;
    await pass(3000);
    expect([reserve.freeBytes, reserve.short]).toEqual([10, true]);
    expect(state.events).toEqual(['disk_reserve_reached', 'disk_space_unknown']);
  });

  test.each(['spare', 'appends'] as const)(
    'counts as reached while the log finds no space (%s), which is tried again with half of it free',
    async (starved) => {
      const { state, reserve, pass } = harness();
      state.starved = starved;
      state.free = 499;
      await pass(3000);
      expect([reserve.short, state.resumes]).toEqual([true, 0]);
      expect(reserve.problems()).toHaveLength(2);
      state.free = 500;
      await pass(1000);
      expect(state.resumes).toBe(1);
      state.starved = 'no';
      state.free = 2000;
      await pass(2000);
      expect([reserve.short, state.resumes]).toEqual([false, 1]);
    },
  );

  test('counts as reached while the state finds no space, however much is free', async () => {
    const { state, reserve, pass } = harness();
    state.stateStarved = true;
    await pass(1000);
    expect(reserve.short).toBe(true);
    expect(reserve.problems()[0]).toContain('no disk space for the state');
  });

  test('where nobody can tell how much is free, what starves is tried again every second', async () => {
    const { state, reserve, pass } = harness({ blind: true });
    await pass(1000);
    expect(reserve.short).toBe(false);
    state.starved = 'appends';
    await pass(3000);
    expect([reserve.short, reserve.freeBytes, state.resumes]).toEqual([true, undefined, 3]);
  });
});
