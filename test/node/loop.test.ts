// Turns and time: what waits is stepped before time is told to have passed, and a gap is told as a gap.
import { describe, expect, test } from 'vitest';
import { createLoop } from '../../src/node/loop.ts';
import { createRegistryTime } from '../../src/node/registry-time.ts';
import { startTicker } from '../../src/node/ticker.ts';
import type { Input, Raft, Ready } from '../../src/raft/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryCluster } from '../support/memory-cluster.ts';

/** A core that only writes down what it is told. */
function recorder() {
  const story: string[] = [];
  const raft: Raft = {
    step(input: Input) {
      story.push(input.kind === 'clockGap' ? `clockGap ${input.ticks}` : input.kind);
    },
    hasReady: () => false,
    takeReady(): Ready {
      throw new Error('there is none');
    },
    view() {
      throw new Error('nobody looks');
    },
    peers() {
      throw new Error('nobody looks');
    },
  };
  return { story, raft };
}

describe('a turn', () => {
  const peer = { kind: 'peerUnreachable', peer: 'n2' } as unknown as Input;

  test('steps all that waits, then time, then what was asked for on this side', async () => {
    const clock = new FakeClock();
    const { story, raft } = recorder();
    const loop = createLoop({
      clock,
      raft,
      feed: () => story.push('feed'),
      run: () => undefined,
      finish: () => false,
      broken: (error) => story.push(String(error)),
    });
    loop.elapsed(2, false);
    loop.push(peer);
    loop.push(peer);
    await clock.settle();
    expect(story).toEqual(['peerUnreachable', 'peerUnreachable', 'tick', 'tick', 'feed']);
  });

  test('tells a gap once, with a single tick', async () => {
    const clock = new FakeClock();
    const { story, raft } = recorder();
    const loop = createLoop({
      clock,
      raft,
      feed: () => undefined,
      run: () => undefined,
      finish: () => false,
      broken: () => undefined,
    });
    loop.elapsed(500, true);
    await clock.settle();
    expect(story).toEqual(['clockGap 500', 'tick']);
  });

  test('that throws is the last one', async () => {
    const clock = new FakeClock();
    const { story, raft } = recorder();
    const loop = createLoop({
      clock,
      raft,
      feed() {
        throw new Error('a defect');
      },
      run: () => undefined,
      finish: () => false,
      broken: (error) => story.push(String(error)),
    });
    loop.push(peer);
    await clock.settle();
    loop.push(peer);
    await clock.settle();
    expect(story).toEqual(['peerUnreachable', 'Error: a defect']);
  });
});

describe('the ticker', () => {
  test('tells one tick for each 10 ms, and makes up for small delays', async () => {
    const clock = new FakeClock();
    let ticks = 0;
    const stop = startTicker({ clock, gapMs: 50, elapsed: (count) => (ticks += count) });
    await clock.advance(1000);
    await clock.jump(37);
    await clock.advance(3);
    await clock.advance(20);
    expect(ticks).toBe(105);
    stop();
    await clock.advance(1000);
    expect(ticks).toBe(105);
  });

  test('tells a pause longer than a heartbeat as a gap, after what had been waiting', async () => {
    const clock = new FakeClock();
    const story: string[] = [];
    const stop = startTicker({
      clock,
      gapMs: 50,
      elapsed: (count, gapMs) => gapMs > 0 && story.push(`gap of ${gapMs} ms in ${count} ticks`),
    });
    await clock.advance(100);
    // It waits while the process stands still, and is delivered before the gap is told.
    clock.after(500, () => story.push('input'));
    await clock.jump(2000);
    expect(story).toEqual(['input', 'gap of 1990 ms in 200 ticks']);
    stop();
  });

  test('makes a stopped follower neither campaign on stale time nor depose a healthy leader (G16)', async () => {
    const cluster = await MemoryCluster.elected();
    const leader = cluster.leader() ?? '';
    const [follower = ''] = cluster.followers();
    const { term } = cluster.node(leader).status();
    for (let round = 0; round < 5; round++) {
      cluster.running(follower).clock.pause();
      await cluster.clock.advance(3000);
      cluster.running(follower).clock.resume();
      await cluster.clock.advance(1000);
    }
    expect(cluster.leader()).toBe(leader);
    expect(cluster.node(leader).status().term).toBe(term);
  });
});

describe('registry time', () => {
  test('goes on from where the log left off and stands still while the leader is away', async () => {
    const clock = new FakeClock();
    const time = createRegistryTime(clock);
    await clock.advance(5000);
    time.lead(100);
    await clock.advance(50);
    expect(time.now()).toBe(150);
    await clock.jump(60_000);
    time.pause(60_000);
    expect(time.now()).toBe(150);
    clock.shiftWallClock(-1e9);
    await clock.advance(10);
    expect(time.now()).toBe(160);
  });
});
