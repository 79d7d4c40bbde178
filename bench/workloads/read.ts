// Linearizable lists of a service with ten instances, over unary calls spread over all nodes.
import { present } from '../../src/lib/assert.ts';
import { closedLoop } from '../load/closed-loop.ts';
import { openConnection } from '../load/grpc-connection.ts';
import { cpuSeconds } from '../load/process-cpu.ts';
import { figure, generatorLoadName, type Workload } from './workload.ts';

const serviceSize = 10;

export const read: Workload = {
  name: 'read',
  summary: `linearizable lists of ${serviceSize} instances from the leader; etcd: a linearizable range`,
  inFlight: [64],
  run: async (target, { seconds, inFlight, round }) => {
    const address = present(target.addresses[(await target.leader()) ?? 0], 'a leader');
    const connections = Array.from({ length: 8 }, () => openConnection(address));
    const service = `read-${round}`;
    const first = present(connections[0], 'a connection');
    for (let n = 0; n < serviceSize; n++)
      await target.register(first, service, `read-${round}-${n}`);
    const cpuBefore = cpuSeconds(target.pids());
    const result = await closedLoop({
      inFlight,
      seconds,
      maxOperations: 500_000,
      operation: async (caller) => {
        const connection = present(connections[caller % connections.length], 'a connection');
        const count = await target.list(connection, service);
        if (count !== serviceSize) throw new Error(`a list of ${count}, not ${serviceSize}`);
      },
    });
    const cpu = cpuSeconds(target.pids()) - cpuBefore;
    for (const connection of connections) connection.close();
    const at = `at ${inFlight} in flight`;
    return {
      void: result.errors > 0 ? `${result.errors} errors (${result.firstError ?? ''})` : undefined,
      figures: [
        figure(`lists of ${serviceSize} ${at}`, result.perSecond, '/s', 'higher'),
        figure(`p50 ${at}`, result.p50Ms, 'ms', 'lower'),
        figure(`p99 ${at}`, result.p99Ms, 'ms', 'lower'),
        figure(`server CPU for each ${at}`, (cpu / result.operations) * 1e6, 'us', 'lower'),
        figure(`${generatorLoadName} ${at}`, result.generatorLoad, '', 'lower'),
      ],
    };
  },
};
