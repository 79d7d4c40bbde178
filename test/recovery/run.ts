// npm run test:recovery: the runbooks of docs/recovery.md on server processes, with a client that remembers what it was told before.
import { Command, Option } from 'commander';
import { allLost } from './all-lost.ts';
import { interrupted } from './interrupted.ts';
import { majorityLost } from './majority-lost.ts';
import { Town } from './town.ts';

const stories = {
  'all-lost': allLost,
  'majority-lost': majorityLost,
  interrupted,
} as const;
type Name = keyof typeof stories;
const names = Object.keys(stories) as Name[];

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

await new Command('test:recovery')
  .description('follows the runbooks of docs/recovery.md on server processes')
  .addOption(new Option('--only <story>', 'one of them').choices(names))
  .action(async ({ only }: { only?: Name }) => {
    for (const name of only === undefined ? names : [only]) {
      const began = performance.now();
      await using town = await Town.start();
      try {
        const outcome = await stories[name](town);
        say(`${name}: ${outcome}, in ${((performance.now() - began) / 1000).toFixed(0)} s`);
      } catch (error) {
        say(town.cluster.logTails());
        throw error;
      }
    }
    say('passed');
  })
  .parseAsync();
