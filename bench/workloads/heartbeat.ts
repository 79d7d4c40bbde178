// Many leases, one heartbeat per ten seconds each, a hundred in a message: what the servers' CPU is, over idle.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import { cpuSeconds } from '../load/process-cpu.ts';
import type { HeartbeatStream } from '../targets/target.ts';
import { figure, type Workload } from './workload.ts';

const intervalSeconds = 10;
const perMessage = 100;

/** Every lease beats `rounds` times, evenly; returns how long it took and how many messages were over 1 s late. */
async function beatAll(
  streams: readonly HeartbeatStream[],
  rounds: number,
): Promise<{ readonly seconds: number; readonly late: number }> {
  const from = performance.now();
  const gapMs = (intervalSeconds * 1000) / streams.length;
  let late = 0;
  for (let sent = 0; sent < rounds * streams.length; sent++) {
    const waitMs = from + sent * gapMs - performance.now();
    if (waitMs > 1) await delay(waitMs);
    else if (waitMs < -1000) late++;
    const answered = present(streams[sent % streams.length], 'a stream').beat();
    if (sent % 100 === 0) await answered;
  }
  return { seconds: (performance.now() - from) / 1000, late };
}

export const heartbeat: Workload = {
  name: 'heartbeat',
  summary: 'CPU of all servers holding 100 000 leases that beat every 10 s, 100 in a message',
  inFlight: [100_000],
  run: async (target, { inFlight: leases }) => {
    const streams = await target.leases(leases, perMessage);
    // Registering so many at once leaves the collector work for half a minute; that is no part of holding them.
    await beatAll(streams, 3);
    const idleBefore = cpuSeconds(target.pids());
    const idleFrom = performance.now();
    await delay(10_000);
    const idle = (cpuSeconds(target.pids()) - idleBefore) / ((performance.now() - idleFrom) / 1000);
    const entriesBefore = await target.position();
    const cpuBefore = cpuSeconds(target.pids());
    const { seconds, late } = await beatAll(streams, 2);
    const cpu = cpuSeconds(target.pids()) - cpuBefore;
    const entries = (await target.position()) - entriesBefore;
    const beats = 2 * leases;
    for (const stream of streams) stream.close();
    const problems = [
      ...(late > streams.length / 10 ? [`${late} messages were over 1 s late`] : []),
      ...(entries > 10 ? [`${entries} log entries were written by heartbeats`] : []),
    ];
    return {
      void: problems.length > 0 ? problems.join('; ') : undefined,
      figures: [
        figure('heartbeats', beats / seconds, '/s', 'higher'),
        figure(
          'CPU of all servers over idle',
          (cpu / seconds - idle) * 100,
          '% of a core',
          'lower',
        ),
        figure('idle CPU of all servers', idle * 100, '% of a core', 'lower'),
        figure(
          'CPU for a million heartbeats',
          ((cpu - idle * seconds) / beats) * 1e6,
          's',
          'lower',
        ),
        figure('log entries written meanwhile', entries, '', 'lower'),
      ],
    };
  },
};
