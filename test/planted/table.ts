// The table of the simulator's planted bugs in docs/testing.md: exactly what a run printed, never written by hand.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository-root.ts';
import type { PlantedBug } from './bug.ts';
import type { Outcome } from './hunters.ts';

/** What became of one bug. `scenario`: of the scenario it is paired with. */
export interface Row {
  readonly bug: PlantedBug;
  readonly outcome: Outcome;
  readonly scenario: Outcome | undefined;
  readonly seconds: number;
}

const FILE = 'docs/testing.md';

/** Replaces the table of that name in docs/testing.md, given its lines so far. */
export function rewriteTable(
  name: string,
  rewrite: (before: readonly string[]) => readonly string[],
): void {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const path = join(repositoryRoot(), FILE);
  const text = readFileSync(path, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${FILE} has no place for the table of ${name}`);
  const lines = rewrite(text.slice(from, to).split('\n'));
  const table = `${[begin, '', ...lines, ''].join('\n')}\n`;
  writeFileSync(path, text.slice(0, from) + table + text.slice(to));
}

/** One row of a table. */
export function tableLine(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Writes the rows of the bugs that were hunted; the others keep what an earlier run found, unless they are no more. */
export function recordTable(rows: readonly Row[], bugs: readonly PlantedBug[]): void {
  const head = [
    '| area | planted bug | seeds until caught | caught by | scenario |',
    '|---|---|---|---|---|',
  ];
  rewriteTable('planted bugs', (before) => [
    ...head,
    ...bugs.flatMap((bug) => {
      const row = rows.find((one) => one.bug.name === bug.name);
      if (row !== undefined) return [line(row)];
      return before.filter((known) => known.startsWith(`| ${bug.area ?? ''} | ${bug.name} |`));
    }),
  ]);
}

function line({ bug, outcome, scenario }: Row): string {
  const paired = scenario === undefined ? '' : (bug.scenario ?? '');
  return tableLine([bug.area ?? '', bug.name, ...told(outcome, scenario), paired]);
}

function told(outcome: Outcome, scenario: Outcome | undefined): readonly [string, string] {
  switch (outcome.kind) {
    case 'caught':
      return [`${Number.parseInt(outcome.after, 10)}`, outcome.by];
    case 'survived': {
      const alone = scenario?.kind === 'caught' ? 'its scenario alone' : '**nobody**';
      return [`> ${Number.parseInt(outcome.after, 10)}`, alone];
    }
    case 'spoilt':
      return ['', '**not judged**'];
  }
}
