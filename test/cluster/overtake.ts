// A follower is paused until the log has passed it. Its streams stay open, so its watchers have to be told the whole state
// that its snapshot brought (G5).
import { present } from '../../src/lib/assert.ts';
import { pollUntil } from '../support/poll.ts';
import type { ProcessNode } from '../support/process-cluster.ts';
import { type Campaign, say, underLoad } from './campaign.ts';
import { untilLogBegins } from './faults.ts';
import { untilLeads } from './hand-over.ts';

/** Resolves with how often a watcher was told the whole state. */
export async function overtakePaused(campaign: Campaign): Promise<number> {
  const { cluster } = campaign;
  const follower = await mostWatched(campaign);
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

/** One watcher at least is elsewhere: what happens meanwhile has to be witnessed. */
async function mostWatched({ cluster, watchers }: Campaign): Promise<ProcessNode> {
  const at = (node: ProcessNode) =>
    watchers.filter(({ endpoint }) => endpoint === node.clientAddress);
  const [most] = cluster.nodes.toSorted((a, b) => at(b).length - at(a).length);
  const node = present(most, 'a node');
  if (at(node).length === watchers.length) {
    watchers[0]?.moveOn();
    await pollUntil(() => at(node).length < watchers.length, {
      what: 'a watcher to go elsewhere',
      timeoutMs: 10_000,
    });
  }
  return node;
}
