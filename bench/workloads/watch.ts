// One change, told to the last of 100 watchers: from the start of the registration to the moment the last watcher holds
// the new content. Watchers are spread over nine connections and all nodes.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import { percentile } from '../load/closed-loop.ts';
import { openConnection } from '../load/grpc-connection.ts';
import { cpuSeconds } from '../load/process-cpu.ts';
import { figure, type Workload } from './workload.ts';

const connectionCount = 9;
const changesPerSecond = 20;

export const watch: Workload = {
  name: 'watch',
  summary: 'registration begun to the last of 100 watchers told, 20 changes/s',
  inFlight: [100],
  run: async (target, { seconds, inFlight: watchers, round }) => {
    const connections = Array.from({ length: connectionCount }, (_, n) =>
      openConnection(present(target.addresses[n % target.addresses.length], 'an address')),
    );
    const writer = openConnection(
      present(target.addresses[(await target.leader()) ?? 0], 'a leader'),
    );
    const service = `watched-${round}`;
    const told = new Map<string, { count: number; done: () => void }>();
    const onChange = (id: string): void => {
      const entry = told.get(id);
      if (entry !== undefined && ++entry.count === watchers) entry.done();
    };
    const streams = await Promise.all(
      Array.from({ length: watchers }, (_, n) =>
        target.watch(present(connections[n % connectionCount], 'a connection'), service, onChange),
      ),
    );
    const latencies: number[] = [];
    let lost = 0;
    const cpuBefore = cpuSeconds(target.pids());
    const changes = Math.round(seconds * changesPerSecond);
    for (let n = 0; n < changes; n++) {
      const id = `watched-${round}-${n}`;
      const start = performance.now();
      const all = new Promise<boolean>((resolve) => {
        told.set(id, { count: 0, done: () => resolve(true) });
      });
      await target.register(writer, service, id);
      if (await Promise.race([all, delay(5000, false)])) latencies.push(performance.now() - start);
      else lost++;
      await delay(Math.max(0, 1000 / changesPerSecond - (performance.now() - start)));
    }
    const cpu = cpuSeconds(target.pids()) - cpuBefore;
    for (const stream of streams) stream.close();
    for (const connection of [...connections, writer]) connection.close();
    latencies.sort((a, b) => a - b);
    return {
      void: lost > 0 ? `${lost} changes did not reach every watcher within 5 s` : undefined,
      figures: [
        figure(
          `change to the last of ${watchers} watchers, p50`,
          percentile(latencies, 0.5),
          'ms',
          'lower',
        ),
        figure('the same, p99', percentile(latencies, 0.99), 'ms', 'lower'),
        figure('server CPU for each change', (cpu / changes) * 1e6, 'us', 'lower'),
      ],
    };
  },
};
