// npm run test:recovery: the runbooks of docs/recovery.md, and that of docs/operations.md for one lost disk, on server processes,
// with a client that remembers what it was told before.
import { conclude, interruption, runTrials, type Trial } from '../support/trials.ts';
import { usageOrExit } from '../support/usage.ts';
import { allLost } from './all-lost.ts';
import { diskReplaced } from './disk-replaced.ts';
import { interrupted } from './interrupted.ts';
import { logsPutBack } from './logs-put-back.ts';
import { majorityLost } from './majority-lost.ts';
import { parseOptions, type RecoveryOptions, type StoryName, storyNames } from './options.ts';
import { Town } from './town.ts';

const stories: Readonly<Record<StoryName, (town: Town) => Promise<string>>> = {
  'all-lost': allLost,
  'majority-lost': majorityLost,
  'disk-replaced': diskReplaced,
  'logs-put-back': logsPutBack,
  interrupted,
};

/** Variants, and those that wait for a node's patience to end. */
const slow: ReadonlySet<StoryName> = new Set(['logs-put-back', 'interrupted']);

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const trialOf = (name: StoryName): Trial => ({
  name,
  replay: `npm run test:recovery -- --only ${name}`,
  run: async () => {
    await using town = await Town.start();
    try {
      return await stories[name](town);
    } catch (error) {
      say(town.cluster.logTails());
      throw error;
    }
  },
});

async function recover({ only, quick }: RecoveryOptions): Promise<number> {
  const chosen = storyNames.filter((name) =>
    only === undefined ? quick !== true || !slow.has(name) : name === only,
  );
  const tally = await runTrials(chosen.map(trialOf), say, interruption());
  return conclude(tally, 0, say);
}

process.exitCode = await recover(usageOrExit(parseOptions));
