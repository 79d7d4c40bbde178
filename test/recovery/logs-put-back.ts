// A majority of the members, then all of them, find their logs missing at once, as with disks that are not mounted: each gives its log
// up and finds nobody who could take it back. What lies in damaged-log is put back by the runbook, the disks are mounted, and it is the
// same cluster again.
import { existsSync, mkdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pollUntil } from '../support/poll.ts';
import type { ProcessNode } from '../support/process-cluster.ts';
import { contentOf, expectThat, LongLivedClient } from './client.ts';
import type { Town } from './town.ts';

const instances = 40;
const damaged = 11;

export async function logsPutBack(town: Town): Promise<string> {
  const { nodes } = town.cluster;
  const client = new LongLivedClient(town.node('n1').clientAddress);
  for (let number = 0; number < instances; number++) {
    await client.registerAnew(`i${number}`, 8000 + number, `before-${number}`);
  }
  const before = contentOf(await client.list());
  const token = (await client.watch('')).at(-1)?.resume_token ?? '';
  const two = nodes.filter(({ id }) => id !== 'n1');
  await loseLogs(two);
  await untilWaiting(two);
  await putBack(town, two);
  await town.expectWhole();
  for (const { dataDir } of two) rmSync(join(dataDir, 'given-up'), { recursive: true });
  await loseLogs(nodes);
  await untilRefused(town);
  await putBack(town, nodes);
  await town.expectWhole();
  const after = contentOf(await client.list());
  expectThat(after.join() === before.join(), 'acknowledged writes are missing (G1)');
  const [first] = await client.watch(token);
  expectThat(first?.reset === false, 'a token was not continued, though the cluster is the same');
  await client.registerAnew('last', 9999, 'last');
  return `${instances} acknowledged writes, all there; the token was continued`;
}

async function loseLogs(nodes: readonly ProcessNode[]): Promise<void> {
  for (const node of nodes) await node.kill('SIGTERM');
  for (const node of nodes) unmount(node);
  for (const node of nodes) node.start();
}

/** A member that is whole is there, and no majority: they do not end, and nobody takes them back. */
async function untilWaiting(nodes: readonly ProcessNode[]): Promise<void> {
  for (const node of nodes) {
    await pollUntil(
      async () => {
        const { problems } = await node.status();
        return problems.some((line) => line.includes('it waits for a leader'));
      },
      { what: `${node.id} to wait for a leader`, timeoutMs: 60_000, everyMs: 50 },
    );
  }
}

async function untilRefused({ cluster }: Town): Promise<void> {
  await pollUntil(() => cluster.nodes.every((node) => !node.running), {
    what: 'all of them to end',
    timeoutMs: 120_000,
    explain: () => cluster.logTails(),
  });
  for (const { id, exitCode } of cluster.nodes) {
    expectThat(exitCode === damaged, `${id} ended with ${exitCode}\n${cluster.logTails()}`);
  }
}

async function putBack(town: Town, nodes: readonly ProcessNode[]): Promise<void> {
  for (const node of nodes) {
    const { id, dataDir } = node;
    await node.kill('SIGTERM');
    expectThat(existsSync(join(dataDir, 'damaged-log')), `${id} has set nothing aside`);
    await town.follow('putback', 'on the host of each node, while it is stopped', { host: id });
    mount(node);
    const found = await town.follow('check', 'on the host of n1', { host: id });
    expectThat(found.includes('is sound'), `${id} is not sound:\n${found}`);
  }
  for (const node of nodes) node.start();
}

const mountPoint = ({ dataDir }: ProcessNode): string => join(dataDir, 'wal');
const disk = ({ dataDir }: ProcessNode): string => `${dataDir}-disk`;

/** What an operating system shows in the place of a disk that is not there: the empty directory below. */
function unmount(node: ProcessNode): void {
  renameSync(mountPoint(node), disk(node));
  mkdirSync(mountPoint(node));
}

function mount(node: ProcessNode): void {
  rmdirSync(mountPoint(node));
  renameSync(disk(node), mountPoint(node));
}
