// When the log is let go, up to where, and for whom it is kept.
import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../../src/lib/ids.ts';
import { LogRetention } from '../../src/node/log-retention.ts';
import type { PeerView, RaftView } from '../../src/raft/index.ts';

const MIB = 1 << 20;
const limits = { logEntries: 1000, logBytes: 100 * MIB, logBytesForTransfer: 400 * MIB };

const peer = (matchIndex: number, more: Partial<PeerView> = {}): PeerView => ({
  peer: nodeId('n3'),
  learner: false,
  flow: 'replicate',
  matchIndex: logIndex(matchIndex),
  active: true,
  ...more,
});

function world() {
  const state = {
    nowMs: 0,
    firstIndex: 1,
    lastIndex: 0,
    bytes: 0,
    settled: Number.MAX_SAFE_INTEGER,
    awaits: false,
    peers: [] as PeerView[],
    open: [] as { peer: ReturnType<typeof nodeId>; index: ReturnType<typeof logIndex> }[],
    compacted: [] as number[],
    settles: 0,
    warnings: [] as object[],
    failures: [] as unknown[],
    settleFails: undefined as Error | undefined,
  };
  const view = (): RaftView => ({
    role: 'leader',
    term: term(1),
    leader: nodeId('n1'),
    lastIndex: logIndex(state.lastIndex),
    lastTerm: term(1),
    commitIndex: logIndex(state.lastIndex),
    appliedIndex: logIndex(state.lastIndex),
    persistedIndex: logIndex(state.lastIndex),
    firstIndex: logIndex(state.firstIndex),
    membership: { voters: [], learners: [] },
    configurationIndex: logIndex(1),
    awaitsSnapshot: state.awaits,
    transferTarget: undefined,
    committedInTerm: true,
  });
  const retention = new LogRetention({
    logStore: {
      get bytes() {
        return state.bytes;
      },
    },
    stateStore: {
      async settle() {
        state.settles++;
        if (state.settleFails !== undefined) throw state.settleFails;
        return logIndex(Math.min(state.settled, state.lastIndex));
      },
    },
    limits,
    view,
    peers: () => state.peers,
    openSnapshots: () => state.open,
    compact(index) {
      state.compacted.push(index);
      state.firstIndex = index + 1;
    },
    log: { info: () => undefined, warn: (fields) => state.warnings.push(fields) },
    failed: (error) => state.failures.push(error),
  });
  const tick = async (): Promise<void> => {
    state.nowMs += 1000;
    retention.tick(state.nowMs);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { state, retention, tick };
}

describe('the log', () => {
  test('stays as it is up to its limits, and costs nothing', async () => {
    const { state, tick } = world();
    Object.assign(state, { lastIndex: 1000, bytes: 100 * MIB });
    await tick();
    expect(state).toMatchObject({ compacted: [], settles: 0 });
  });

  test('is trimmed to half of its entries beyond the limit, again each time', async () => {
    const { state, tick } = world();
    for (const lastIndex of [1001, 1400, 1501, 1600, 2600]) {
      state.lastIndex = lastIndex;
      await tick();
    }
    expect(state.compacted).toEqual([501, 1100, 2100]);
  });

  test('is trimmed by bytes too, however few entries take them, again each time', async () => {
    const { state, tick } = world();
    Object.assign(state, { lastIndex: 20, bytes: 101 * MIB });
    await tick();
    state.bytes = 60 * MIB;
    await tick();
    Object.assign(state, { lastIndex: 40, bytes: 150 * MIB });
    await tick();
    expect(state.compacted).toEqual([10, 25]);
  });

  test('is never trimmed beyond what a power cut cannot take from the state store', async () => {
    const { state, tick } = world();
    Object.assign(state, { lastIndex: 5000, settled: 700 });
    await tick();
    await tick();
    state.settled = 5000;
    await tick();
    expect(state.compacted).toEqual([700, 4500]);
  });

  test('is left alone while the state below it is missing', async () => {
    const { state, tick } = world();
    Object.assign(state, { lastIndex: 5000, awaits: true });
    await tick();
    expect(state).toMatchObject({ compacted: [], settles: 0 });
  });

  test('of a state store that fails to settle ends the node', async () => {
    const { state, tick } = world();
    Object.assign(state, { lastIndex: 5000, settleFails: new Error('EIO') });
    await tick();
    expect(state.failures.map(String)).toEqual(['Error: EIO']);
  });

  test('is not looked at more than once a second, nor once stopped', async () => {
    const { state, retention } = world();
    state.lastIndex = 5000;
    retention.tick(10_000);
    retention.tick(10_500);
    await new Promise((resolve) => setImmediate(resolve));
    expect(state.settles).toBe(1);
    state.lastIndex = 50_000;
    retention.stop();
    retention.tick(20_000);
    expect(state.settles).toBe(1);
  });
});

describe('the log is kept', () => {
  test('for a snapshot under way, and for a member that catches up', async () => {
    const { state, tick } = world();
    Object.assign(state, { lastIndex: 5000, open: [{ peer: nodeId('n4'), index: logIndex(300) }] });
    await tick();
    state.peers = [peer(250)];
    await tick();
    state.open = [];
    state.peers = [peer(900)];
    await tick();
    state.peers = [peer(5000)];
    await tick();
    expect(state.compacted).toEqual([300, 900, 4500]);
  });

  test('for nobody who is away, or needs a snapshot in any case', async () => {
    const { state, tick } = world();
    Object.assign(state, { lastIndex: 5000 });
    state.peers = [peer(10, { active: false }), peer(0, { flow: 'snapshot' })];
    await tick();
    expect(state.compacted).toEqual([4500]);
  });

  test('for nobody beyond its last limit', async () => {
    const { state, tick } = world();
    Object.assign(state, { lastIndex: 5000, bytes: 400 * MIB, peers: [peer(100)] });
    await tick();
    state.bytes = 401 * MIB;
    await tick();
    expect(state.compacted).toEqual([100, 4500]);
  });

  test('with a warning that names who will fall behind, from half of the limit on', async () => {
    const { state, retention, tick } = world();
    Object.assign(state, { lastIndex: 5000, bytes: 150 * MIB, peers: [peer(100)] });
    await tick();
    expect(retention.problems()).toEqual([]);
    Object.assign(state, { lastIndex: 9000, bytes: 201 * MIB });
    await tick();
    await tick();
    expect(retention.problems()).toEqual([
      'n3 lacks 8900 entries of the log, which has grown to 201 MiB for it: beyond 400 MiB n3 falls behind and needs a new snapshot',
    ]);
    expect(state.warnings).toMatchObject([{ event: 'follower_falls_behind', peer: 'n3' }]);
    state.peers = [peer(9000)];
    await tick();
    expect(retention.problems()).toEqual([]);
  });
});
