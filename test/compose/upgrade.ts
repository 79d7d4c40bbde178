// A rolling upgrade by the commands of docs/operations.md: image A to image B, one node at a time, with writers that give
// nothing up and streaming watchers. Nothing acknowledged is lost, no watch has a gap, every write succeeds in the end.
import { present } from '../../src/lib/assert.ts';
import { judge, longestSilence, underLoad } from '../cluster/campaign.ts';
import { readRunbook } from '../cluster/runbook.ts';
import { expectUnharmed, openCampaign } from './campaign-in-containers.ts';
import { containerCommands } from './first-start.ts';
import { images, withTestImages } from './images.ts';
import type { Trial } from './trial.ts';

/** The last commit before members and snapshots, which today's nodes promise to understand (CHANGELOG.md). */
const firstRelease = 'dd80a71';

export type Order = 'n1 first' | 'n3 first';

const upgradeCommands = (part: string): string =>
  withTestImages(present(readRunbook('upgrade').get(part), `upgrade: ${part}`));

/** Builds the image to come from; resolves with its name. Without the history it is this checkout's. */
export async function buildBefore({ cluster, say }: Trial): Promise<string> {
  try {
    await cluster.run(`git cat-file -e '${firstRelease}^{commit}'`);
  } catch {
    say(`skipped: coming from ${firstRelease}, which this clone's history does not have`);
    return images.local;
  }
  const base = process.env['ROLLCALL_BASE_IMAGE'];
  const argument = base === undefined ? '' : `--build-arg 'BASE=${base}'`;
  await cluster.run(
    `set -o pipefail; git archive ${firstRelease} | docker build -q ${argument} -f cluster/Dockerfile -t ${images.before} -`,
  );
  say(`image A built from ${firstRelease}`);
  return images.before;
}

export async function buildNext({ cluster }: Trial): Promise<void> {
  await cluster.run(upgradeCommands('build'));
}

/** What an operator types for one node after the other, and what goes before it. */
function readSteps(order: Order): { readonly before: string; readonly steps: readonly string[] } {
  const [before = '', ...steps] = upgradeCommands('nodes').split(/^(?=docker compose )/m);
  if (steps.length !== 3) throw new Error(`upgrade: nodes has ${steps.length} steps, not 3`);
  return { before, steps: order === 'n1 first' ? steps : steps.toReversed() };
}

async function expectImage({ cluster }: Trial, image: string): Promise<void> {
  const wanted = (await cluster.docker('image', 'inspect', '-f', '{{.Id}}', image)).trim();
  for (const node of cluster.nodes) {
    const facts = await node.inspect('{{.Image}} {{.Config.Image}}');
    if (facts !== `${wanted} ${image}`) throw new Error(`${node.id} runs ${facts}, not ${image}`);
  }
}

/** On an empty cluster of image A. Leaves one of image B. */
export async function rollOver(trial: Trial, from: string, order: Order): Promise<void> {
  const { cluster, say, figures, seed } = trial;
  cluster.useImage(from);
  await cluster.run(containerCommands('start'));
  await expectImage(trial, from);
  const campaign = await openCampaign(cluster, seed);
  try {
    await underLoad(campaign, async (load) => {
      const beganMs = performance.now();
      const { before, steps } = readSteps(order);
      for (const step of steps) {
        await cluster.run(before + step);
        await load.untilMore(100, 'writes after a node was exchanged');
      }
      const silenceMs = Math.round(longestSilence(load, beganMs));
      const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
      figures.set(
        order === 'n1 first' ? 'upgradeSilenceMs' : 'upgradeBackwardsSilenceMs',
        silenceMs,
      );
      say(
        `${from} to ${images.next}, ${order}, in ${seconds} s: ${load.acknowledged().length} writes, none acknowledged for at most ${silenceMs} ms`,
      );
    });
    await expectImage(trial, images.next);
    await judge(campaign, cluster.nodes, say);
    expectUnharmed(campaign);
  } finally {
    for (const watcher of campaign.watchers) watcher.close();
  }
}
