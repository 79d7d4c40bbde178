// The command line of the damage matrix.
import { Command, Option } from 'commander';
import { wholeNumber } from '../../src/cli/client-options.ts';
import { parseUsage } from '../support/usage.ts';
import { type Cell, cellsOf, type Choice, quickCells, roles } from './cells.ts';
import { damageKinds } from './damages.ts';
import { type LogKind, logKinds } from './field.ts';
import { fileClasses } from './file-classes.ts';

export interface DamageOptions {
  readonly cells: readonly Cell[];
  readonly seed: number;
  readonly patienceMs: number;
  readonly json: boolean;
  readonly record: boolean;
}

interface Parsed extends Choice {
  readonly log?: readonly LogKind[];
  readonly quick?: true;
  readonly seed: number;
  readonly patience: number;
  readonly json?: true;
  readonly record?: true;
}

/** Beyond it two seeds would be one: the generator takes 32 bits. */
const maxSeed = 2 ** 32 - 1;

const several = (flags: string, what: string, choices: readonly string[]): Option =>
  new Option(`${flags} <names...>`, what).choices(choices);

const exitCodes = `
Exit codes: 0 all as promised, 1 something is not, 2 wrong usage, 3 no cell found anything to damage, 4 the harness itself failed, or no cluster came up, 130 interrupted.`;

/** @throws CommanderError, see parseUsage. */
export function parseOptions(words: readonly string[]): DamageOptions {
  const command = new Command('test:damage')
    .description(
      'damages every file of a node in every way, and compares what becomes of it with what is promised',
    )
    .option(
      '--quick',
      `${quickCells.length} cells: every kind of file and every damage at least once`,
    )
    .addOption(several('--only', 'files of these kinds', fileClasses))
    .addOption(several('--damage', 'these damages', damageKinds))
    .addOption(
      several(
        '--role',
        'what the node was: follower, leader, or follower with another away',
        roles,
      ),
    )
    .addOption(several('--log', 'clusters with whole or trimmed logs', logKinds))
    .option('--seed <n>', 'who is struck, and where in the file', wholeNumber(0, maxSeed), 1)
    .option('--patience <seconds>', 'for each thing that is waited for', wholeNumber(1, 3600), 90)
    .option('--json', 'the outcomes as JSON, and nothing else')
    .option('--record', 'puts the table into docs/testing.md, once all cells are through')
    .addHelpText('after', exitCodes)
    .allowExcessArguments(false);
  const {
    quick,
    log: logs,
    seed,
    patience,
    json,
    record,
    ...choice
  } = parseUsage(command, words).opts<Parsed>();
  const cells = cellsOf({ ...choice, logs }, quick === true ? quickCells : undefined);
  if (cells.length === 0) command.error('error: there is no such cell');
  return {
    cells,
    seed,
    patienceMs: patience * 1000,
    json: json === true,
    record: record === true,
  };
}
