// The disks of the process test: failing, slow and full ones. What the host does not allow is skipped by name.
import { ProcessCluster } from '../support/process-cluster.ts';
import { type Campaign, judge, say } from './campaign.ts';
import { Watcher } from './clients.ts';
import { failLeaderUnderLoad, failNthWrite } from './disk-errors.ts';
import { fullDisks } from './full-disks.ts';
import { slowDisk } from './slow-disks.ts';
import { mountProblem } from './small-disks.ts';
import { START_MS, straceProblem, traceable } from './strace.ts';

export async function runDisks(seed: number): Promise<void> {
  const untraced = straceProblem();
  if (untraced !== undefined) say(`failing and slow disks: skipped: ${untraced}`);
  else {
    say('a disk that fails a write (G1)');
    for (const nth of [1, 7]) await failNthWrite(nth, false);
    await failNthWrite(3, true);
    await failAndSlow(seed);
  }
  const unmounted = mountProblem();
  if (unmounted !== undefined) say(`full disks: skipped: ${unmounted}`);
  else {
    say('disks that are full (ADR 0019)');
    await fullDisks(seed);
  }
}

async function failAndSlow(seed: number): Promise<void> {
  const environment = traceable;
  await using cluster = await ProcessCluster.start({ environment, startWithinMs: START_MS });
  const watchers = cluster.nodes.map(
    (node, at) => new Watcher(`watcher of ${node.id}`, cluster.endpoints, at),
  );
  const campaign: Campaign = { cluster, watchers, writes: [], seed, environment, stages: 0 };
  await failLeaderUnderLoad(campaign);
  await judge(campaign);
  for (const watcher of watchers) watcher.close();
  say('disks that are slow (G15)');
  await slowDisk(cluster, 'follower');
  await slowDisk(cluster, 'leader');
}
