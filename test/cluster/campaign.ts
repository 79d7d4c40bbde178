// What every stage of the process test has in common: a cluster, watchers from the first revision on, writers while
// something happens to it, and the verdict over the whole history afterwards.
import { seededRandom } from '../../src/lib/random.ts';
import { checkHistory } from '../checkers/check-history.ts';
import type { FinalList, WriteRecord } from '../checkers/history.ts';
import { pollUntil } from '../support/poll.ts';
import type { AskedNode } from '../support/equal-hashes.ts';
import type { ProcessCluster } from '../support/process-cluster.ts';
import { runWriter, type Watcher } from './clients.ts';
import { finalList } from './final-list.ts';

export interface LoadedNode extends AskedNode {
  readonly id: string;
  readonly clientAddress: string;
}

/** What load and verdict need of a cluster, whether its nodes are processes or containers. */
export interface LoadedCluster {
  readonly nodes: readonly LoadedNode[];
  readonly logTails: () => string;
  readonly waitForEqualHashes: (nodes: readonly LoadedNode[]) => Promise<string>;
}

export interface Campaign<C extends LoadedCluster = ProcessCluster> {
  readonly cluster: C;
  readonly watchers: readonly Watcher[];
  readonly writes: WriteRecord[];
  readonly seed: number;
  /** Of every server: small limits, so that snapshots are common. */
  readonly environment: Readonly<Record<string, string>>;
  /** Stages begun so far; names the writers of each. */
  stages: number;
  /** Writers never give a refused write up: for what must not cost a single one. */
  readonly persistent?: boolean;
}

export const writerCount = 8;

/** The writers of a stage, as what happens to the cluster sees them. */
export interface WriteLoad {
  /** Starts as many writers again. Those that were there before a fault may all be waiting to learn what became of a write. */
  readonly more: () => void;
  /** Writes acknowledged in this stage, in the order of their answers. */
  readonly acknowledged: () => readonly WriteRecord[];
  /** Writes begun since then and refused with certainty. */
  readonly rejectedSince: (fromMs: number) => number;
  /** Waits for so many more acknowledged writes. */
  readonly untilMore: (count: number, what: string) => Promise<void>;
}

export const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs `work` under load: writers from before it until 100 writes were acknowledged after it, each asking all nodes but
 * `avoided`, which may be paused and would keep every writer waiting before long. */
export async function underLoad<T>(
  campaign: Campaign<LoadedCluster>,
  work: (load: WriteLoad) => Promise<T>,
  avoided?: LoadedNode,
): Promise<T> {
  const { cluster, writes, seed, persistent = false } = campaign;
  const stage = campaign.stages++;
  const stop = new AbortController();
  const before = writes.length;
  const running: Promise<void>[] = [];
  const more = (): void => {
    const asked = cluster.nodes.filter((node) => node !== avoided);
    const endpoints = asked.map((node) => node.clientAddress);
    for (let number = 0; number < writerCount; number++) {
      const name = `s${stage}w${running.length}`;
      const random = seededRandom(seed + stage * 100 + running.length);
      const record = (write: WriteRecord): void => void writes.push(write);
      running.push(runWriter({ name, endpoints, random, signal: stop.signal, record, persistent }));
    }
  };
  const acknowledged = (): readonly WriteRecord[] =>
    writes.slice(before).filter((write) => write.outcome === 'acknowledged');
  const untilMore = (count: number, what: string): Promise<void> => {
    const from = acknowledged().length;
    return pollUntil(() => acknowledged().length >= from + count, {
      what,
      timeoutMs: 30_000,
      explain: () => cluster.logTails(),
    });
  };
  const rejectedSince = (fromMs: number): number =>
    writes
      .slice(before)
      .filter(({ outcome, invokedAtMs }) => outcome === 'rejected' && invokedAtMs > fromMs).length;
  try {
    more();
    await untilMore(100, 'load to begin with');
    const result = await work({ more, acknowledged, rejectedSince, untilMore });
    await untilMore(100, 'writes afterwards');
    return result;
  } finally {
    stop.abort();
    await Promise.all(running);
  }
}

/** From then to the first answer to a write begun after it. For writers that may be stuck at a node that is gone. */
export function firstAnswerAfter(load: WriteLoad, fromMs: number): number {
  const after = load.acknowledged().filter(({ invokedAtMs }) => invokedAtMs > fromMs);
  return Math.min(...after.map(({ returnedAtMs }) => returnedAtMs)) - fromMs;
}

/** The longest time without an acknowledgement from then on. For what disturbs writers without making them stuck. */
export function longestSilence(load: WriteLoad, fromMs: number): number {
  let silence = 0;
  let last = fromMs;
  for (const { returnedAtMs } of load.acknowledged()) {
    if (returnedAtMs <= fromMs) continue;
    silence = Math.max(silence, returnedAtMs - last);
    last = Math.max(last, returnedAtMs);
  }
  return silence;
}

/** Everybody settles, then the whole history is judged. */
export async function judge(
  { cluster, watchers, writes }: Campaign<LoadedCluster>,
  nodes: readonly LoadedNode[] = cluster.nodes,
  tell: (line: string) => void = say,
): Promise<void> {
  const hash = await cluster.waitForEqualHashes(nodes);
  const finals: FinalList[] = [];
  for (const node of nodes) finals.push(await finalList(node.id, node.clientAddress));
  const finalRevision = Math.max(...finals.map(({ revision }) => revision));
  await pollUntil(() => watchers.every((watcher) => watcher.revision >= finalRevision), {
    what: `every watcher to reach revision ${finalRevision} (G6)`,
    timeoutMs: 10_000,
    explain: () => watchers.map(({ name, revision }) => `${name} at ${revision}`).join(', '),
  });
  const watches = watchers.map(({ name, messages }) => ({ watcher: name, messages }));
  const { violations, witnessed } = checkHistory({ writes, watches, finals });
  if (violations.length > 0) {
    for (const { guarantee, evidence } of violations.slice(0, 20)) {
      tell(`VIOLATION ${guarantee}: ${evidence}`);
    }
    throw new Error(`${violations.length} violations`);
  }
  tell(
    `  checked: ${writes.length} writes, ${witnessed} revisions witnessed, hashes equal (${hash})`,
  );
}
