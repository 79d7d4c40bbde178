// Disks that do not do what they should: every synced write takes long, and a leader hands over or everybody waits for it; or
// writes fail, and the node ends before it acknowledges anything.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { Broken, type Fault, ofOne } from './fault.ts';
import { expectEffect, leaderSeenBy, revive, takeFollower, takeLeader } from './node-state.ts';

export const slowDisk: Fault = {
  kind: 'slowDisk',
  needs: ['slowDisk'],
  ...ofOne,
  lastsMs: (random) => random.integer(2500, 7000),
  strike: async (field) => {
    const leads = field.random.next() < 0.7;
    const node = leads ? await takeLeader(field) : await takeFollower(field);
    const delayMs = field.random.integer(200, 1500);
    const before = await node.disk.delayed();
    const atMs = monotonicMs();
    await node.disk.slow(delayMs);
    return {
      what: `each write to the disk of ${node.id}, ${leads ? 'the leader' : 'a follower'}, takes ${delayMs} ms longer`,
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

/** Of a node whose disk failed it (docs/operations.md). */
const diskFailedCode = 10;

export const diskError: Fault = {
  kind: 'diskError',
  needs: ['slowDisk'],
  ...ofOne,
  lastsMs: (random) => random.integer(300, 2000),
  strike: async (field) => {
    const leads = field.random.next() < 0.6;
    const node = leads ? await takeLeader(field) : await takeFollower(field);
    const before = await node.disk.failed();
    field.excuse(node, diskFailedCode);
    const atMs = monotonicMs();
    await node.disk.fail();
    return {
      what: `writes to the disk of ${node.id}, ${leads ? 'the leader' : 'a follower'}, end with EIO`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: leads ? 'kill' : undefined,
      heal: async () => {
        await expectEffect(`${node.id} to end`, 20_000, () => !node.running);
        const failed = (await node.disk.failed()) - before;
        await node.disk.normal();
        const { exitCode } = node;
        if (exitCode !== diskFailedCode) {
          throw new Broken(
            'G13',
            `${node.id} ended with ${exitCode ?? 'a signal'} after ${failed} EIO`,
          );
        }
        const tookMs = await revive(node);
        return `${failed} writes failed, exit ${exitCode}; answers again after ${tookMs} ms`;
      },
    };
  },
};
