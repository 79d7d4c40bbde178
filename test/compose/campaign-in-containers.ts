// Load on a cluster that nothing may harm, in containers or processes, and the verdict over it; the rest is as test/cluster has it.
import type { WriteRecord } from '../checkers/history.ts';
import type { Campaign, LoadedCluster } from '../cluster/campaign.ts';
import { Watcher } from '../cluster/clients.ts';
import { pollUntil } from '../support/poll.ts';

/** A watcher on each node, open before anything is written but `earlier`; writers that give nothing up. */
export async function openCampaign<
  C extends LoadedCluster & { readonly endpoints: readonly string[] },
>(cluster: C, seed: number, earlier: readonly WriteRecord[] = []): Promise<Campaign<C>> {
  const watchers = cluster.nodes.map(
    (node, position) => new Watcher(`watcher of ${node.id}`, cluster.endpoints, position),
  );
  await pollUntil(() => watchers.every((watcher) => watcher.revision >= 0), {
    what: 'the first state of every watcher',
    timeoutMs: 20_000,
    explain: () => cluster.logTails(),
  });
  const writes = [...earlier];
  return { cluster, watchers, writes, seed, environment: {}, stages: 0, persistent: true };
}

/** Nobody may be left with a refusal, and every watcher must have been moved: else nothing was shown. */
export function expectUnharmed({ watchers, writes }: Campaign<LoadedCluster>): void {
  const failed = writes.filter(({ outcome }) => outcome !== 'acknowledged');
  if (failed.length > 0) {
    const shown = failed.slice(0, 5).map(({ mark, outcome }) => `${mark} ${outcome}`);
    throw new Error(`${failed.length} writes did not succeed in the end: ${shown.join(', ')}`);
  }
  const still = watchers.filter(({ resumes }) => resumes === 0).map(({ name }) => name);
  if (still.length > 0) throw new Error(`void: ${still.join(', ')} never had to resume`);
}
