// The leader goes - killed, stopped or paused - while writers go on through the survivors: how long until the first
// registration that was begun after it is acknowledged.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import { pollUntil } from '../../test/support/poll.ts';
import { percentile } from '../load/closed-loop.ts';
import { openConnection } from '../load/grpc-connection.ts';
import type { Target } from '../targets/target.ts';
import { figure, type Workload } from './workload.ts';

const probeEveryMs = 5;

/** How a leader goes, and how it comes back. */
interface Departure {
  readonly what: string;
  go(target: Target, position: number): Promise<void>;
  comeBack(target: Target, position: number): Promise<void>;
}

const restart = (target: Target, position: number): Promise<void> => target.restart(position);
const kill: Departure = {
  what: 'kill -9',
  go: (target, position) => target.kill(position),
  comeBack: restart,
};
const stop: Departure = {
  what: 'SIGTERM',
  go: (target, position) => target.kill(position, 'SIGTERM'),
  comeBack: restart,
};
const pause: Departure = {
  what: 'SIGSTOP',
  go: async (target, position) => target.signal?.(position, 'SIGSTOP'),
  comeBack: async (target, position) => target.signal?.(position, 'SIGCONT'),
};

/** Takes the leader away and probes the survivors with a new registration every 5 ms; resolves with the gap. */
async function departOnce(
  target: Target,
  departure: Departure,
  label: string,
): Promise<{ gapMs: number; position: number }> {
  const position = present(await target.leader(), 'a leader');
  const survivors = target.addresses.filter((_, n) => n !== position);
  const connections = survivors.map(openConnection);
  for (const [n, connection] of connections.entries()) {
    await target.register(connection, 'failover', `${label}-warm-${n}`);
  }
  const began = performance.now();
  const gone = departure.go(target, position);
  let gapMs = Number.POSITIVE_INFINITY;
  const first = { acknowledged: false };
  let probe = 0;
  while (!first.acknowledged && performance.now() - began < 30_000) {
    const connection = present(connections[probe % connections.length], 'a survivor');
    void target.register(connection, 'failover', `${label}-${probe++}`).then(
      () => {
        gapMs = Math.min(gapMs, performance.now() - began);
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

/** Resolves when the node answers a linearizable read again and a leader is known. */
function returned(target: Target, position: number): Promise<void> {
  return pollUntil(
    async () => {
      if ((await target.leader()) === undefined) return false;
      const connection = openConnection(present(target.addresses[position], 'an address'));
      try {
        await target.list(connection, 'failover');
        return true;
      } finally {
        connection.close();
      }
    },
    { what: 'the departed node to return', timeoutMs: 30_000, everyMs: 100 },
  );
}

function departures(name: string, departure: Departure): Workload {
  const { what } = departure;
  return {
    name,
    summary: `${what} of the leader to the first registration begun after it and acknowledged`,
    inFlight: [20],
    run: async (target, { inFlight: times, round }) => {
      const gaps: number[] = [];
      for (let time = 0; time < times; time++) {
        const { gapMs, position } = await departOnce(target, departure, `${name}-${round}-${time}`);
        gaps.push(gapMs);
        await departure.comeBack(target, position);
        await returned(target, position);
        process.stderr.write(`  ${what} ${time + 1}/${times}: ${gapMs.toFixed(0)} ms\n`);
      }
      gaps.sort((a, b) => a - b);
      return {
        void: gaps.some((gap) => !Number.isFinite(gap)) ? 'a fail-over took over 30 s' : undefined,
        figures: [
          figure(`gap of ${times} x ${what}, p50`, percentile(gaps, 0.5), 'ms', 'lower'),
          figure('the same, maximum', gaps.at(-1) ?? Number.NaN, 'ms', 'lower'),
        ],
      };
    },
  };
}

export const failover = departures('failover', kill);
export const handover = departures('handover', stop);
export const pausing = departures('pause', pause);
