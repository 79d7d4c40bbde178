// Registrations with a TTL of their own, durable on a quorum, over unary calls to the leader. Void unless the durable
// counter of the system moved by what was acknowledged.
import { present } from '../../src/lib/assert.ts';
import { closedLoop } from '../load/closed-loop.ts';
import { openConnection } from '../load/grpc-connection.ts';
import { cpuSeconds } from '../load/process-cpu.ts';
import { figure, generatorLoadName, type Workload } from './workload.ts';

const connectionCount = 8;

export const register: Workload = {
  name: 'register',
  summary: 'unary registrations with own TTL to the leader; etcd: lease grant and put',
  inFlight: [1, 16, 256],
  run: async (target, { seconds, inFlight, round }) => {
    const address = present(target.addresses[(await target.leader()) ?? 0], 'a leader');
    const connections = Array.from({ length: Math.min(connectionCount, inFlight) }, () =>
      openConnection(address),
    );
    const positionBefore = await target.position();
    const cpuBefore = cpuSeconds(target.pids());
    const result = await closedLoop({
      inFlight,
      seconds,
      maxOperations: 200_000,
      operation: (caller, sequence) =>
        target.register(
          present(connections[caller % connections.length], 'a connection'),
          `bench-${sequence % 50}`,
          `bench-${round}-${inFlight}-${sequence}`,
        ),
    });
    const cpu = cpuSeconds(target.pids()) - cpuBefore;
    const moved = (await target.position()) - positionBefore;
    for (const connection of connections) connection.close();
    const expected = result.operations * target.positionsPerRegistration;
    const problems: string[] = [];
    if (result.errors > 0) problems.push(`${result.errors} errors (${result.firstError ?? ''})`);
    if (moved < expected || moved > expected + inFlight + 10) {
      problems.push(`the log moved by ${moved} for ${expected} acknowledged entries`);
    }
    const at = `at ${inFlight} in flight`;
    return {
      void: problems.length > 0 ? problems.join('; ') : undefined,
      figures: [
        figure(`registrations ${at}`, result.perSecond, '/s', 'higher'),
        figure(`p50 ${at}`, result.p50Ms, 'ms', 'lower'),
        figure(`p99 ${at}`, result.p99Ms, 'ms', 'lower'),
        figure(`server CPU for each ${at}`, (cpu / result.operations) * 1e6, 'us', 'lower'),
        figure(`${generatorLoadName} ${at}`, result.generatorLoad, '', 'lower'),
      ],
    };
  },
};
