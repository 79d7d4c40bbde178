// A leader whose every synced write takes long: it hands over, or everybody waits for it.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { type Fault, ofOne } from './fault.ts';
import { expectEffect, leaderSeenBy, takeLeader } from './node-state.ts';

export const slowDisk: Fault = {
  kind: 'slowDisk',
  needs: ['slowDisk'],
  ...ofOne,
  lastsMs: (random) => random.integer(2500, 7000),
  strike: async (field) => {
    const node = await takeLeader(field);
    const delayMs = field.random.integer(200, 1500);
    const before = await node.disk.delayed();
    const atMs = monotonicMs();
    await node.disk.slow(delayMs);
    return {
      what: `each write to the disk of ${node.id}, the leader, takes ${delayMs} ms longer`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: undefined,
      heal: async () => {
        let delayed = 0;
        try {
          await expectEffect(`writes of ${node.id} to be slow`, 5000, async () => {
            delayed = (await node.disk.delayed()) - before;
            return delayed > 0;
          });
          return `${delayed} writes were slow; ${node.id} sees ${await leaderSeenBy(node)}`;
        } finally {
          await node.disk.normal();
        }
      },
    };
  },
};
