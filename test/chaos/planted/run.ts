// `npm run chaos:planted`: plants one bug of the server after another in a copy of the build and shows that a few short runs of
// the chaos harness catch each. A bug that survives is a check or a fault that is missing.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../../support/repository-root.ts';
import { closeWorkshop, openWorkshop, plantBug, type Workshop } from '../../planted/workshop.ts';
import { serverBugs } from './bugs.ts';
import { hunt, type Hunted, type HuntSettings } from './hunt.ts';
import type { ServerBug } from './server-bug.ts';
import { recordTable, type Row } from './table.ts';

const USAGE = `usage: chaos:planted [--only TEXT]... [--runs N] [--seed S] [--no-controls] [--keep] [--json] [--record] [--list]
  --only         only bugs with this text in their name; may be given several times
  --runs         runs before a bug counts as having survived (default 3)
  --seed         seed of the first run (default 1)
  --no-controls  do not show that runs without a bug are clean
  --keep         keep the histories of all runs, and say where
  --json         one line of JSON for each bug
  --record       write what became of the bugs into the table of docs/testing.md
  --list         print the names and stop
Needs root and Linux for most faults.`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    runs: { type: 'string' },
    seed: { type: 'string' },
    'no-controls': { type: 'boolean' },
    keep: { type: 'boolean' },
    json: { type: 'boolean' },
    record: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

const NODES = 3;
const interrupt = new AbortController();

function settingsOf(main: string, until: HuntSettings['until'], seed: number): HuntSettings {
  return {
    main,
    nodes: NODES,
    seed,
    until,
    mostRuns: Number(values.runs ?? 3),
    keep: values.keep === true,
    signal: interrupt.signal,
    tell: (line) => console.error(line),
  };
}

/** Plants it and hunts it. */
async function rowOf(
  workshop: Workshop,
  bug: ServerBug,
  until: HuntSettings['until'],
  seed: number,
): Promise<Row> {
  const planted = await plantBug(workshop, bug);
  if (planted.kind === 'problem') {
    const outcome = { kind: 'spoilt', reason: planted.reason } as const;
    return { bug, hunted: { outcome, runs: 0, seed, seconds: 0 } };
  }
  const main = join(planted.directory, 'build', 'src', 'cli', 'main.js');
  return { bug, hunted: await hunt(bug, settingsOf(main, until, seed)) };
}

/** The runs that caught bugs, once for each set of faults, without a bug. */
function controlsOf(rows: readonly Row[]): readonly { bug: ServerBug; seed: number }[] {
  const byKinds = new Map<string, { bug: ServerBug; seed: number }>();
  for (const { bug, hunted } of rows) {
    if (hunted.outcome.kind !== 'caught') continue;
    const name = bug.kinds.join(', ');
    const control = { ...bug, name: `control: ${name}`, patches: [] };
    if (!byKinds.has(name)) byKinds.set(name, { bug: control, seed: hunted.seed });
  }
  return [...byKinds.values()];
}

const isControl = ({ patches }: ServerBug): boolean => patches.length === 0;

const isGood = ({ bug, hunted }: Row): boolean =>
  hunted.outcome.kind === (isControl(bug) ? 'survived' : 'caught');

function words({ outcome, runs }: Hunted): string {
  switch (outcome.kind) {
    case 'caught':
      return `caught in run ${runs} by ${outcome.by}`;
    case 'survived':
      return `nothing found in ${runs} runs`;
    case 'spoilt':
      return `not judged in ${runs} runs: ${outcome.reason}`;
  }
}

function print(row: Row): void {
  const { bug, hunted } = row;
  const good = isGood(row);
  if (values.json) {
    console.log(JSON.stringify({ good, name: bug.name, faults: bug.kinds, ...hunted }));
    return;
  }
  const seconds = hunted.seconds.toFixed(0);
  console.log(`${good ? 'ok  ' : 'FAIL'} ${bug.name}: ${words(hunted)} (${seconds} s)`);
}

async function huntAll(chosen: readonly ServerBug[]): Promise<number> {
  const seed = Number(values.seed ?? 1);
  const workshop = await openWorkshop(repositoryRoot());
  const rows: Row[] = [];
  const report = (row: Row): void => {
    rows.push(row);
    print(row);
  };
  try {
    for (const bug of chosen) {
      if (interrupt.signal.aborted) break;
      report(await rowOf(workshop, bug, 'caught', seed));
    }
    const controls = values['no-controls'] === true ? [] : controlsOf(rows);
    for (const control of controls) {
      if (interrupt.signal.aborted) break;
      report(await rowOf(workshop, control.bug, 'clean', control.seed));
    }
  } finally {
    closeWorkshop(workshop);
  }
  const failed = rows.filter((row) => !isGood(row)).length;
  if (values.record) recordTable(rows, serverBugs);
  console.log(`${rows.length - failed} passed, ${failed} failed`);
  return failed === 0 && rows.length > 0 && !interrupt.signal.aborted ? 0 : 1;
}

const { only = [] } = values;
const bugs = serverBugs.filter(
  ({ name }) => only.length === 0 || only.some((text) => name.includes(text)),
);
// Not once: an arena that finds itself alone with the signal ends the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
if (values.help) console.log(USAGE);
else if (values.list) for (const { name } of bugs) console.log(name);
else process.exitCode = await huntAll(bugs);
