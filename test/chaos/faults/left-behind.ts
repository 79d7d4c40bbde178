// A follower is away until the log no longer reaches back to it: it needs a snapshot, under load.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Fault, ofOne } from './fault.ts';
import { answerOf, expectEffect, logEnd, logSince, revive, takeFollower } from './node-state.ts';

const trimTimeoutMs = 60_000;
const installTimeoutMs = 30_000;
/** A node has at most so much more than it had when it was asked, just before it died. */
const marginEntries = 200;

async function untilLogBeginsAfter(leader: () => Promise<ArenaNode>, entry: number): Promise<void> {
  await expectEffect(`the leader's log to begin after entry ${entry}`, trimTimeoutMs, async () => {
    const { first_index: first } = await (await leader()).status();
    return Number(first) > entry;
  });
}

export const leaveBehind: Fault = {
  kind: 'leaveBehind',
  needs: ['absence'],
  ...ofOne,
  lastsMs: (random) => random.integer(1000, 2000),
  strike: async (field) => {
    const node = await takeFollower(field);
    const { last_index: last } = await answerOf(node);
    const atMs = monotonicMs();
    const from = logEnd(node);
    await node.kill('SIGKILL');
    return {
      what: `${node.id} is away until the log has passed it`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: undefined,
      heal: async () => {
        const behind = untilLogBeginsAfter(field.leader, Number(last) + marginEntries);
        await behind.catch(() => undefined);
        await revive(node);
        await behind;
        await expectEffect(`${node.id} to install a snapshot`, installTimeoutMs, async () =>
          (await logSince(node, from)).includes('"snapshot_installed"'),
        );
        const installed = (await logSince(node, from)).split('"snapshot_installed"').length - 1;
        const { first_index: first } = await answerOf(node);
        return `had entry ${last}; ${installed} snapshot installed, its log begins at ${first}`;
      },
    };
  },
};
