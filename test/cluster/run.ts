// npm run test:cluster [-- --quick]: three server processes on real disks; leader, follower and all of them killed with
// -9 under write load with streaming watchers. After each round every guarantee is checked on the whole history.
import { Command } from 'commander';
import { seededRandom } from '../../src/lib/random.ts';
import { checkHistory } from '../checkers/check-history.ts';
import type { FinalList, WriteRecord } from '../checkers/history.ts';
import { ProcessCluster, type ProcessNode } from '../support/process-cluster.ts';
import { pollUntil } from '../support/poll.ts';
import { runWriter, Watcher } from './clients.ts';
import {
  type Fault,
  killAll,
  killFollower,
  killLeader,
  killMajority,
  wipeDuringAbsence,
} from './faults.ts';
import { finalList } from './final-list.ts';

interface RoundReport {
  readonly fault: string;
  readonly acknowledged: number;
  readonly gapMs: number;
}

interface Campaign {
  readonly cluster: ProcessCluster;
  readonly watchers: readonly Watcher[];
  readonly writes: WriteRecord[];
  readonly seed: number;
}

const writerCount = 8;

/** Writers run from before the fault until writes go through again on the healed cluster. */
async function runRound(campaign: Campaign, fault: Fault, round: number): Promise<RoundReport> {
  const { cluster, writes, seed } = campaign;
  const stop = new AbortController();
  const before = writes.length;
  const running: Promise<void>[] = [];
  const startWriters = (): void => {
    for (let number = 0; number < writerCount; number++) {
      const name = `r${round}w${running.length}`;
      const random = seededRandom(seed + round * 100 + running.length);
      const record = (write: WriteRecord): void => void writes.push(write);
      const { endpoints } = cluster;
      running.push(runWriter({ name, endpoints, random, signal: stop.signal, record }));
    }
  };
  startWriters();
  const acknowledged = (): WriteRecord[] =>
    writes.slice(before).filter((write) => write.outcome === 'acknowledged');
  const enough = { timeoutMs: 30_000, explain: () => cluster.logTails() };
  await pollUntil(() => acknowledged().length >= 100, { what: 'load before the fault', ...enough });
  const struckAtMs = performance.now();
  const rejected = (): number =>
    writes.slice(before).filter(({ outcome, invokedAtMs }) => {
      return outcome === 'rejected' && invokedAtMs > struckAtMs;
    }).length;
  const { heal } = await fault.strike(cluster, { more: startWriters, rejected });
  const after = (): WriteRecord[] =>
    acknowledged().filter((write) => write.invokedAtMs > struckAtMs);
  await pollUntil(() => after().length >= 100, { what: 'writes after the fault', ...enough });
  heal();
  await cluster.waitForLeader();
  const healedAt = acknowledged().length;
  await pollUntil(() => acknowledged().length >= healedAt + 100, {
    what: 'writes after healing',
    ...enough,
  });
  stop.abort();
  await Promise.all(running);
  const gapMs = Math.min(...after().map((write) => write.returnedAtMs)) - struckAtMs;
  return { fault: fault.name, acknowledged: acknowledged().length, gapMs };
}

/** Everybody settles, then the whole history is judged. */
async function judge(
  { cluster, watchers, writes }: Campaign,
  nodes: readonly ProcessNode[],
): Promise<void> {
  const hash = await cluster.waitForEqualHashes(nodes);
  const finals: FinalList[] = [];
  for (const node of nodes) finals.push(await finalList(node.id, node.clientAddress));
  const finalRevision = Math.max(...finals.map(({ revision }) => revision));
  await pollUntil(() => watchers.every((watcher) => watcher.revision >= finalRevision), {
    what: `every watcher to reach revision ${finalRevision} (G6)`,
    timeoutMs: 10_000,
  });
  const watches = watchers.map(({ name, messages }) => ({ watcher: name, messages }));
  const { violations, witnessed } = checkHistory({ writes, watches, finals });
  if (violations.length > 0) {
    for (const { guarantee, evidence } of violations.slice(0, 20)) {
      process.stdout.write(`VIOLATION ${guarantee}: ${evidence}\n`);
    }
    throw new Error(`${violations.length} violations`);
  }
  process.stdout.write(
    `  checked: ${writes.length} writes, ${witnessed} revisions witnessed, hashes equal (${hash})\n`,
  );
}

function summarize({ watchers, writes }: Campaign, reports: readonly RoundReport[]): void {
  const count = (outcome: string): number =>
    writes.filter((write) => write.outcome === outcome).length;
  const resumes = watchers.reduce((sum, { resumes: own }) => sum + own, 0);
  const resets = watchers.reduce((sum, { resets: own }) => sum + own - 1, 0);
  const gaps = reports.filter(({ fault }) => fault === killLeader.name).map(({ gapMs }) => gapMs);
  gaps.sort((a, b) => a - b);
  process.stdout.write(
    `${count('acknowledged')} acknowledged, ${count('rejected')} rejected, ${count('unknown')} unknown; ` +
      `${resumes} resumed streams, ${resets} of them by a reset\n` +
      `leader killed to first write begun and acknowledged after: ${gaps.map((gap) => `${gap.toFixed(0)} ms`).join(', ')}\n`,
  );
  if (resumes === 0) throw new Error('void: no stream was resumed');
  if (count('rejected') === 0) throw new Error('void: no write was rejected');
}

async function runCampaign(rounds: number, seed: number): Promise<void> {
  process.stdout.write(
    `three nodes, ${writerCount} writers, 3 watchers, ${rounds} rounds, seed ${seed}\n`,
  );
  await using cluster = await ProcessCluster.start();
  const watchers = cluster.nodes.map(
    (node, position) => new Watcher(`watcher of ${node.id}`, cluster.endpoints, position),
  );
  await pollUntil(() => watchers.every((watcher) => watcher.revision >= 0), {
    what: 'the first state of every watcher',
    timeoutMs: 10_000,
  });
  const state: Campaign = { cluster, watchers, writes: [], seed };
  const faults = [killLeader, killFollower, killAll, killMajority];
  const reports: RoundReport[] = [];
  for (let round = 0; round < rounds; round++) {
    const fault = faults[round % faults.length] ?? killLeader;
    const report = await runRound(state, fault, round);
    reports.push(report);
    process.stdout.write(
      `round ${round + 1}/${rounds}: ${report.fault}: ${report.acknowledged} acknowledged, gap ${report.gapMs.toFixed(0)} ms\n`,
    );
    await judge(state, cluster.nodes);
  }
  process.stdout.write('a wiped disk while another node is away (G14)\n');
  const wiped = await wipeDuringAbsence(cluster);
  await judge(
    state,
    cluster.nodes.filter((node) => node !== wiped),
  );
  for (const watcher of watchers) watcher.close();
  summarize(state, reports);
}

await new Command('test:cluster')
  .description('kills real server processes under load and checks every guarantee on the history')
  .option('--quick', 'four rounds instead of twelve')
  .option('--rounds <n>', 'how many rounds')
  .option('--seed <n>', 'what the clients do', '1')
  .action(async (options: { quick?: boolean; rounds?: string; seed: string }) => {
    const rounds = options.rounds ?? (options.quick === true ? '4' : '12');
    const began = performance.now();
    await runCampaign(Number(rounds), Number(options.seed));
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    process.stdout.write(`${rounds} passed, 0 failed\nin ${seconds} s\n`);
  })
  .parseAsync();
