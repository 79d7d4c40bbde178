// Full disks: one stops nothing; those of a majority refuse what needs room, by name, and everything else goes on; it ends
// without a restart, and nothing that was acknowledged is lost (ADR 0019).
import type { ServiceError } from '@grpc/grpc-js';
import { present } from '../../src/lib/assert.ts';
import type { RegistryClient } from '../../src/rpc/gen/rollcall/v1/Registry.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessCluster, type ProcessNode } from '../support/process-cluster.ts';
import { type Campaign, judge, say, underLoad, type WriteLoad } from './campaign.ts';
import { Watcher } from './clients.ts';
import { register } from './disk-errors.ts';
import { SmallDisks } from './small-disks.ts';
import { START_MS } from './strace.ts';

const DISK_MIB = 224;
const RESERVE_BYTES = 8 << 20;
const names = ['n1', 'n2', 'n3'] as const;

export async function fullDisks(seed: number): Promise<void> {
  const disks = new SmallDisks(names, DISK_MIB);
  try {
    const environment = { ROLLCALL_LIMIT_DISK_RESERVE_BYTES: `${RESERVE_BYTES}` };
    const { directory } = disks;
    const options = { directory, environment, startWithinMs: START_MS };
    await using cluster = await ProcessCluster.start(options);
    const watchers = cluster.nodes.map(
      (node, at) => new Watcher(`watcher of ${node.id}`, cluster.endpoints, at),
    );
    const campaign: Campaign = { cluster, watchers, writes: [], seed, environment, stages: 0 };
    const pids = cluster.pids().join();
    await underLoad(campaign, (load) => fillAll(campaign, disks, load));
    await judge(campaign);
    if (cluster.pids().join() !== pids) throw new Error('a server was started again');
    for (const watcher of watchers) watcher.close();
  } finally {
    disks.remove();
  }
}

async function fillAll(campaign: Campaign, disks: SmallDisks, load: WriteLoad): Promise<void> {
  const { cluster } = campaign;
  const leader = await cluster.waitForLeader(START_MS);
  const [first, second] = cluster.nodes.filter((node) => node !== leader);
  const full = present(first, 'a follower');
  const spared = present(second, 'another follower');
  const client = registryClient(spared.clientAddress);
  try {
    await register(client, 'leaves');
    await registerShort(client, 'silent');
    disks.fill(full.id);
    await untilProblem(cluster, full, 'less than disk_reserve_bytes');
    const fromMs = performance.now();
    await load.untilMore(200, 'writes with one full disk');
    await expectAcknowledged(client, 'with-one-full-disk');
    say(
      `  the disk of a follower is full: ${load.rejectedSince(fromMs)} writes refused, it says so`,
    );

    disks.fill(leader.id);
    await untilProblem(cluster, leader, 'no majority of the voters');
    await expectRefusals(cluster, [leader.id, full.id].toSorted());
    await expectLife(campaign, spared, client);
    await untilStateIsBehind(cluster, [leader, full]);
    const leads = await cluster.waitForLeader(START_MS);
    say(
      `  those of a majority are full: refused by name at every node; the rest goes on, ${leads.id} leads`,
    );

    disks.makeRoom(leader.id);
    const clearedMs = performance.now();
    await pollUntil(() => register(client, 'room-again').then(() => true), {
      what: 'writes once there is room',
      timeoutMs: START_MS,
      explain: () => cluster.logTails(),
    });
    const tookMs = performance.now() - clearedMs;
    disks.makeRoom(full.id);
    for (const node of cluster.nodes) await untilWell(cluster, node);
    say(
      `  room on one of them: writes again after ${tookMs.toFixed(0)} ms, nobody was started again`,
    );
  } finally {
    client.close();
  }
}

function registerShort(client: RegistryClient, instance_id: string): Promise<unknown> {
  const instance = { service_name: 'disks', instance_id, host: '10.0.0.1', port: 1, ttl_ms: 8000 };
  return unary((options, callback) => client.register({ instance }, options, callback), 10_000);
}

async function expectAcknowledged(client: RegistryClient, name: string): Promise<void> {
  await register(client, name);
}

/** Through every node, because followers pass on. */
async function expectRefusals(cluster: ProcessCluster, full: readonly string[]): Promise<void> {
  for (const node of cluster.nodes) {
    const client = registryClient(node.clientAddress);
    const said = await register(client, 'refused').then(
      () => 'acknowledged',
      (error: ServiceError) => error.message,
    );
    client.close();
    const wanted = ['RESOURCE_EXHAUSTED', 'disk_reserve_bytes', `${full.join(' and ')} have less`];
    for (const words of wanted) {
      if (!said.includes(words))
        throw new Error(`${node.id} answered "${said}", without "${words}"`);
    }
  }
}

/** Reads, heartbeats, deregistrations, expiries, and watches of all that. */
async function expectLife(
  { watchers, cluster }: Campaign,
  node: ProcessNode,
  client: RegistryClient,
): Promise<void> {
  const read = { selector: { services: ['disks'] } };
  await unary((options, callback) => client.listInstances(read, options, callback), 5000);
  const beats = [{ instance_id: 'with-one-full-disk' }];
  const answer = await unary<{ failures: readonly unknown[] }>(
    (options, callback) => client.heartbeat({ beats }, options, callback),
    5000,
  );
  if (answer.failures.length > 0) throw new Error('a heartbeat failed');
  const gone = { instance_id: 'leaves' };
  await unary((options, callback) => client.deregister(gone, options, callback), 5000);
  const told = (id: string): boolean =>
    watchers.every(({ messages }) =>
      messages.some(({ changes }) =>
        changes.some((change) => change.kind === 'remove' && change.instanceId === id),
      ),
    );
  for (const id of ['leaves', 'silent']) {
    await pollUntil(() => told(id), {
      what: `every watcher to hear that "${id}" is gone`,
      timeoutMs: START_MS,
      explain: () => `${node.id} was asked\n${cluster.logTails()}`,
    });
  }
}

/** LevelDB met the full disk, too, and ended nobody. */
async function untilStateIsBehind(
  cluster: ProcessCluster,
  nodes: readonly ProcessNode[],
): Promise<void> {
  for (const node of nodes) await untilProblem(cluster, node, 'no disk space for the state');
}

function untilProblem(cluster: ProcessCluster, node: ProcessNode, words: string): Promise<void> {
  return pollUntil(
    async () => (await node.status()).problems.some((problem) => problem.includes(words)),
    {
      what: `${node.id} to say "${words}"`,
      timeoutMs: START_MS,
      explain: () => cluster.logTails(),
    },
  );
}

function untilWell(cluster: ProcessCluster, node: ProcessNode): Promise<void> {
  return pollUntil(async () => (await node.status()).problems.length === 0, {
    what: `${node.id} to be well again`,
    timeoutMs: START_MS,
    explain: () => cluster.logTails(),
  });
}
