// One node alone, killed with its disk full of instances: how long from the start of the process to the first
// linearizable answer.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import { openConnection } from '../load/grpc-connection.ts';
import type { Target } from '../targets/target.ts';
import { figure, type Workload } from './workload.ts';

const limitMs = 120_000;

/** Starts the node and asks until it answers. */
async function coldStart(target: Target): Promise<number> {
  const address = present(target.addresses[0], 'one node');
  const began = performance.now();
  await target.restart(0);
  while (performance.now() - began < limitMs) {
    const connection = openConnection(address);
    try {
      await target.list(connection, 'leases-0');
      return performance.now() - began;
    } catch {
      await delay(10);
    } finally {
      connection.close();
    }
  }
  return Number.POSITIVE_INFINITY;
}

export const cold: Workload = {
  name: 'cold',
  summary: 'one node with so many instances on disk: start of the process to a linearizable list',
  inFlight: [100_000],
  nodes: 1,
  ownOnly: true,
  run: async (target, { inFlight: instances }) => {
    await target.instances?.(instances);
    // The state store follows the acknowledgements; what it lacks is replayed from the log, as after any crash.
    await delay(1000);
    const times: number[] = [];
    for (let time = 0; time < 3; time++) {
      await target.kill(0);
      times.push(await coldStart(target));
    }
    times.sort((a, b) => a - b);
    return {
      void: times.some((ms) => !Number.isFinite(ms)) ? 'the node did not serve in time' : undefined,
      figures: [
        figure(
          `cold to serving ${instances} instances`,
          (times[1] ?? Number.NaN) / 1000,
          's',
          'lower',
        ),
        figure('the same, slowest of 3', (times[2] ?? Number.NaN) / 1000, 's', 'lower'),
      ],
    };
  },
};
