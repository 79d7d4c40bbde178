// What a run says: a line for each cell, the table of all of them, and the same in docs/testing.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository-root.ts';
import type { Outcome } from './cell.ts';
import { nameOfCell, replayLine } from './cells.ts';
import { damageKinds, type DamageKind } from './damages.ts';
import { type Ending, nameOf } from './ending.ts';
import { type FileClass, fileClasses } from './file-classes.ts';

/** Characters of what a node said, where all is well. */
const SHOWN = 200;

export function lineOf({ cell, ending, story, wrong, ms }: Outcome, seed: number): string {
  const took = `${(ms / 1000).toFixed(1)} s`;
  if (wrong.length > 0) {
    const reasons = wrong.slice(0, 5).map((reason) => `    ${reason}\n`);
    return `WRONG ${nameOfCell(cell)} (${took}): ${story}\n${reasons.join('')}    ${replayLine(cell, seed)}`;
  }
  if (ending === undefined) return `void  ${nameOfCell(cell)} (${took}): ${story}`;
  const short = story.length > SHOWN ? `${story.slice(0, SHOWN)}…` : story;
  return `ok    ${nameOfCell(cell)} (${took}): ${short}`;
}

/** What a run of so many cells has shown. Where no cell found anything to damage it is nothing. */
export function verdictOf(
  outcomes: readonly Outcome[],
  cells: number,
): 'promised' | 'wrong' | 'nothing' | 'interrupted' {
  if (outcomes.some(({ wrong }) => wrong.length > 0)) return 'wrong';
  if (outcomes.length < cells) return 'interrupted';
  return outcomes.some(({ ending }) => ending !== undefined) ? 'promised' : 'nothing';
}

const columns: Readonly<Record<DamageKind, string>> = {
  flip: 'a bit flipped',
  truncate: 'cut short',
  empty: 'emptied',
  delete: 'deleted',
  zero: 'a page zeroed',
  old: 'an old copy',
  other: "another node's",
};

const words = (ending: Ending | undefined): string =>
  ending === undefined ? 'nothing to do' : nameOf(ending).replace('repaired', 'rep.');

/** Each ending that occurred, the commonest first, with the number of cells where there are several. */
function entryOf(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return '';
  const counts = new Map<string, number>();
  for (const { ending, wrong } of outcomes) {
    const word = wrong.length > 0 ? '**wrong**' : words(ending);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a);
  if (sorted.length === 1) return sorted.map(([word]) => word).join('');
  return sorted.map(([word, count]) => `${word} (${count})`).join(', ');
}

export function markdown(outcomes: readonly Outcome[]): string {
  const rowOf = (file: FileClass): string => {
    const entries = damageKinds.map((damage) =>
      entryOf(outcomes.filter(({ cell }) => cell.file === file && cell.damage === damage)),
    );
    return `| ${file} | ${entries.join(' | ')} |`;
  };
  const shown = fileClasses.filter((file) => outcomes.some(({ cell }) => cell.file === file));
  return [
    `| file | ${damageKinds.map((damage) => columns[damage]).join(' | ')} |`,
    `|---|${damageKinds.map(() => '---|').join('')}`,
    ...shown.map(rowOf),
  ].join('\n');
}

const [begin, end] = ['<!-- damage -->', '<!-- /damage -->'];

/** Puts the table between the marks in docs/testing.md. */
export function record(outcomes: readonly Outcome[], summary: string): void {
  const path = join(repositoryRoot(), 'docs', 'testing.md');
  const text = readFileSync(path, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${path} has no ${begin}`);
  const block = `${begin}\n\n${summary}\n\n${markdown(outcomes)}\n\n${end}`;
  writeFileSync(path, `${before}${block}${after}`);
}
