// `npm run planted`: plants one bug after another in a copy of the sources and shows that each is caught. The tests of the
// tests: a bug that survives is a check that is missing.
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../support/repository-root.ts';
import { type PlantedBug, schedules, tests } from './bug.ts';
import { nodeBugs } from './node-bugs.ts';
import { raftBugs } from './raft-bugs.ts';
import { hunt, type Outcome, type Workshop } from './workshop.ts';

const USAGE = `usage: planted [--only TEXT] [--schedules N] [--seed S] [--list]
  --only       only bugs with this text in their name
  --schedules  schedules before a bug of the core counts as having survived (default 6000)
  --seed       seed of the first schedule (default 1)
  --list       print the names and stop`;

/** Nothing is planted here, so nothing may be caught: without these a hunter that always barks would pass. */
function controls(bugs: readonly PlantedBug[]): readonly PlantedBug[] {
  const files = bugs.flatMap(({ hunter }) => (hunter.kind === 'tests' ? hunter.files : []));
  const withSchedules = bugs.some(({ hunter }) => hunter.kind === 'schedules');
  return [
    ...(withSchedules ? [{ name: 'control: schedules', patches: [], hunter: schedules }] : []),
    ...(files.length > 0
      ? [{ name: 'control: tests', patches: [], hunter: tests(...new Set(files)) }]
      : []),
  ];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      schedules: { type: 'string' },
      seed: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const bugs = [...raftBugs, ...nodeBugs].filter(({ name }) => name.includes(values.only ?? ''));
  if (values.list) {
    for (const { name } of bugs) console.log(name);
    return 0;
  }
  const workshop: Workshop = {
    root: repositoryRoot(),
    schedules: Number(values.schedules ?? 6000),
    seed: Number(values.seed ?? 1),
  };
  let passed = 0;
  let failed = 0;
  for (const bug of [...controls(bugs), ...bugs]) {
    const startedMs = performance.now();
    const outcome = await hunt(workshop, bug);
    const isGood = outcome.kind === (bug.patches.length === 0 ? 'survived' : 'caught');
    if (isGood) passed += 1;
    else failed += 1;
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${isGood ? 'ok  ' : 'FAIL'} ${bug.name}: ${tell(outcome)} (${seconds} s)`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

function tell(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'caught':
      return `caught by ${outcome.by}`;
    case 'survived':
      return `nothing found in ${outcome.after}`;
    case 'spoilt':
      return `cannot be judged: ${outcome.reason}`;
  }
}

process.exitCode = await main();
