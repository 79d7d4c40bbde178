// npm run test:cluster [-- --quick]: server processes on real disks, killed, paused, told to stop, left behind, wiped, replaced
// and added, and with failing, slow and full disks, under write load with streaming watchers. After each round every guarantee is checked on the whole history.
import { Command, Option } from 'commander';
import { ProcessCluster } from '../support/process-cluster.ts';
import { pollUntil } from '../support/poll.ts';
import { type Campaign, judge, say, underLoad, writerCount } from './campaign.ts';
import { Watcher } from './clients.ts';
import {
  type Fault,
  killAll,
  killFollower,
  killLeader,
  killMajority,
  leaveBehind,
  pauseLeader,
  terminateLeader,
  wipeDuringAbsence,
} from './faults.ts';
import { runDisks } from './disks.ts';
import { replaceDeadNode, runMembership } from './membership.ts';
import { overtakePaused } from './overtake.ts';

interface RoundReport {
  readonly fault: string;
  readonly acknowledged: number;
  readonly gapMs: number;
}

/** Small, so that the log is shortened all the time and snapshots are common. */
const smallLimits = {
  ROLLCALL_LIMIT_LOG_ENTRIES: '300',
  ROLLCALL_LIMIT_SNAPSHOT_CHUNK_BYTES: '16384',
  // An open snapshot holds the log back; it stays open for so long after its last part.
  ROLLCALL_LIMIT_SNAPSHOT_IDLE_MS: '2000',
};

/** Writers run from before the fault until writes go through again on the healed cluster. */
function runRound(campaign: Campaign, fault: Fault): Promise<RoundReport> {
  const { cluster } = campaign;
  return underLoad(campaign, async (load) => {
    const struckAtMs = performance.now();
    const { heal, settled } = await fault.strike(cluster, load);
    await load.untilMore(100, 'writes after the fault');
    const gapMs = fault.gap(load, struckAtMs);
    heal();
    await cluster.waitForLeader();
    await settled?.();
    await load.untilMore(100, 'writes after healing');
    return { fault: fault.name, acknowledged: load.acknowledged().length, gapMs };
  });
}

function summarize({ watchers, writes }: Campaign, reports: readonly RoundReport[]): void {
  const count = (outcome: string): number =>
    writes.filter((write) => write.outcome === outcome).length;
  const resumes = watchers.reduce((sum, { resumes: own }) => sum + own, 0);
  const resets = watchers.reduce((sum, { resets: own }) => sum + own - 1, 0);
  say(
    `${count('acknowledged')} acknowledged, ${count('rejected')} rejected, ${count('unknown')} unknown; ` +
      `${resumes} resumed streams, ${resets} resets`,
  );
  for (const { name } of [killLeader, pauseLeader, terminateLeader]) {
    const gaps = reports.filter(({ fault }) => fault === name).map(({ gapMs }) => gapMs);
    if (gaps.length === 0) continue;
    gaps.sort((a, b) => a - b);
    say(`${name}: without a write for ${gaps.map((gap) => `${gap.toFixed(0)} ms`).join(', ')}`);
  }
  if (reports.length === 0) return;
  if (resumes === 0) throw new Error('void: no stream was resumed');
  if (count('rejected') === 0) throw new Error('void: no write was rejected');
}

async function startCampaign(cluster: ProcessCluster, seed: number): Promise<Campaign> {
  const watchers = cluster.nodes.map(
    (node, position) => new Watcher(`watcher of ${node.id}`, cluster.endpoints, position),
  );
  await pollUntil(() => watchers.every((watcher) => watcher.revision >= 0), {
    what: 'the first state of every watcher',
    timeoutMs: 10_000,
  });
  return { cluster, watchers, writes: [], seed, environment: smallLimits, stages: 0 };
}

const faults = [
  killLeader,
  pauseLeader,
  terminateLeader,
  leaveBehind,
  killMajority,
  killFollower,
  killAll,
];

async function runRounds(campaign: Campaign, rounds: number): Promise<readonly RoundReport[]> {
  const reports: RoundReport[] = [];
  for (let round = 0; round < rounds; round++) {
    const report = await runRound(campaign, faults[round % faults.length] ?? killLeader);
    reports.push(report);
    const { fault, acknowledged, gapMs } = report;
    say(
      `round ${round + 1}/${rounds}: ${fault}: ${acknowledged} acknowledged, gap ${gapMs.toFixed(0)} ms`,
    );
    await judge(campaign);
  }
  return reports;
}

async function replace(campaign: Campaign): Promise<void> {
  say('a wiped disk while another node is away (G14)');
  const { cluster } = campaign;
  const wiped = await wipeDuringAbsence(cluster);
  await judge(
    campaign,
    cluster.nodes.filter((node) => node !== wiped),
  );
  say('the node without its disk is replaced by the runbook, under load');
  await replaceDeadNode(campaign, wiped);
  await judge(campaign);
}

async function overtake(campaign: Campaign): Promise<void> {
  say('a paused follower is overtaken by the log, its watchers still connected');
  const resets = await overtakePaused(campaign);
  await judge(campaign);
  if (resets === 0) throw new Error('void: no watcher was there to be told of the snapshot');
}

/** What comes after the rounds, in this order; each is also run alone. */
const stages = {
  overtake,
  replace,
  members: (campaign: Campaign) => runMembership(campaign, () => judge(campaign)),
} as const;
type Stage = keyof typeof stages;
const stageNames = Object.keys(stages) as readonly Stage[];
/** Has clusters of its own, on disks of its own. */
const DISKS = 'disks';

async function runCampaign(rounds: number, seed: number, only: Stage | undefined): Promise<void> {
  say(`three nodes, ${writerCount} writers, 3 watchers, ${rounds} rounds, seed ${seed}`);
  await using cluster = await ProcessCluster.start({ environment: smallLimits });
  const campaign = await startCampaign(cluster, seed);
  const reports = await runRounds(campaign, only === undefined ? rounds : 0);
  for (const name of stageNames) {
    if (only === undefined || only === name) await stages[name](campaign);
  }
  for (const watcher of campaign.watchers) watcher.close();
  summarize(campaign, reports);
}

/** What --quick leaves out of the faults: variants of others. */
const quickRounds = 5;

await new Command('test:cluster')
  .description(
    'disturbs real server processes under load and checks every guarantee on the history',
  )
  .option('--quick', 'five rounds instead of fourteen')
  .option('--rounds <n>', 'how many rounds')
  .option('--seed <n>', 'what the clients do', '1')
  .addOption(new Option('--only <stage>', 'one stage, no rounds').choices([...stageNames, DISKS]))
  .action(
    async (options: {
      quick?: boolean;
      rounds?: string;
      seed: string;
      only?: Stage | typeof DISKS;
    }) => {
      const rounds = Number(options.rounds ?? (options.quick === true ? quickRounds : 14));
      const began = performance.now();
      const { only } = options;
      const seed = Number(options.seed);
      if (only !== DISKS) await runCampaign(rounds, seed, only);
      if (only === undefined || only === DISKS) await runDisks(seed);
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      const passed = only === undefined ? rounds + stageNames.length + 1 : 1;
      say(`${passed} passed, 0 failed\nin ${seconds} s`);
    },
  )
  .parseAsync();
