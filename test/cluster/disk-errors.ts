// Disks that fail a write: nothing is acknowledged after it, the server ends with exit 10, and its next start has verified
// everything before it serves (G1, G13).
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../src/lib/assert.ts';
import type { RegistryClient } from '../../src/rpc/gen/rollcall/v1/Registry.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessCluster, type ProcessNode } from '../support/process-cluster.ts';
import { type Campaign, say, underLoad } from './campaign.ts';
import { START_MS, Tracer, traceable } from './strace.ts';

const DISK_ERROR = 10;

export function register(client: RegistryClient, instanceId: string): Promise<unknown> {
  const instance = {
    service_name: 'disks',
    instance_id: instanceId,
    host: '10.0.0.1',
    port: 1,
    ttl_ms: 3_600_000,
  };
  return unary((options, callback) => client.register({ instance }, options, callback), 10_000);
}

const markOf = (node: ProcessNode): string => join(node.dataDir, 'disk-error.json');
const logOf = (node: ProcessNode): string => readFileSync(node.logFile, 'utf8');

function expectThat(holds: boolean, what: string, cluster: ProcessCluster): void {
  if (!holds) throw new Error(`${what}\n${cluster.logTails()}`);
}

async function untilEnded(cluster: ProcessCluster, node: ProcessNode): Promise<void> {
  await pollUntil(() => !node.running, {
    what: `${node.id} to end for its disk`,
    timeoutMs: START_MS,
    explain: () => cluster.logTails(),
  });
  expectThat(
    node.exitCode === DISK_ERROR,
    `${node.id} ended with ${node.exitCode}, not ${DISK_ERROR}`,
    cluster,
  );
}

/** One server alone, one write at a time: each registration is one write of the log, so the nth is the first without an answer. */
export async function failNthWrite(nth: number, lasts: boolean): Promise<void> {
  await using cluster = await ProcessCluster.start({
    nodes: 1,
    environment: traceable,
    startWithinMs: START_MS,
  });
  const node = present(cluster.nodes[0], 'the node');
  const client = registryClient(node.clientAddress);
  await register(client, 'before');
  const tracer = await Tracer.attach(cluster, node, { kind: 'error', nth, lasts });
  const acknowledged = ['before'];
  let refusal = '';
  while (refusal === '' && acknowledged.length < nth + 10) {
    const name = `i-${acknowledged.length}`;
    refusal = await register(client, name).then(
      () => {
        acknowledged.push(name);
        return '';
      },
      (error: Error) => error.message,
    );
  }
  client.close();
  const expected = acknowledged.length === nth;
  expectThat(expected, `${acknowledged.length - 1} acknowledged before write ${nth}`, cluster);
  await untilEnded(cluster, node);
  await tracer.detach();
  // Of one whose bytes the disk does not take its name may be left, which is enough.
  const marked = existsSync(markOf(node));
  expectThat(marked || lasts, 'a mark, unless it cannot be written', cluster);
  expectThat(
    logOf(node).includes(lasts ? 'disk_not_marked' : 'disk_marked'),
    'it says so',
    cluster,
  );
  const ended = logOf(node).length;
  node.start();
  await cluster.waitForLeader(START_MS);
  const said = logOf(node).slice(ended);
  for (const event of ['disk_suspect', 'disk_verified']) {
    expectThat(said.includes(`"${event}"`) === marked, `${event} where there is a mark`, cluster);
  }
  expectThat(!existsSync(markOf(node)), 'the mark is gone', cluster);
  await expectAll(node, acknowledged);
  say(
    `  EIO at write ${nth}${lasts ? ' and all after it' : ''}: ${nth - 1} acknowledged before, none after; exit 10, ` +
      `${lasts ? 'the mark has a name only' : 'marked'}; all there after the restart`,
  );
}

async function expectAll(node: ProcessNode, names: readonly string[]): Promise<void> {
  const client = registryClient(node.clientAddress);
  try {
    for (const instance_id of names) {
      const request = { instance_id };
      await unary((options, callback) => client.getInstance(request, options, callback), 5000);
    }
  } finally {
    client.close();
  }
}

/** The leader's disk fails under load: the others go on, and it comes back marked, verified, and whole. */
export async function failLeaderUnderLoad(campaign: Campaign): Promise<void> {
  await underLoad(campaign, async (load) => {
    const { cluster } = campaign;
    const leader = await cluster.waitForLeader(START_MS);
    const tracer = await Tracer.attach(cluster, leader, { kind: 'error', nth: 20, lasts: false });
    await untilEnded(cluster, leader);
    await tracer.detach();
    // Those that waited for it ask the others.
    load.more();
    await load.untilMore(100, 'writes without the node whose disk failed');
    expectThat(existsSync(markOf(leader)), 'a mark', cluster);
    leader.start();
    await pollUntil(() => logOf(leader).includes('"disk_verified"'), {
      what: 'the verified start',
      timeoutMs: START_MS,
      explain: () => cluster.logTails(),
    });
    say(`  EIO at the leader under load: exit 10, the others went on, it came back verified`);
  });
}
