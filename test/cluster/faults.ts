// What a round does to the cluster, and when its effect counts as seen.
import { readFileSync, rmSync } from 'node:fs';
import type { ServiceError } from '@grpc/grpc-js';
import { present } from '../../src/lib/assert.ts';
import type { ProcessCluster, ProcessNode } from '../support/process-cluster.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import { firstAnswerAfter, longestSilence, type WriteLoad } from './campaign.ts';

export interface Fault {
  readonly name: string;
  /** Does it and resolves when the processes are gone; `heal` brings everything back. */
  readonly strike: (
    cluster: ProcessCluster,
    load: WriteLoad,
  ) => Promise<{ readonly heal: () => void; readonly settled?: () => Promise<void> }>;
  /** How long nothing was written, from the moment it began: the first answer to a write begun after it, where writers may be
   * stuck with a node that is gone; else the longest time without an answer. */
  readonly gap: (load: WriteLoad, fromMs: number) => number;
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
  gap: firstAnswerAfter,
  strike: async (cluster) => killNodes([await cluster.waitForLeader()]),
};

export const killFollower: Fault = {
  name: 'kill -9 of a follower',
  gap: firstAnswerAfter,
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
  gap: firstAnswerAfter,
  strike: async (cluster) => {
    const healed = await killNodes(cluster.nodes);
    healed.heal();
    return { heal: () => undefined };
  },
};

/** The survivor alone must refuse writes with certainty (G3): it stays alone until some were. */
export const killMajority: Fault = {
  name: 'kill -9 of two nodes until writes are refused',
  gap: firstAnswerAfter,
  strike: async (cluster, load) => {
    const leader = await cluster.waitForLeader();
    const follower = present(
      cluster.nodes.find((node) => node !== leader),
      'a follower',
    );
    const fromMs = performance.now();
    const { heal } = await killNodes([leader, follower]);
    load.more();
    await pollUntil(() => load.rejectedSince(fromMs) >= 5, {
      what: 'the survivor to refuse writes',
      timeoutMs: 30_000,
      explain: () => cluster.logTails(),
    });
    heal();
    return { heal: () => undefined };
  },
};

/** A paused process keeps its sockets: nobody is refused, everybody waits. The others must notice by silence alone. */
export const pauseLeader: Fault = {
  name: 'pause (SIGSTOP) of the leader',
  gap: firstAnswerAfter,
  strike: async (cluster, load) => {
    const leader = await cluster.waitForLeader();
    leader.signal('SIGSTOP');
    // Those that ask the paused node wait for it.
    load.more();
    return { heal: () => leader.signal('SIGCONT') };
  },
};

/** The leader hands over before it goes. */
export const terminateLeader: Fault = {
  name: 'SIGTERM of the leader',
  gap: longestSilence,
  strike: async (cluster) => {
    const leader = await cluster.waitForLeader();
    const logged = readFileSync(leader.logFile, 'utf8').length;
    await leader.kill('SIGTERM');
    if (leader.exitCode !== 0) throw new Error(`${leader.id} ended with ${leader.exitCode}`);
    const since = readFileSync(leader.logFile, 'utf8').slice(logged);
    if (!since.includes('"transferStarted"')) {
      throw new Error(`${leader.id} went without handing over:\n${since}`);
    }
    return { heal: () => leader.start() };
  },
};

/** Waits until the log of the node begins after this entry: on a leader it was shortened, on a follower a snapshot took its place. */
export function untilLogBegins(
  cluster: ProcessCluster,
  node: ProcessNode,
  after: number,
): Promise<void> {
  return pollUntil(async () => Number((await node.status()).first_index) > after, {
    what: `the log of ${node.id} to begin after entry ${after}`,
    timeoutMs: 60_000,
    everyMs: 50,
    explain: () => cluster.logTails(),
  });
}

/** A follower is away until the log no longer reaches back to it: it needs a snapshot, under load. */
export const leaveBehind: Fault = {
  name: 'kill -9 of a follower until the log has passed it',
  gap: firstAnswerAfter,
  strike: async (cluster) => {
    const leader = await cluster.waitForLeader();
    const follower = present(
      cluster.nodes.find((node) => node !== leader),
      'a follower',
    );
    const { last_index: last } = await follower.status();
    await follower.kill('SIGKILL');
    // It has at most what was appended until it died, soon after it was asked.
    const passed = Number(last) + 500;
    await untilLogBegins(cluster, leader, passed);
    const settled = (): Promise<void> => untilLogBegins(cluster, follower, passed);
    return { heal: () => follower.start(), settled };
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
      timeoutMs: 30_000,
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
