// npm run bench -- register|watch|failover|… [--peer etcd | --against COMMIT]: measures real nodes on loopback, and with a
// peer or another commit the same work there in the same run, round by round in turn; only the ratios travel between machines.
import { cpus } from 'node:os';
import { Command, Option } from 'commander';
import { report, type WorkloadReport } from './report.ts';
import { buildEarlier } from './targets/earlier.ts';
import { startEtcd } from './targets/etcd.ts';
import { startRollcall } from './targets/rollcall.ts';
import type { Target } from './targets/target.ts';
import { busy } from './workloads/busy.ts';
import { cold } from './workloads/cold.ts';
import { failover, handover, pausing } from './workloads/failover.ts';
import { heartbeat } from './workloads/heartbeat.ts';
import { joining } from './workloads/joining.ts';
import { read } from './workloads/read.ts';
import { register } from './workloads/register.ts';
import { watch } from './workloads/watch.ts';
import type { Round, Workload } from './workloads/workload.ts';

const workloads: readonly Workload[] = [
  register,
  watch,
  failover,
  handover,
  pausing,
  heartbeat,
  read,
  cold,
  joining,
  busy,
];

interface BenchOptions {
  readonly peer?: 'etcd';
  readonly against?: string;
  readonly seconds: string;
  readonly rounds: string;
  readonly inFlight?: string;
  readonly json?: boolean;
}

async function measure(
  workload: Workload,
  targets: readonly Target[],
  options: {
    readonly seconds: number;
    readonly rounds: number;
    readonly inFlight: readonly number[];
  },
): Promise<WorkloadReport> {
  const results = new Map<string, Round[]>(targets.map((target) => [target.name, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (const inFlight of options.inFlight) {
      for (const target of targets) {
        process.stderr.write(
          `${workload.name} ${inFlight}: round ${round + 1}/${options.rounds} on ${target.name}\n`,
        );
        const run = { seconds: options.seconds, inFlight, round: Date.now() % 1e9 };
        results.get(target.name)?.push(await workload.run(target, run));
      }
    }
  }
  return { workload, results, targets };
}

/** Adds to `targets` as they start: this build first, then what it is compared with. */
async function startTargets(
  { nodes = 3, flags = [], ownOnly = false, name }: Workload,
  { peer, against }: BenchOptions,
  targets: Target[],
): Promise<void> {
  if (peer !== undefined && ownOnly) throw new Error(`${name} runs on no other system`);
  // Built before anything is measured or started.
  const earlier = against === undefined ? undefined : buildEarlier(against);
  targets.push(await startRollcall({ nodes, flags }));
  if (earlier !== undefined) {
    targets.push(
      await startRollcall({ nodes, flags, checkout: earlier, name: `commit ${against}` }),
    );
  }
  if (peer === 'etcd') targets.push(await startEtcd());
}

async function main(names: readonly string[], options: BenchOptions): Promise<void> {
  const chosen = workloads.filter((workload) => names.includes(workload.name));
  if (chosen.length !== new Set(names).size) {
    throw new Error(
      `unknown benchmark; there are: ${workloads.map(({ name }) => name).join(', ')}`,
    );
  }
  const reports: WorkloadReport[] = [];
  for (const workload of chosen) {
    const targets: Target[] = [];
    try {
      await startTargets(workload, options, targets);
      const inFlight = options.inFlight?.split(',').map(Number) ?? workload.inFlight;
      reports.push(
        await measure(workload, targets, {
          seconds: Number(options.seconds),
          rounds: Number(options.rounds),
          inFlight,
        }),
      );
    } finally {
      for (const target of targets) await target.stop();
    }
  }
  const host = `${cpus().length} cores, ${cpus()[0]?.model ?? '?'}, Node ${process.versions.node}`;
  process.stdout.write(report(reports, { host, json: options.json === true }));
  if (reports.some(({ results }) => [...results.values()].flat().some((round) => round.void))) {
    process.exitCode = 1;
  }
}

await new Command('bench')
  .description(workloads.map(({ name, summary }) => `${name}: ${summary}`).join('\n'))
  .argument('<name...>', 'benchmarks to run')
  .addOption(
    new Option('--peer <system>', 'the same work there, in the same run').choices(['etcd']),
  )
  .option('--against <commit>', 'the same work on a build of that commit, in the same run')
  .option('--seconds <n>', 'length of one round', '5')
  .option('--rounds <n>', 'rounds on each system, in turn; the median is reported', '3')
  .option(
    '--in-flight <list>',
    'callers (watchers, kills, leases) instead of the defaults, as 1,16',
  )
  .option('--json', 'print JSON')
  .action(main)
  .parseAsync();
