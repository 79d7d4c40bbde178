// Node by node from one build to another under load: each is told to stop, ends with 0, and is started as the other build with its data.
import { judge, longestSilence, underLoad } from '../cluster/campaign.ts';
import { expectUnharmed, openCampaign } from '../compose/campaign-in-containers.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessCluster, ProcessNode } from '../support/process-cluster.ts';

/** Of a machine that has much else to do. */
const patienceMs = 240_000;

/** The node with its name, addresses and data, as another build runs it. */
function asBuild(
  cluster: ProcessCluster,
  { id, clientAddress, peerAddress, dataDir, logFile }: ProcessNode,
  main: string,
): ProcessNode {
  const members = cluster.nodes.map((node) => `${node.id}=${node.peerAddress}`).join(',');
  const flags = ['--node-id', id, '--data-dir', dataDir, '--initial-members', members];
  flags.push('--listen-client', clientAddress, '--listen-peer', peerAddress);
  const command = [process.execPath, '--enable-source-maps', main, 'server', ...flags];
  return new ProcessNode({
    id,
    clientAddress,
    peerAddress,
    dataDir,
    logFile,
    command,
    wrapped: false,
  });
}

async function exchange(cluster: ProcessCluster, id: string, main: string): Promise<void> {
  const old = cluster.nodes.find((node) => node.id === id);
  if (old === undefined) throw new Error(`${id} is no node`);
  await old.kill('SIGTERM');
  if (old.exitCode !== 0)
    throw new Error(`${id} ended with ${old.exitCode}\n${cluster.logTails()}`);
  const next = asBuild(cluster, old, main);
  cluster.adopt(next);
  next.start();
  const { commit_index: commit } = await (await cluster.waitForLeader(patienceMs)).status(5000);
  await pollUntil(
    async () => {
      const status = await next.status(2000).catch(() => undefined);
      return status !== undefined && Number(status.applied_index) >= Number(commit);
    },
    {
      what: `${id} to catch up`,
      timeoutMs: patienceMs,
      everyMs: 50,
      explain: () => cluster.logTails(),
    },
  );
}

export interface Route {
  readonly from: { readonly name: string; readonly main: string };
  readonly to: { readonly name: string; readonly main: string };
  /** Names of the nodes, in the order in which they are exchanged. */
  readonly order: readonly string[];
  /** Then all the way back, in the same order. */
  readonly back: boolean;
  readonly seed: number;
}

/** Throws for anything lost, out of order or refused for good; resolves with what was seen. */
export async function rollOver({ from, to, order, back, seed }: Route): Promise<string> {
  await using cluster = await ProcessCluster.start({ main: from.main, startWithinMs: patienceMs });
  const campaign = await openCampaign(cluster, seed);
  const seen: string[] = [];
  try {
    for (const target of back ? [to, from] : [to]) {
      await underLoad(campaign, async (load) => {
        const beganMs = performance.now();
        for (const id of order) {
          await exchange(cluster, id, target.main);
          await load.untilMore(50, `writes after ${id} became ${target.name}`);
        }
        const silenceMs = Math.round(longestSilence(load, beganMs));
        const writes = load.acknowledged().length;
        seen.push(`to ${target.name}: ${writes} writes, at most ${silenceMs} ms without one`);
      });
      await judge(campaign);
    }
    expectUnharmed(campaign);
    return seen.join('; ');
  } finally {
    for (const watcher of campaign.watchers) watcher.close();
  }
}
