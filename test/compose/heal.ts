// A node's process dies by kill -9 of its host pid, past the engine, under load: the restart policy brings it back, and nothing
// acknowledged is lost. Then `down` and `up`: the volumes keep the data.
import type { WriteRecord } from '../checkers/history.ts';
import { firstAnswerAfter, judge, underLoad } from '../cluster/campaign.ts';
import { finalList } from '../cluster/final-list.ts';
import { pollUntil } from '../support/poll.ts';
import { openCampaign } from './campaign-in-containers.ts';
import { containerCommands } from './first-start.ts';
import type { Trial } from './trial.ts';

export async function healFromKill(trial: Trial, earlier: WriteRecord): Promise<void> {
  const { cluster, say, figures, seed } = trial;
  const campaign = await openCampaign(cluster, seed, [earlier]);
  try {
    await underLoad(campaign, async (load) => {
      const leader = await cluster.waitForLeader();
      const pid = await leader.pid();
      const killedAtMs = performance.now();
      process.kill(pid, 'SIGKILL');
      await load.untilMore(100, 'writes after the kill');
      const gapMs = Math.round(firstAnswerAfter(load, killedAtMs));
      figures.set('killGapMs', gapMs);
      await pollUntil(
        async () => {
          const now = await leader.pid();
          return now !== pid && (await leader.status()).problems.length === 0;
        },
        {
          what: `${leader.id} to be back`,
          timeoutMs: 30_000,
          everyMs: 50,
          explain: cluster.logTails,
        },
      );
      const backMs = Math.round(performance.now() - killedAtMs);
      figures.set('healedMs', backMs);
      say(
        `kill -9 of the leader's host pid ${pid} (${leader.id}): the next write after ${gapMs} ms, itself back after ${backMs} ms`,
      );
    });
    await judge(campaign, cluster.nodes, say);
  } finally {
    for (const watcher of campaign.watchers) watcher.close();
  }
  const resumes = campaign.watchers.reduce((sum, { resumes: own }) => sum + own, 0);
  if (resumes === 0) throw new Error('void: no watcher had to resume');
}

export async function keepThroughDown({ cluster, say }: Trial): Promise<void> {
  const [first] = cluster.endpoints;
  const before = await finalList('before', first ?? '');
  await cluster.run(containerCommands('stop'));
  const left = await cluster.compose('ps', '-q');
  if (left.trim() !== '') throw new Error(`still there after \`down\`: ${left}`);
  await cluster.run(containerCommands('start'));
  const after = await finalList('after', first ?? '');
  const lost = [...before.instances].filter(([id, content]) => after.instances.get(id) !== content);
  if (lost.length > 0) throw new Error(`${lost.length} instances were lost by \`down\` and \`up\``);
  say(`\`down\` and \`up\` keep all ${before.instances.size} instances`);
}
