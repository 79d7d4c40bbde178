// Disks: what a power cut takes and what it leaves, and a disk that is slow.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pollUntil } from '../../../support/poll.ts';
import { finalList } from '../../../cluster/final-list.ts';
import type { Arena } from '../arena.ts';
import { type Check, expect, leaderOf, register, timeOfWrite } from './ground.ts';

const synced: Check = {
  title: 'a power cut takes what was not synced and leaves what was',
  needs: ['power'],
  run: async (arena) => {
    const leader = await leaderOf(arena);
    const node = arena.nodes.find((candidate) => candidate !== leader) ?? leader;
    const room = join(node.dataDir, '..');
    writeFileSync(join(room, 'kept'), 'synced', { flush: true });
    writeFileSync(join(room, 'lost'), 'not synced');
    const seen = await node.disk.cutPower();
    expect(seen, 'unsynced bytes outlived the power cut');
    expect(!node.running, `${node.id} runs without power`);
    const lost = join(room, 'lost');
    expect(!existsSync(lost) || readFileSync(lost, 'utf8') === '', 'an unsynced file is there');
    expect(readFileSync(join(room, 'kept'), 'utf8') === 'synced', 'a synced file is gone');
    node.start();
    await pollUntil(() => node.status().then(() => true), {
      what: `${node.id} to come back`,
      timeoutMs: 30_000,
      everyMs: 50,
    });
    return `${node.id} came back; an unsynced file was gone, a synced one there`;
  },
};

/** Writes until it fails; returns which instances were acknowledged. */
async function writeUntilDark(arena: Arena, writer: number): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  const node = arena.nodes[writer % arena.nodes.length];
  if (node === undefined) return acknowledged;
  try {
    for (let sequence = 0; ; sequence += 1) {
      await register(node, `w${writer}-${sequence}`);
      acknowledged.push(`w${writer}-${sequence}`);
    }
  } catch {
    return acknowledged;
  }
}

const atFullLoad: Check = {
  title: 'a power cut of all nodes under load loses no acknowledged write',
  needs: ['power'],
  run: async (arena) => {
    const leader = await leaderOf(arena);
    const writers = Array.from({ length: 12 }, (_, writer) => writeUntilDark(arena, writer));
    const { revision } = await leader.status();
    await pollUntil(async () => Number((await leader.status()).revision) > Number(revision) + 200, {
      what: '200 writes',
      timeoutMs: 30_000,
    });
    const seen = await Promise.all(arena.nodes.map((node) => node.disk.cutPower()));
    expect(seen.every(Boolean), 'unsynced bytes outlived a power cut');
    const acknowledged = (await Promise.all(writers)).flat();
    expect(acknowledged.length >= 100, `void: only ${acknowledged.length} writes`);
    for (const node of arena.nodes) node.start();
    const next = await leaderOf(arena);
    const { instances } = await finalList(next.id, next.clientAddress);
    const missing = acknowledged.filter((id) => !instances.has(id));
    expect(missing.length === 0, `acknowledged and lost: ${missing.join(', ')}`);
    return `${acknowledged.length} acknowledged writes are there after the start`;
  },
};

const slow: Check = {
  title: 'a slow disk makes writes wait until it is normal, or the process ends',
  needs: ['slowDisk'],
  run: async (arena) => {
    const leader = await leaderOf(arena);
    const delayMs = 400;
    // On all nodes: a majority is as quick as the quicker half.
    for (const node of arena.nodes) await node.disk.slow(delayMs);
    const slowMs = await timeOfWrite(leader, 'slow');
    for (const node of arena.nodes) {
      await pollUntil(async () => (await node.disk.delayed()) > 0, {
        what: `a write of ${node.id} that waits`,
        timeoutMs: 5000,
      });
    }
    const [first] = arena.nodes;
    await first?.kill();
    first?.start();
    for (const node of arena.nodes) if (node !== first) await node.disk.normal();
    const now = await leaderOf(arena);
    const times: number[] = [];
    for (let count = 0; count < 5; count += 1) times.push(await timeOfWrite(now, `quick-${count}`));
    const quickMs = Math.min(...times);
    const seen = `${slowMs.toFixed(0)} ms slow, ${quickMs.toFixed(0)} ms after`;
    expect(slowMs >= delayMs && quickMs < delayMs / 2, seen);
    return seen;
  },
};

export const diskChecks: readonly Check[] = [synced, atFullLoad, slow];
