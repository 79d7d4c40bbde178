// What a round does to the cluster, and when its effect counts as seen.
import { rmSync } from 'node:fs';
import type { ServiceError } from '@grpc/grpc-js';
import { present } from '../../src/lib/assert.ts';
import type { ProcessCluster, ProcessNode } from '../support/process-cluster.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';

/** The writers of a round, as a fault sees them. */
interface WriteLoad {
  /** Starts as many writers again. Those that were there before a fault may all be waiting to learn what became of a write. */
  readonly more: () => void;
  /** Writes refused with certainty since the fault began. */
  readonly rejected: () => number;
}

export interface Fault {
  readonly name: string;
  /** Does it and resolves when the processes are gone; `heal` brings everything back. */
  readonly strike: (
    cluster: ProcessCluster,
    load: WriteLoad,
  ) => Promise<{ readonly heal: () => void }>;
}

async function killNodes(nodes: readonly ProcessNode[]): Promise<{ heal: () => void }> {
  await Promise.all(nodes.map((node) => node.kill('SIGKILL')));
  return {
    heal: () => {
      for (const node of nodes) node.start();
    },
  };
}

export const killLeader: Fault = {
  name: 'kill -9 of the leader',
  strike: async (cluster) => killNodes([await cluster.waitForLeader()]),
};

export const killFollower: Fault = {
  name: 'kill -9 of a follower',
  strike: async (cluster) => {
    const leader = await cluster.waitForLeader();
    return killNodes([
      present(
        cluster.nodes.find((node) => node !== leader),
        'a follower',
      ),
    ]);
  },
};

export const killAll: Fault = {
  name: 'kill -9 of all nodes at once',
  strike: async (cluster) => {
    const healed = await killNodes(cluster.nodes);
    healed.heal();
    return { heal: () => undefined };
  },
};

/** The survivor alone must refuse writes with certainty (G3): it stays alone until some were. */
export const killMajority: Fault = {
  name: 'kill -9 of two nodes until writes are refused',
  strike: async (cluster, load) => {
    const leader = await cluster.waitForLeader();
    const follower = present(
      cluster.nodes.find((node) => node !== leader),
      'a follower',
    );
    const { heal } = await killNodes([leader, follower]);
    load.more();
    await pollUntil(() => load.rejected() >= 5, {
      what: 'the survivor to refuse writes',
      timeoutMs: 30_000,
      explain: () => cluster.logTails(),
    });
    heal();
    return { heal: () => undefined };
  },
};

/** A write through this node answers no_quorum: nobody leads with its help. */
async function expectNoQuorum(node: ProcessNode): Promise<void> {
  const client = registryClient(node.clientAddress);
  const instance = { service_name: 'probe', instance_id: 'amnesia', host: '10.0.0.1', port: 1 };
  try {
    await unary((options, callback) => client.register({ instance }, options, callback), 5000);
  } catch (error) {
    if ((error as ServiceError).details.startsWith('no_quorum:')) return;
    throw error;
  } finally {
    client.close();
  }
  throw new Error('a write was acknowledged with the vote of a node that lost its disk');
}

/** G14: a follower loses its disk while another node is away. It must not vote: no quorum until the other one is back.
 * Returns the node whose disk was wiped. */
export async function wipeDuringAbsence(cluster: ProcessCluster): Promise<ProcessNode> {
  const leader = await cluster.waitForLeader();
  const [wiped, away] = cluster.nodes.filter((node) => node !== leader);
  const amnesiac = present(wiped, 'a follower');
  const survivor = present(away, 'another follower');
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGKILL')));
  rmSync(amnesiac.dataDir, { recursive: true });
  amnesiac.start();
  survivor.start();
  await pollUntil(
    async () => (await amnesiac.status()).problems.some((line) => line.includes('incarnation')),
    {
      what: 'the wiped node to say what to do',
      timeoutMs: 15_000,
      everyMs: 50,
      explain: () => cluster.logTails(),
    },
  );
  await expectNoQuorum(survivor);
  await expectNoQuorum(amnesiac);
  leader.start();
  await cluster.waitForLeader();
  const after = await amnesiac.status();
  if (after.role === 'LEADER' || after.applied_index !== '0') {
    throw new Error('a node without its disk takes part in the cluster');
  }
  return amnesiac;
}
