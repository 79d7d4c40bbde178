// Disks that are slow beyond reason: a leader hands over, a follower is left behind, and writes are as quick as before (G15).
import { closedLoop } from '../../bench/load/closed-loop.ts';
import { present } from '../../src/lib/assert.ts';
import { registryClient } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import type { ProcessCluster, ProcessNode } from '../support/process-cluster.ts';
import { say } from './campaign.ts';
import { register } from './disk-errors.ts';
import { START_MS, Tracer } from './strace.ts';

/** Three times what a leader may take. */
const STUCK_MS = 3000;
/** Within which another node must lead. */
const HAND_OVER_MS = 3000;
const WINDOW_SECONDS = 2;
/** So often the latencies are looked at until they are what they were: other work on the host disturbs a window at times. */
const MOST_WINDOWS = 6;
const IN_FLIGHT = 4;

let marks = 0;

/** The 99th percentile of registrations through these nodes, in milliseconds. */
async function p99Of(nodes: readonly ProcessNode[]): Promise<number> {
  const clients = nodes.map((node) => registryClient(node.clientAddress));
  const mark = `slow-${++marks}`;
  try {
    const result = await closedLoop({
      inFlight: IN_FLIGHT,
      seconds: WINDOW_SECONDS,
      maxOperations: 100_000,
      operation: (caller, sequence) =>
        register(
          present(clients[caller % clients.length], 'a client'),
          `${mark}-${caller}-${sequence % 20}-${sequence}`,
        ),
    });
    if (result.errors > 0) throw new Error(`writes failed: ${result.firstError ?? ''}`);
    return result.p99Ms;
  } finally {
    for (const client of clients) client.close();
  }
}

/** Looks until a window is at most twice as slow as before; returns the window that was. */
async function returns(
  nodes: readonly ProcessNode[],
  before: number,
  what: string,
): Promise<number> {
  const seen: number[] = [];
  while (seen.length < MOST_WINDOWS) {
    const p99 = await p99Of(nodes);
    if (p99 <= 2 * before) return p99;
    seen.push(p99);
  }
  const windows = seen.map((p99) => p99.toFixed(1)).join(', ');
  throw new Error(`${what}: p99 was ${before.toFixed(1)} ms and stays at ${windows} ms`);
}

export async function slowDisk(
  cluster: ProcessCluster,
  which: 'follower' | 'leader',
): Promise<void> {
  const leader = await cluster.waitForLeader(START_MS);
  const slow = which === 'leader' ? leader : cluster.nodes.find((node) => node !== leader);
  const node = present(slow, 'a node to slow down');
  const others = cluster.nodes.filter((other) => other !== node);
  const before = await p99Of(others);
  const tracer = await Tracer.attach(cluster, node, { kind: 'delay', delayMs: STUCK_MS });
  const struckMs = performance.now();
  try {
    let handedOver = '';
    if (which === 'leader') {
      const client = registryClient(present(others[0], 'another node').clientAddress);
      // The write that finds the disk stuck; it waits for the next leader.
      const write = register(client, `finds-${++marks}`).catch(() => undefined);
      await pollUntil(
        async () => (await cluster.leader())?.id !== leader.id && (await leads(others)),
        {
          what: `a leader with a disk that works (A)`,
          timeoutMs: 4 * HAND_OVER_MS,
          explain: () => cluster.logTails(),
        },
      );
      const tookMs = performance.now() - struckMs;
      if (tookMs > HAND_OVER_MS) throw new Error(`the hand-over took ${tookMs.toFixed(0)} ms`);
      handedOver = `another node led after ${tookMs.toFixed(0)} ms; `;
      await write;
      client.close();
    }
    const after = await returns(others, before, `a slow ${which}`);
    say(
      `  log writes of a ${which} take ${STUCK_MS} ms: ${handedOver}p99 ${before.toFixed(1)} ms before, ` +
        `${after.toFixed(1)} ms after, ${(after / before).toFixed(2)} of it`,
    );
  } finally {
    await tracer.detach();
  }
  if (tracer.injected === 0) throw new Error('void: no write was slow');
  await caughtUp(cluster, node);
}

async function leads(nodes: readonly ProcessNode[]): Promise<boolean> {
  const answers = await Promise.all(nodes.map((node) => node.status()));
  return answers.some(({ role }) => role === 'LEADER');
}

async function caughtUp(cluster: ProcessCluster, node: ProcessNode): Promise<void> {
  await cluster.waitForEqualHashes(cluster.nodes, START_MS);
  const { problems } = await node.status();
  if (problems.length > 0) throw new Error(`${node.id} is not well again: ${problems.join('; ')}`);
}
