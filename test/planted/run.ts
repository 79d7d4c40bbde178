// `npm run planted`: plants one bug after another in a copy of the sources and shows that each is caught. The tests of the
// tests: a bug that survives is a check that is missing.
import { parseArgs } from 'node:util';
import { simulatedBugs } from '../sim/planted/bugs.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import { type PlantedBug, schedules, simulation, tests } from './bug.ts';
import { type HuntOptions, letLoose, type Outcome, runScenario } from './hunters.ts';
import { nodeBugs } from './node-bugs.ts';
import { raftBugs } from './raft-bugs.ts';
import { recordTable, type Row } from './table.ts';
import { closeWorkshop, openWorkshop, plantBug, type Planted, type Workshop } from './workshop.ts';

const USAGE = `usage: planted [--only TEXT]... [--simulated] [--schedules N] [--seeds N] [--seed S] [--workers N]
               [--json] [--record] [--list]
  --only       only bugs with this text in their name or area; may be given several times
  --simulated  only the bugs that the simulator hunts
  --schedules  schedules before a bug of the core counts as having survived (default 6000)
  --seeds      simulated seeds before a bug counts as having survived (default 2000)
  --seed       seed of the first schedule and of the first simulation (default 1)
  --workers    bugs hunted at the same time (default 1)
  --json       one line of JSON for each bug
  --record     writes what became of the simulator's bugs into the table of docs/testing.md
  --list       print the names and stop`;

interface Settings extends HuntOptions {
  readonly only: readonly string[];
  readonly simulated: boolean;
  readonly workers: number;
  readonly json: boolean;
  readonly record: boolean;
}

function selectBugs({ only, simulated }: Settings): readonly PlantedBug[] {
  const all = [...(simulated ? [] : [...raftBugs, ...nodeBugs]), ...simulatedBugs];
  if (only.length === 0) return all;
  return all.filter(({ name, area = '' }) =>
    only.some((text) => name.includes(text) || area.includes(text)),
  );
}

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

const CONTROL_SEEDS = 40;

/** Without a bug the seeds that caught one are quiet. One that is not says something about the sources, not about a bug. */
class Controls {
  readonly #workshop: Workshop;
  readonly #settings: Settings;
  readonly #bySeed = new Map<number, Promise<Outcome>>();
  #directory: Promise<Planted> | undefined;

  constructor(workshop: Workshop, settings: Settings) {
    this.#workshop = workshop;
    this.#settings = settings;
  }

  ofSeed(seed: number): Promise<Outcome> {
    let known = this.#bySeed.get(seed);
    if (known === undefined) {
      known = this.#run((directory) =>
        letLoose({ ...this.#settings, seed, seeds: 1 }, directory, simulation),
      );
      this.#bySeed.set(seed, known);
    }
    return known;
  }

  ofScenario(scenario: string): Promise<Outcome> {
    return this.#run((directory) => runScenario(this.#settings, directory, scenario));
  }

  /** One row for all seeds that were quiet, and one for each that was not. */
  async rows(): Promise<readonly Row[]> {
    const outcomes = await Promise.all(
      [...this.#bySeed].map(async ([seed, outcome]) => ({ seed, outcome: await outcome })),
    );
    const loud = outcomes.filter(({ outcome }) => outcome.kind !== 'survived');
    const quiet = outcomes.length - loud.length;
    const after = `${quiet} seeds, all that caught a bug among them`;
    return [
      ...loud.map(({ seed, outcome }) => controlRow(`control: seed ${seed}`, outcome)),
      ...(quiet > 0 ? [controlRow('control: simulation', { kind: 'survived', after })] : []),
    ];
  }

  /** The first seeds, whether they caught anything or not: a checker that barks at times does so at other times with a bug. */
  async ofFirstSeeds(): Promise<void> {
    const { seed: first } = this.#settings;
    for (let seed = first; seed < first + CONTROL_SEEDS; seed++) await this.ofSeed(seed);
  }

  async #run(hunter: (directory: string) => Promise<Outcome>): Promise<Outcome> {
    const bare = { name: 'control', patches: [], hunter: simulation };
    this.#directory ??= plantBug(this.#workshop, bare);
    const planted = await this.#directory;
    if (planted.kind === 'problem') return { kind: 'spoilt', reason: planted.reason };
    return hunter(planted.directory);
  }
}

function controlRow(name: string, outcome: Outcome): Row {
  const bug = { name, patches: [], hunter: simulation };
  return { bug, outcome, scenario: undefined, seconds: 0 };
}

async function hunt(
  workshop: Workshop,
  settings: Settings,
  quiet: Controls,
  bug: PlantedBug,
): Promise<Row> {
  const startedMs = performance.now();
  const planted = await plantBug(workshop, bug);
  let outcome: Outcome;
  let scenario: Outcome | undefined;
  if (planted.kind === 'problem') outcome = { kind: 'spoilt', reason: planted.reason };
  else {
    const { directory } = planted;
    const progress = (text: string): void => settings.progress(`${bug.name}: ${text}`);
    const options = { ...settings, progress };
    if (bug.scenario !== undefined) scenario = await runScenario(settings, directory, bug.scenario);
    outcome =
      bug.hunter.kind === 'simulation'
        ? await simulateUntilCaught(options, quiet, directory)
        : await letLoose(options, directory, bug.hunter);
  }
  return { bug, outcome, scenario, seconds: (performance.now() - startedMs) / 1000 };
}

/** Seed after seed, passing over those that are not quiet without the bug. */
async function simulateUntilCaught(
  settings: Settings,
  quiet: Controls,
  directory: string,
): Promise<Outcome> {
  for (let done = 0; done < settings.seeds; ) {
    const seed = settings.seed + done;
    const rest = { ...settings, seed, seeds: settings.seeds - done };
    const outcome = await letLoose(rest, directory, simulation);
    if (outcome.kind === 'survived') break;
    const taken = Number.parseInt(outcome.kind === 'caught' ? outcome.after : outcome.reason, 10);
    if (Number.isNaN(taken)) return outcome;
    const control = await quiet.ofSeed(seed + taken - 1);
    done += taken;
    if (control.kind !== 'survived') continue;
    return outcome.kind === 'caught' ? { ...outcome, after: `${done} seeds` } : outcome;
  }
  return { kind: 'survived', after: `${settings.seeds} seeds` };
}

/** A bug that needs more luck than there are seeds is caught if its scenario catches it; one that has a scenario must be. */
function isGood({ bug, outcome, scenario }: Row): boolean {
  if (bug.patches.length === 0) return outcome.kind === 'survived';
  if (outcome.kind === 'spoilt') return false;
  return scenario === undefined ? outcome.kind === 'caught' : scenario.kind === 'caught';
}

function tell(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'caught':
      return `caught after ${outcome.after} by ${outcome.by}`;
    case 'survived':
      return `nothing found in ${outcome.after}`;
    case 'spoilt':
      return `cannot be judged: ${outcome.reason}`;
  }
}

