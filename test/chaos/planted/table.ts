// The table of docs/testing.md: what became of each bug, exactly as a run printed it.
import { rewriteTable, tableLine } from '../../planted/table.ts';
import type { Hunted } from './hunt.ts';
import type { ServerBug } from './server-bug.ts';

export interface Row {
  readonly bug: ServerBug;
  readonly hunted: Hunted;
}

/** Bugs that were not hunted this time keep their lines, unless they are no more. */
export function recordTable(rows: readonly Row[], bugs: readonly ServerBug[]): void {
  const head = [
    '| planted bug | faults | runs until caught | seconds | caught by |',
    '|---|---|---|---|---|',
  ];
  rewriteTable('server bugs', (before) => [
    ...head,
    ...bugs.flatMap((bug) => {
      const row = rows.find((one) => one.bug.name === bug.name);
      if (row !== undefined) return [line(row)];
      return before.filter((known) => known.startsWith(`| ${bug.name} |`));
    }),
  ]);
}

function line({ bug, hunted }: Row): string {
  const { outcome, runs, seconds } = hunted;
  const caught = outcome.kind === 'caught';
  const by = caught ? outcome.by : '**nobody**';
  const count = caught ? `${runs}` : `> ${runs}`;
  return tableLine([bug.name, bug.kinds.join(', '), count, seconds.toFixed(0), by]);
}
