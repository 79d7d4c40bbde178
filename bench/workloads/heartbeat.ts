// Many leases, one heartbeat per ten seconds each, a hundred in a message: what the servers' CPU is, over idle.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds } from '../load/process-cpu.ts';
import { figure, type Workload } from './workload.ts';

const intervalSeconds = 10;
const perMessage = 100;

export const heartbeat: Workload = {
  name: 'heartbeat',
  summary: 'CPU of all servers holding 100 000 leases that beat every 10 s, 100 in a message',
  inFlight: [100_000],
  run: async (target, { inFlight: leases }) => {
    const streams = await target.leases(leases, perMessage);
    // What registering them set off comes to rest first: it is no part of holding them.
    await delay(10_000);
    const idleBefore = cpuSeconds(target.pids());
    const idleFrom = performance.now();
    await delay(10_000);
    const idle = (cpuSeconds(target.pids()) - idleBefore) / ((performance.now() - idleFrom) / 1000);
    const entriesBefore = await target.position();
    const cpuBefore = cpuSeconds(target.pids());
    const from = performance.now();
    const rounds = 2;
    let beats = 0;
    let late = 0;
    const gapMs = (intervalSeconds * 1000) / streams.length;
    for (let round = 0; round < rounds; round++) {
      for (const [position, stream] of streams.entries()) {
        const due = from + (round * streams.length + position) * gapMs;
        const wait = due - performance.now();
        if (wait > 1) await delay(wait);
        else if (wait < -1000) late++;
        const sent = stream.beat();
        beats += perMessage;
        if (position % 100 === 0) await sent;
      }
    }
    const seconds = (performance.now() - from) / 1000;
    const cpu = cpuSeconds(target.pids()) - cpuBefore;
    const entries = (await target.position()) - entriesBefore;
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
