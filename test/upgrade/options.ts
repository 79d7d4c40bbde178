// The command line of test:upgrade.
import { Command, InvalidArgumentError, Option } from 'commander';
import { wholeNumber } from '../../src/cli/client-options.ts';
import { parseUsage } from '../support/usage.ts';

/** All orders in which three nodes can be exchanged; the first one is that of `--quick`. */
export const orders = [
  ['n1', 'n2', 'n3'],
  ['n3', 'n2', 'n1'],
  ['n1', 'n3', 'n2'],
  ['n2', 'n1', 'n3'],
  ['n2', 'n3', 'n1'],
  ['n3', 'n1', 'n2'],
] as const satisfies readonly (readonly string[])[];

export interface UpgradeOptions {
  readonly quick?: true;
  readonly seed: number;
  /** A commit. */
  readonly from?: string;
  readonly order?: readonly string[];
  /** dist/cli/main.js of what is upgraded to. */
  readonly main?: string;
}

/** Beyond it two seeds would be one: the generator takes 32 bits. */
const maxSeed = 2 ** 32 - 1;

function parseOrder(text: string): readonly string[] {
  const order = orders.find((known) => known.join(',') === text);
  if (order === undefined) {
    throw new InvalidArgumentError('It must name n1, n2 and n3, each once: n2,n1,n3.');
  }
  return order;
}

/** @throws CommanderError, see parseUsage. */
export function parseOptions(commits: readonly string[], words: readonly string[]): UpgradeOptions {
  const command = new Command('test:upgrade')
    .description(
      'upgrades clusters of earlier builds node by node under load, and goes back where formats allow it',
    )
    .addOption(
      new Option('--quick', 'one order of each build instead of all six').conflicts('order'),
    )
    .option('--seed <n>', 'what the clients do', wholeNumber(0, maxSeed), 1)
    .addOption(new Option('--from <commit>', 'this build only').choices([...commits]))
    .option('--order <names>', 'this order only, as n2,n1,n3', parseOrder)
    .option('--main <file>', 'upgrades to this program, instead of the one just built')
    .addHelpText(
      'after',
      '\nExit codes: 0 passed, 1 something failed, 2 wrong usage, 3 nothing was shown (all of it skipped), 130 interrupted.',
    );
  return parseUsage(command, words).opts<UpgradeOptions>();
}
