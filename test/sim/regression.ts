// Plans that once failed, kept as files: each runs with every npm test from then on.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { repositoryRoot } from '../support/repository-root.ts';
import type { Violation } from '../checkers/history.ts';
import type { Plan } from './plan.ts';

export interface Regression {
  /** What it showed when it was found. */
  readonly found: string;
  readonly plan: Plan;
}

const folder = join(repositoryRoot(), 'test/sim/regressions');

export function readRegressions(): readonly (Regression & { readonly name: string })[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => {
      const { found, plan } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Regression;
      return { name, found, plan };
    });
}

/** Returns where it is, from the root of the repository. */
export function writeRegression(plan: Plan, { guarantee, evidence }: Violation): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `seed-${plan.seed}.json`);
  const regression: Regression = { found: `${guarantee}: ${evidence}`, plan };
  writeFileSync(path, `${JSON.stringify(regression, undefined, 2)}\n`);
  return relative(repositoryRoot(), path);
}
