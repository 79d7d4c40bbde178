// A leader whose every synced write takes long: it hands over, or everybody waits for it.
import type { ServiceError } from '@grpc/grpc-js';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { registryClient, unary } from '../../support/grpc-client.ts';
import type { ArenaNode } from '../arena/arena.ts';
import type { Fault } from './fault.ts';
import { expectEffect, takeLeader } from './node-state.ts';

const probeTimeoutMs = 5000;

/** How long a write takes that changes nothing, through this node, in milliseconds: an entry of the log without a revision. */
async function writeTime(node: ArenaNode): Promise<number> {
  const client = registryClient(node.clientAddress);
  const beganAtMs = monotonicMs();
  try {
    await unary(
      (options, callback) => client.deregister({ instance_id: 'never-there' }, options, callback),
      probeTimeoutMs,
    );
  } catch (error) {
    if ((error as ServiceError).code === undefined) throw error;
  } finally {
    client.close();
  }
  return monotonicMs() - beganAtMs;
}

export const slowDisk: Fault = {
  kind: 'slowDisk',
  needs: ['slowDisk'],
  alone: false,
  takes: () => 1,
  lastsMs: (random) => random.integer(2500, 7000),
  strike: async (field) => {
    const node = await takeLeader(field);
    const delayMs = field.random.integer(200, 1500);
    const quick = await writeTime(node);
    const atMs = monotonicMs();
    await node.disk.slow(delayMs);
    const first = writeTime(node);
    first.catch(() => undefined);
    return {
      what: `each write to the disk of ${node.id}, the leader, takes ${delayMs} ms longer`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: undefined,
      heal: async () => {
        let seen = '';
        try {
          const slow = await first;
          await expectEffect(`${node.id} to be slow, or to lead no more`, 5000, async () => {
            const leader = await field.leader();
            if (slow > quick + delayMs / 2) {
              seen = `a write took ${slow.toFixed(0)} ms, ${quick.toFixed(0)} ms before`;
            } else if (leader !== node) seen = `it handed over`;
            if (seen !== '') seen += `; ${leader.id} leads now`;
            return seen !== '';
          });
        } finally {
          await node.disk.normal();
        }
        return seen;
      },
    };
  },
};
