// A follower is paused until the log has passed it. Its streams stay open, so its watchers have to be told the whole state
// that its snapshot brought (G5).
import { present } from '../../src/lib/assert.ts';
import type { ProcessCluster, ProcessNode } from '../support/process-cluster.ts';
import { type Campaign, say, underLoad } from './campaign.ts';
import { untilLogBegins } from './faults.ts';
import { untilLeads } from './hand-over.ts';

/** Resolves with how often a watcher was told the whole state. */
export async function overtakePaused(campaign: Campaign): Promise<number> {
  const { cluster } = campaign;
  const follower = await mostWatched(cluster);
  if ((await cluster.waitForLeader()) === follower) {
    await untilLeads(cluster, 'rollcall transfer-leader', (leader) => leader !== follower);
  }
  const leader = await cluster.waitForLeader();
  const resetsBefore = resetsOf(campaign);
  await underLoad(
    campaign,
    async (load) => {
      const { last_index: last } = await follower.status();
      follower.signal('SIGSTOP');
      const passed = Number(last) + 500;
      try {
        await untilLogBegins(cluster, leader, passed);
      } finally {
        follower.signal('SIGCONT');
      }
      await untilLogBegins(cluster, follower, passed);
      await load.untilMore(50, 'writes after it');
    },
    follower,
  );
  const resets = resetsOf(campaign) - resetsBefore;
  say(`  ${follower.id} got a snapshot; its watchers were told the whole state ${resets} times`);
  return resets;
}

const resetsOf = ({ watchers }: Campaign): number =>
  watchers.reduce((sum, { resets }) => sum + resets, 0);

async function mostWatched({ nodes }: ProcessCluster): Promise<ProcessNode> {
  const counts = await Promise.all(
    nodes.map(async (node) => ({ node, watches: Number((await node.status()).watches) })),
  );
  const [most] = counts.toSorted((a, b) => b.watches - a.watches);
  return present(most, 'a node').node;
}
