// npm run test:upgrade: clusters of processes of earlier builds, upgraded node by node in every order under load, and back where formats
// allow it. Without containers; those are in test:compose.
import { join } from 'node:path';
import { say } from '../cluster/campaign.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import { conclude, interruption, runTrials, type Trial } from '../support/trials.ts';
import { usageOrExit } from '../support/usage.ts';
import { Builds, type EarlierBuild } from './builds.ts';
import { orders, parseOptions, type UpgradeOptions } from './options.ts';
import { refuseShortened } from './refusal.ts';
import { rollOver } from './roll.ts';

interface Earlier {
  readonly commit: string;
  readonly what: string;
  /** Everything that this version writes while members stay and the log is whole can be read there. */
  readonly back: boolean;
}

const earlierBuilds: readonly Earlier[] = [
  { commit: '5c4543f', what: 'where the first issue ended', back: false },
  { commit: 'dd80a71', what: 'the first release, before members and snapshots', back: true },
];

type Built = Extract<EarlierBuild, { readonly kind: 'built' }>;

function trialsOf({ commit, back }: Earlier, build: Built, options: UpgradeOptions): Trial[] {
  const { quick, order: only, main, seed: first } = options;
  const to = { name: 'this checkout', main: main ?? join(repositoryRoot(), 'dist/cli/main.js') };
  const chosen = only === undefined ? (quick === true ? orders.slice(0, 1) : orders) : [only];
  const again = `npm run test:upgrade -- --from ${commit}`;
  const where = main === undefined ? '' : ` --main ${main}`;
  const rolls = chosen.map((order, at): Trial => {
    const seed = first + at * 1000;
    return {
      name: `${commit}, ${order.join(', ')}`,
      replay: `${again} --order ${order.join(',')} --seed ${seed}${where}`,
      run: () => rollOver({ from: { name: commit, main: build.main }, to, order, back, seed }),
    };
  });
  if (!back) return rolls;
  const refusal = {
    name: `${commit}, a log that was shortened`,
    replay: `${again} --quick`,
    run: () => refuseShortened(build.main),
  };
  return [refusal, ...rolls];
}

async function upgrade(options: UpgradeOptions): Promise<number> {
  const signal = interruption();
  const builds = new Builds();
  const trials: Trial[] = [];
  let skipped = 0;
  try {
    for (const earlier of earlierBuilds) {
      const { commit, what } = earlier;
      if (signal.aborted || (options.from ?? commit) !== commit) continue;
      say(`building ${commit}, ${what}`);
      const build = builds.build(commit);
      switch (build.kind) {
        case 'built':
          trials.push(...trialsOf(earlier, build, options));
          break;
        case 'unknown':
          say(`skipped: ${commit}: ${build.reason}`);
          skipped++;
          break;
        case 'broken':
          trials.push({
            name: `the build of ${commit}`,
            replay: `npm run test:upgrade -- --from ${commit} --quick`,
            run: () => Promise.reject(new Error(build.reason)),
          });
          break;
      }
    }
    return conclude(await runTrials(trials, say, signal), skipped, say);
  } finally {
    builds.remove();
  }
}

const commits = earlierBuilds.map(({ commit }) => commit);
process.exitCode = await upgrade(usageOrExit((words) => parseOptions(commits, words)));
