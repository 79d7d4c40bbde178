// The command line of test:recovery.
import { Command, Option } from 'commander';
import { parseUsage } from '../support/usage.ts';

export const storyNames = [
  'all-lost',
  'majority-lost',
  'disk-replaced',
  'logs-put-back',
  'interrupted',
] as const;
export type StoryName = (typeof storyNames)[number];

export interface RecoveryOptions {
  readonly only?: StoryName;
  readonly quick?: true;
}

/** @throws CommanderError, see parseUsage. */
export function parseOptions(words: readonly string[]): RecoveryOptions {
  const command = new Command('test:recovery')
    .description('follows the runbooks of docs/recovery.md on server processes')
    .addOption(new Option('--only <story>', 'one of them').choices([...storyNames]))
    .addOption(
      new Option('--quick', 'without those that take half a minute and more').conflicts('only'),
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 passed, 1 something failed, 2 wrong usage, 130 interrupted.',
    );
  return parseUsage(command, words).opts<RecoveryOptions>();
}
