// An empty node joins a full cluster under steady writes: how long until it has everything, how long its snapshot took,
// and what the writers noticed of it.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import { percentile } from '../load/closed-loop.ts';
import { type GrpcConnection, openConnection } from '../load/grpc-connection.ts';
import type { Target } from '../targets/target.ts';
import { figure, type Workload } from './workload.ts';

const writesPerSecond = 500;
const limitMs = 60_000;
const baselineMs = 8000;

interface Writing {
  /** Latencies in ms since the last call, ascending. */
  take(): readonly number[];
  readonly errors: number;
  stop(): Promise<void>;
}

/** An open loop: a registration every 2 ms, whether the ones before have been answered or not. */
function writeSteadily(target: Target, connection: GrpcConnection, label: string): Writing {
  let latencies: number[] = [];
  const state = { stopped: false, errors: 0, sequence: 0 };
  const run = async (): Promise<void> => {
    const began = performance.now();
    while (!state.stopped) {
      const due = Math.floor(((performance.now() - began) / 1000) * writesPerSecond);
      while (state.sequence < due) {
        const sent = performance.now();
        const id = `${label}-${state.sequence++ % 5000}`;
        target.register(connection, `joining-${id.length}`, id).then(
          () => latencies.push(performance.now() - sent),
          () => state.errors++,
        );
      }
      await delay(2);
    }
  };
  const running = run();
  return {
    take: () => {
      const taken = latencies.toSorted((a, b) => a - b);
      latencies = [];
      return taken;
    },
    get errors() {
      return state.errors;
    },
    stop: () => {
      state.stopped = true;
      return running;
    },
  };
}

export const joining: Workload = {
  name: 'join',
  summary: `an empty learner joins under ${writesPerSecond} writes/s; its snapshot; p99 of the writes meanwhile`,
  inFlight: [100_000],
  // A batch of 1000 is one entry, so the default would keep the whole log and nobody would need a snapshot.
  flags: ['--limit-log-entries', '100'],
  ownOnly: true,
  run: async (target, { inFlight: instances, round }) => {
    await target.instances?.(instances);
    const address = present(target.addresses[(await target.leader()) ?? 0], 'a leader');
    const connection = openConnection(address);
    const writing = writeSteadily(target, connection, `join-${round}`);
    // The first writes warm everything up and let the log be trimmed.
    await delay(4000);
    writing.take();
    await delay(baselineMs);
    const before = writing.take();
    const began = performance.now();
    const node = present(target.joinLearner?.(), 'a system that nodes can join');
    try {
      while (!(await node.caughtUp()) && performance.now() - began < limitMs) await delay(20);
      const joinMs = performance.now() - began;
      const during = writing.take();
      const snapshotMs = node.snapshotMs();
      await writing.stop();
      const p99Before = percentile(before, 0.99);
      const p99During = percentile(during, 0.99);
      const problems = [
        ...(joinMs >= limitMs ? ['the learner did not catch up in time'] : []),
        ...(snapshotMs === undefined ? ['the learner needed no snapshot'] : []),
        ...(writing.errors > 0 ? [`${writing.errors} writes failed`] : []),
      ];
      return {
        void: problems.length > 0 ? problems.join('; ') : undefined,
        figures: [
          figure(`empty node to caught up, ${instances} instances`, joinMs / 1000, 's', 'lower'),
          figure('snapshot asked for to in place', (snapshotMs ?? 0) / 1000, 's', 'lower'),
          figure('write p99 before', p99Before, 'ms', 'lower'),
          figure('write p99 meanwhile', p99During, 'ms', 'lower'),
          figure('write p99 meanwhile over before', p99During / p99Before, '', 'lower'),
        ],
      };
    } finally {
      await node.stop();
      connection.close();
    }
  },
};
