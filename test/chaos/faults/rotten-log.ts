// A bit of the log that has flipped: what the node promised is not known any more, so it gives its log up and is taken back as
// another member (docs/adr/0018).
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { type Fault, NoEffect, ofOne } from './fault.ts';
import {
  expectEffect,
  logEnd,
  logSince,
  revive,
  takeFollower,
  takeLeader,
  viewOf,
} from './node-state.ts';
import { rotFrame } from './torn-tail.ts';

const leastEntries = 200;
const filledTimeoutMs = 30_000;
/** Removed, a learner, a snapshot, a vote. */
const returnTimeoutMs = 60_000;

export const rotLog: Fault = {
  kind: 'rotLog',
  needs: ['absence'],
  ...ofOne,
  lastsMs: (random) => random.integer(200, 1500),
  strike: async (field) => {
    const leads = field.random.next() < 0.4;
    const node = leads ? await takeLeader(field) : await takeFollower(field);
    await expectEffect(`${node.id} to have a log worth the name`, filledTimeoutMs, async () => {
      return Number((await viewOf(node))?.last_index ?? 0) > leastEntries;
    });
    const atMs = monotonicMs();
    const from = logEnd(node);
    await node.kill('SIGKILL');
    const rotten = rotFrame(node.dataDir, field.random);
    await rotten.catch(() => undefined);
    return {
      what: `kill -9 of ${node.id}${leads ? ', the leader' : ''}, a bit of its log flipped`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: leads ? 'kill' : undefined,
      heal: async () => {
        await revive(node);
        const where = await rotten.catch((cause: unknown) => {
          throw new NoEffect('the log could not be damaged', { cause });
        });
        await expectEffect(`${node.id} to give its log up (${where})`, 10_000, async () =>
          (await logSince(node, from)).includes('"log_given_up"'),
        );
        const startedAtMs = monotonicMs();
        await expectEffect(`${node.id} to be a voter again`, returnTimeoutMs, async () => {
          const view = await viewOf(node);
          const own = view?.members.find(({ node_id: id }) => id === node.id);
          return own?.learner === false && view?.leader_id !== '' && view?.problems.length === 0;
        });
        const tookMs = (monotonicMs() - startedAtMs).toFixed(0);
        return `${where}; given up, a voter again after ${tookMs} ms`;
      },
    };
  },
};
