// The command line of the chaos harness.
import { Command, InvalidArgumentError, Option } from 'commander';
import { wholeNumber } from '../../src/cli/client-options.ts';
import type { Ability } from './arena/arena.ts';
import { missingInContainers } from './arena/container-arena.ts';
import { faultKinds, faults } from './faults/catalog.ts';
import type { FaultKind } from './faults/fault.ts';

export interface ChaosOptions {
  readonly minutes: number;
  readonly kinds: readonly FaultKind[];
  readonly seed: number;
  readonly nodes: number;
  readonly kills: number | undefined;
  readonly report: string | undefined;
  readonly keep: string | undefined;
  readonly main: string | undefined;
  /** A run for each fault by itself. */
  readonly each: boolean;
  /** Nodes in containers instead of processes. */
  readonly compose: boolean;
  readonly json: boolean;
}

/** What `npm run test:chaos` is: the faults that matter most, in less than three minutes with the build. */
const quick = {
  kinds: ['killLeader', 'pauseLeader', 'isolateLeader', 'powerCut'],
  minutes: 1.25,
} as const satisfies { kinds: readonly FaultKind[]; minutes: number };

const composeQuick = [
  'killLeader',
  'pauseLeader',
  'disconnectLeader',
  'rollingUpgrade',
] as const satisfies readonly FaultKind[];

const longMinutes = 4;

/** Each kind of arena lacks some for good; what this host does not allow besides is skipped in the run. */
const lacking = {
  processes: new Set<Ability>(['cable', 'release']),
  containers: new Set<Ability>(missingInContainers.keys()),
};

/** All that such an arena can offer. */
function offeredKinds(compose: boolean): readonly FaultKind[] {
  const lacks = compose ? lacking.containers : lacking.processes;
  return faultKinds.filter((kind) => !faults[kind].needs.some((ability) => lacks.has(ability)));
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('must be a number above 0.');
  return value;
}

const anyNumber = wholeNumber(0, Number.MAX_SAFE_INTEGER);

function parseKinds(text: string): readonly FaultKind[] {
  const names = text.split(',').map((name) => name.trim());
  const kinds = names.map((name) => {
    const kind = faultKinds.find((known) => known === name);
    if (kind === undefined) {
      throw new InvalidArgumentError(`"${name}" is none of ${faultKinds.join(', ')}.`);
    }
    return kind;
  });
  return [...new Set(kinds)];
}

interface Parsed {
  readonly quick?: boolean;
  readonly minutes?: number;
  readonly faults?: readonly FaultKind[];
  readonly seed: number;
  readonly nodes: string;
  readonly kills?: number;
  readonly report?: string;
  readonly keep?: string;
  readonly main?: string;
  readonly each?: boolean;
  readonly compose?: boolean;
  readonly json?: boolean;
}

/** Ends the process with 0 after the help, and with 2 where the command line is wrong. */
export async function parseOptions(argv: readonly string[]): Promise<ChaosOptions> {
  const command = new Command('chaos')
    .description(
      'breaks a cluster of real processes in every way this host allows, under load, and checks every guarantee on the history',
    )
    .option('--quick', `${quick.minutes} minutes of ${quick.kinds.join(', ')}`)
    .option('--minutes <n>', `how long faults strike (default: ${longMinutes})`, positive)
    .option('--faults <names>', 'only these, with commas between', parseKinds)
    .option('--seed <n>', 'which faults strike whom and when, and what clients do', anyNumber, 1)
    .addOption(new Option('--nodes <n>', 'members of the cluster').choices(['3', '5']).default('3'))
    .option('--compose', 'the nodes of docker-compose.cluster.yml in place of processes')
    .option('--each', 'so many minutes for each fault by itself, and a table of all of them')
    .option('--kills <n>', 'end once the leader was killed so often', anyNumber)
    .option('--report <file>', 'the report of the run, or of the last of several, as a page')
    .option('--keep <dir>', 'keep the histories, clean or not, in here')
    .option('--main <file>', 'the program to run, instead of the one just built')
    .option('--json', 'the result as JSON on standard output, everything else on standard error')
    .addHelpText(
      'after',
      `\nFaults: ${faultKinds.join(', ')}\n\nWith --compose: ${offeredKinds(true).join(', ')}\n\n${exitCodes}`,
    )
    .allowExcessArguments(false)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    });
  await command.parseAsync([...argv]);
  const parsed = command.opts<Parsed>();
  const isQuick = parsed.quick === true;
  const compose = parsed.compose === true;
  if (compose && parsed.nodes !== '3') command.error('error: the compose file has 3 nodes');
  if (compose && parsed.main !== undefined) {
    command.error('error: --compose runs the image of this checkout, not --main');
  }
  const quickKinds = compose ? composeQuick : quick.kinds;
  return {
    minutes: parsed.minutes ?? (isQuick ? quick.minutes : longMinutes),
    kinds: parsed.faults ?? (isQuick ? quickKinds : offeredKinds(compose)),
    seed: parsed.seed,
    nodes: Number(parsed.nodes),
    kills: parsed.kills,
    report: parsed.report,
    keep: parsed.keep,
    main: parsed.main,
    each: parsed.each === true,
    compose,
    json: parsed.json === true,
  };
}

const exitCodes = `Exit codes: 0 clean, 1 a guarantee did not hold, 2 wrong usage, 3 void: too little happened, or a fault had no effect,
4 the harness itself failed, or no cluster came up, and nothing was judged, 130 interrupted.
Network, power, slow disks and clocks need root and Linux: without, those faults are skipped by name.
--compose needs Linux, root, a Docker engine with compose, and the ports 7400, 7410 and 7420 of loopback.`;
