// What the checks of the arena stand on: an arena whose nodes run and have a leader, and writes through them.
import { join } from 'node:path';
import { present } from '../../../../src/lib/assert.ts';
import { registryClient, unary } from '../../../support/grpc-client.ts';
import { pollUntil } from '../../../support/poll.ts';
import { repositoryRoot } from '../../../support/repository-root.ts';
import type { Ability, Arena, ArenaNode } from '../arena.ts';
import { openArena } from '../open-arena.ts';

/** One ability, verified by its effect. */
export interface Check {
  readonly title: string;
  readonly needs: readonly Ability[];
  /** Resolves with what was seen; rejects where the effect was not. */
  readonly run: (arena: Arena) => Promise<string>;
}

export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Three servers of this tree, started. */
export async function openGround(directory: string): Promise<Arena> {
  const main = join(repositoryRoot(), 'dist', 'cli', 'main.js');
  const arena = await openArena({ nodes: 3, directory, main, environment: {} });
  for (const node of arena.nodes) node.start();
  return arena;
}

/** Whom a majority names. */
export async function leaderOf(arena: Arena): Promise<ArenaNode> {
  let found: ArenaNode | undefined;
  await pollUntil(
    async () => {
      const running = arena.nodes.filter((node) => node.running);
      const answers = await Promise.allSettled(running.map((node) => node.status(1000)));
      const named = answers.flatMap((answer) =>
        answer.status === 'fulfilled' ? [answer.value.leader_id] : [],
      );
      found = running.find(
        ({ id }) => named.filter((name) => name === id).length * 2 > arena.nodes.length,
      );
      return found !== undefined;
    },
    { what: 'a leader', timeoutMs: 30_000, everyMs: 50 },
  );
  return present(found, 'the poll ended with a leader');
}

const writeTimeoutMs = 20_000;

/** Registers an instance through this node. */
export async function register(node: ArenaNode, instanceId: string): Promise<void> {
  const client = registryClient(node.clientAddress);
  const place = { service_name: 'arena', instance_id: instanceId, host: '10.0.0.1', port: 1 };
  const request = { instance: { ...place, ttl_ms: 3_600_000 }, request_id: `write-${instanceId}` };
  try {
    await unary((options, callback) => client.register(request, options, callback), writeTimeoutMs);
  } finally {
    client.close();
  }
}

/** How long one takes, in milliseconds. */
export async function timeOfWrite(node: ArenaNode, instanceId: string): Promise<number> {
  const beganAtMs = performance.now();
  await register(node, instanceId);
  return performance.now() - beganAtMs;
}
