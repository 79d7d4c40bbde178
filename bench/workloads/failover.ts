// The leader dies by kill -9 while writers go on through the survivors: how long until the first registration that was
// begun after the kill is acknowledged.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import { pollUntil } from '../../test/support/poll.ts';
import { percentile } from '../load/closed-loop.ts';
import { openConnection } from '../load/grpc-connection.ts';
import { figure, type Workload } from './workload.ts';
import type { Target } from '../targets/target.ts';

const probeEveryMs = 5;

/** Kills the leader and probes the survivors with a new registration every 5 ms; resolves with the gap. */
async function killOnce(
  target: Target,
  label: string,
): Promise<{ gapMs: number; position: number }> {
  const position = present(await target.leader(), 'a leader');
  const survivors = target.addresses.filter((_, n) => n !== position);
  const connections = survivors.map(openConnection);
  for (const [n, connection] of connections.entries()) {
    await target.register(connection, 'failover', `${label}-warm-${n}`);
  }
  const killed = performance.now();
  const gone = target.kill(position);
  let gapMs = Number.POSITIVE_INFINITY;
  const first = { acknowledged: false };
  let probe = 0;
  while (!first.acknowledged && performance.now() - killed < 30_000) {
    const connection = present(connections[probe % connections.length], 'a survivor');
    void target.register(connection, 'failover', `${label}-${probe++}`).then(
      () => {
        gapMs = Math.min(gapMs, performance.now() - killed);
        first.acknowledged = true;
      },
      () => undefined,
    );
    await delay(probeEveryMs);
  }
  await gone;
  for (const connection of connections) connection.close();
  return { gapMs, position };
}

export const failover: Workload = {
  name: 'failover',
  summary: 'kill -9 of the leader to the first registration begun after it and acknowledged',
  inFlight: [20],
  run: async (target, { inFlight: kills, round }) => {
    const gaps: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      const { gapMs, position } = await killOnce(target, `failover-${round}-${kill}`);
      gaps.push(gapMs);
      await target.restart(position);
      await pollUntil(
        async () => {
          const leader = await target.leader();
          if (leader === undefined) return false;
          const connection = openConnection(present(target.addresses[position], 'an address'));
          try {
            await target.list(connection, 'failover');
            return true;
          } finally {
            connection.close();
          }
        },
        { what: 'the killed node to return', timeoutMs: 30_000, everyMs: 100 },
      );
      process.stderr.write(`  kill ${kill + 1}/${kills}: ${gapMs.toFixed(0)} ms\n`);
    }
    gaps.sort((a, b) => a - b);
    return {
      void: gaps.some((gap) => !Number.isFinite(gap)) ? 'a fail-over took over 30 s' : undefined,
      figures: [
        figure(`fail-over gap of ${kills} kills, p50`, percentile(gaps, 0.5), 'ms', 'lower'),
        figure('the same, maximum', gaps.at(-1) ?? Number.NaN, 'ms', 'lower'),
      ],
    };
  },
};
