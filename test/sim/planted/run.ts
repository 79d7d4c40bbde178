// Hunts one planted bug: runs seeds, or one scenario, with the sources that lie beside this file, and prints what was found
// as lines of JSON. `npm run planted` starts it in a copy of the build that has the bug in it.
import { parseArgs } from 'node:util';
import { present } from '../../../src/lib/assert.ts';
import type { Violation } from '../../checkers/history.ts';
import { drawPlan } from '../plan.ts';
import { runPlan } from '../run-plan.ts';
import { scenarios } from '../scenarios/scenarios.ts';

const CHAOS_MS = 7000;
const PROGRESS_MS = 30_000;
const MAX_EVIDENCE = 140;

const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

/** An error that no one foresaw is what a clumsy patch looks like, and no checker's merit. A node that stops itself over a
 * broken invariant, or takes its own good log for damaged, does so in production too. A scenario that did not come about shows nothing. */
const isMereCrash = ({ guarantee, evidence }: Violation): boolean =>
  guarantee === 'scenario' ||
  (guarantee === 'node' &&
    !/exit code (11|12):|a broken invariant|InvariantError|DamagedLogError/.test(evidence));

function describe({ guarantee, evidence, checker }: Violation): string {
  const who = guarantee === 'node' ? 'assertion' : (checker ?? 'while running');
  const short =
    evidence.length > MAX_EVIDENCE ? `${evidence.slice(0, MAX_EVIDENCE)} ...` : evidence;
  return `${who}, ${guarantee}: ${short}`;
}

function conclude(violations: readonly Violation[], after: string): void {
  const caught = violations.filter((violation) => !isMereCrash(violation));
  const found = caught.find((violation) => !isTardiness(violation)) ?? caught[0] ?? violations[0];
  if (found === undefined) say({ kind: 'survived', after });
  else if (isMereCrash(found)) say({ kind: 'broken', reason: `${after}: ${found.evidence}` });
  else say({ kind: 'caught', by: describe(found), after });
}

/** Something took longer than it may, or did not happen. That has many causes, a rough sea among them, so it counts only
 * when it is seen twice within so many seeds. What was seen to be wrong counts at once. */
const isTardiness = ({ guarantee }: Violation): boolean => /^G(6|15|16)$/.test(guarantee);
const TWICE_WITHIN = 60;

async function hunt(firstSeed: number, limit: number): Promise<void> {
  let toldMs = performance.now();
  let tardyAt = Number.NEGATIVE_INFINITY;
  for (let seeds = 1; seeds <= limit; seeds++) {
    const seed = firstSeed + seeds - 1;
    const { violations } = await runPlan(drawPlan(seed, CHAOS_MS));
    const again = seeds - tardyAt <= TWICE_WITHIN;
    if (
      violations.some((violation) => !isTardiness(violation)) ||
      (violations.length > 0 && again)
    ) {
      return conclude(violations, `${seeds} seeds`);
    }
    if (violations.length > 0) tardyAt = seeds;
    if (performance.now() < toldMs + PROGRESS_MS) continue;
    toldMs = performance.now();
    say({ kind: 'progress', seeds });
  }
  conclude([], `${limit} seeds`);
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    scenario: { type: 'string' },
  },
});
if (values.scenario === undefined) {
  await hunt(Number(values.seed ?? 1), Number(values.seeds ?? 2000));
} else {
  const scenario = scenarios.find(({ name }) => name === values.scenario);
  const violations = await present(scenario, 'there is such a scenario').run();
  conclude(violations, '1 run');
}