function print(row: Row, json: boolean): void {
  const { bug, outcome, scenario, seconds } = row;
  const good = isGood(row);
  if (json) {
    const { name, area } = bug;
    console.log(JSON.stringify({ good, name, area, outcome, of: bug.scenario, scenario, seconds }));
    return;
  }
  const area = bug.area === undefined ? '' : `${bug.area} | `;
  console.log(
    `${good ? 'ok  ' : 'FAIL'} ${area}${bug.name}: ${tell(outcome)} (${seconds.toFixed(1)} s)`,
  );
  if (scenario !== undefined) console.log(`       scenario "${bug.scenario}": ${tell(scenario)}`);
}

async function main(settings: Settings): Promise<number> {
  const bugs = selectBugs(settings);
  const workshop = await openWorkshop(settings.root);
  const rows: Row[] = [];
  const report = (row: Row): void => {
    rows.push(row);
    print(row, settings.json);
  };
  const waiting = [...controls(bugs), ...bugs];
  const quiet = new Controls(workshop, settings);
  const work = async (): Promise<void> => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      report(await hunt(workshop, settings, quiet, bug));
    }
  };
  await Promise.all(Array.from({ length: settings.workers }, work));
  if (bugs.some(({ hunter }) => hunter.kind === 'simulation')) await quiet.ofFirstSeeds();
  for (const row of await quiet.rows()) report(row);
  for (const scenario of new Set(bugs.flatMap((bug) => bug.scenario ?? []))) {
    report(controlRow(`control: ${scenario}`, await quiet.ofScenario(scenario)));
  }
  const failed = rows.filter((row) => !isGood(row)).length;
  // What could not be judged stays, to be looked at.
  if (rows.every(({ outcome }) => outcome.kind !== 'spoilt')) closeWorkshop(workshop);
  if (settings.record) recordTable(rows, simulatedBugs);
  console.log(`${rows.length - failed} passed, ${failed} failed`);
  return failed === 0 && rows.length > 0 ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    simulated: { type: 'boolean' },
    schedules: { type: 'string' },
    seeds: { type: 'string' },
    seed: { type: 'string' },
    workers: { type: 'string' },
    json: { type: 'boolean' },
    record: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
const settings: Settings = {
  root: repositoryRoot(),
  only: values.only ?? [],
  simulated: values.simulated ?? false,
  schedules: Number(values.schedules ?? 6000),
  seeds: Number(values.seeds ?? 2000),
  seed: Number(values.seed ?? 1),
  workers: Number(values.workers ?? 1),
  json: values.json ?? false,
  record: values.record ?? false,
  progress: (text) => console.error(`     ${text}`),
};
if (values.help) console.log(USAGE);
else if (values.list) for (const { name } of selectBugs(settings)) console.log(name);
else process.exitCode = await main(settings);
