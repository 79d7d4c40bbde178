// Three real nodes, one of which finds a flipped bit in its log when it starts: it comes back by itself, votes again, and nothing
// acknowledged is lost.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { systemRuntime } from '../../src/cli/system-clock.ts';
import { RegistryClient } from '../../src/client/index.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessCluster, type ProcessNode } from '../support/process-cluster.ts';

let cluster: ProcessCluster | undefined;
afterEach(() => cluster?.stop('SIGKILL'));

/** Registers `count` instances and answers with their ids once all are acknowledged. */
async function fill(nodes: readonly ProcessNode[], count: number): Promise<readonly string[]> {
  const endpoints = nodes.map(({ clientAddress }) => clientAddress);
  const client = new RegistryClient({ endpoints, timeoutMs: 5000, runtime: systemRuntime });
  try {
    const ids = Array.from({ length: count }, (_, at) => `i-${at}`);
    for (const id of ids) {
      const instance = { service_name: 'payments', instance_id: id, host: '10.0.0.1', port: 1 };
      await client.register({ instance: { ...instance, metadata: { pad: 'x'.repeat(300) } } });
    }
    return ids;
  } finally {
    client.close();
  }
}

/** What this very node answers, linearizably. */
async function idsAt({ clientAddress }: ProcessNode): Promise<readonly string[]> {
  const client = new RegistryClient({
    endpoints: [clientAddress],
    timeoutMs: 3000,
    runtime: systemRuntime,
  });
  try {
    const { instances } = await client.listInstances({ selector: { services: ['payments'] } });
    return instances.map(({ instance_id: id }) => id).toSorted();
  } finally {
    client.close();
  }
}

/** One bit in the middle of what is written. */
function flipBit({ dataDir }: ProcessNode): void {
  const name = present(readdirSync(join(dataDir, 'wal')).toSorted()[0], 'there is a segment');
  const path = join(dataDir, 'wal', name);
  const bytes = readFileSync(path);
  const at = bytes.findLastIndex((byte) => byte !== 0) >>> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
  writeFileSync(path, bytes);
}

const identityOf = ({ dataDir }: ProcessNode) =>
  JSON.parse(readFileSync(join(dataDir, 'identity.json'), 'utf8')) as {
    readonly incarnation: string;
    readonly formatVersion: number;
  };

async function untilVoter(node: ProcessNode): Promise<void> {
  const votes = async (): Promise<boolean> => {
    const { members, problems } = await node.status();
    const own = members.find(({ node_id: id }) => id === node.id);
    return problems.length === 0 && own?.learner === false;
  };
  await pollUntil(() => votes().catch(() => false), {
    what: `${node.id} to vote again`,
    timeoutMs: 30_000,
    explain: () => cluster?.logTails() ?? '',
  });
}

describe('a flipped bit in the log', () => {
  test.for(['follower', 'former leader'] as const)(
    'of the %s: it votes again by itself, and has every acknowledged write (G1, G13, G14)',
    async (role) => {
      cluster = await ProcessCluster.start();
      const ids = await fill(cluster.nodes, 100);
      const leader = await cluster.waitForLeader();
      const followers = cluster.nodes.filter((node) => node !== leader);
      const node = role === 'follower' ? present(followers[0], 'there is one') : leader;
      await node.kill('SIGKILL');
      const before = identityOf(node);
      flipBit(node);
      node.start();
      await untilVoter(node);
      const after = identityOf(node);
      expect(after).toMatchObject({ formatVersion: 1 });
      expect(after.incarnation).not.toBe(before.incarnation);
      const log = readFileSync(node.logFile, 'utf8');
      expect(log).toContain('"event":"log_given_up"');
      await pollUntil(() => !existsSync(join(node.dataDir, 'damaged-log')), {
        what: 'what was set aside to go',
        timeoutMs: 10_000,
      });
      // Its vote counts: one of the others goes for good.
      const other = present(
        cluster.nodes.find((one) => one !== node),
        'there are three',
      );
      await other.kill('SIGKILL');
      await cluster.waitForLeader();
      expect(await idsAt(node)).toEqual(ids.toSorted());
    },
  );

  test('while one other node is away: it waits and says so, and heals when that one returns', async () => {
    cluster = await ProcessCluster.start();
    const ids = await fill(cluster.nodes, 50);
    const leader = await cluster.waitForLeader();
    const [node, away] = cluster.nodes.filter((one) => one !== leader);
    if (node === undefined || away === undefined) throw new Error('there are three');
    await away.kill('SIGKILL');
    await node.kill('SIGKILL');
    flipBit(node);
    node.start();
    await pollUntil(
      async () => {
        const { problems } = await node.status().catch(() => ({ problems: [] as string[] }));
        return problems.some(
          (text) => text.includes('The log is damaged') && text.includes('waits'),
        );
      },
      {
        what: 'its problems to say so',
        timeoutMs: 20_000,
        explain: () => cluster?.logTails() ?? '',
      },
    );
    expect(existsSync(join(node.dataDir, 'damaged-log', 'wal'))).toBe(true);
    await expect(idsAt(node)).rejects.toThrow();
    // Killed in the middle, it goes on where it was.
    const { incarnation } = identityOf(node);
    await node.kill('SIGKILL');
    node.start();
    away.start();
    await untilVoter(node);
    expect(identityOf(node).incarnation).toBe(incarnation);
    expect(await idsAt(node)).toEqual(ids.toSorted());
    await cluster.waitForEqualHashes();
  });
});
