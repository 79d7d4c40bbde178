// The command itself is killed, again and again, at any moment: what it leaves is the former node, or nothing that starts, or the
// new cluster; in the end it succeeds, and nothing is missing.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../../src/lib/random.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import { contentOf, expectThat, LongLivedClient } from './client.ts';
import type { Town } from './town.ts';

const main = join(repositoryRoot(), 'dist', 'cli', 'main.js');
const kills = 12;
const longestMs = 1500;

export async function interrupted(town: Town): Promise<string> {
  const survivor = town.node('n1');
  const client = new LongLivedClient(survivor.clientAddress);
  for (let number = 0; number < 20; number++) {
    await client.registerAnew(`i${number}`, 8000 + number, `before-${number}`);
  }
  await town.cluster.waitForEqualHashes(town.cluster.nodes, 60_000);
  const before = contentOf(await client.list());
  await town.lose('n2');
  await town.lose('n3');
  await survivor.kill('SIGKILL');
  const recover = ['recover', '--data-dir', survivor.dataDir, '--yes-i-accept-data-loss'];
  const random = seededRandom(5);
  let alive = 0;
  for (let round = 0; round < kills; round++) {
    const child = spawn(process.execPath, [main, ...recover], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    await Promise.race([ended, delay(random.integer(200, longestMs))]);
    if (child.exitCode === null) {
      alive++;
      child.kill('SIGKILL');
    }
    await ended;
  }
  expectThat(alive > 0, 'void: every call had ended before it was killed');
  const last = spawnSync(process.execPath, [main, ...recover], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  expectThat(last.status === 0, `recover ended with ${last.status}: ${last.stderr}`);
  town.startServer('recover', 'on the host of n1, the server', 'n1');
  await town.follow('restore', 'on the host of n1, then');
  const after = contentOf(await client.list());
  expectThat(after.join() === before.join(), 'acknowledged writes are missing (G1)');
  await client.registerAnew('last', 9999, 'last');
  return `killed ${alive} times while it ran`;
}
