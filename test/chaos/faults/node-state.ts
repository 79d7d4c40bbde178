// What can be seen of a node from outside: its process, its log, what it says of itself, and whether it comes back.
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { present } from '../../../src/lib/assert.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { pollUntil } from '../../support/poll.ts';
import { isGone } from '../../support/process-state.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, Broken, NoEffect } from './fault.ts';

/** Rejects with NoEffect unless the process is gone soon; a zombie is gone. */
export async function expectGone(node: ArenaNode, pid: number): Promise<void> {
  await expectEffect(`process ${pid} of ${node.id} to be gone`, 2000, () => isGone(pid));
}

/** Waits for what a fault is to bring about; rejects with NoEffect when it does not come. */
export async function expectEffect(
  what: string,
  timeoutMs: number,
  seen: () => boolean | Promise<boolean>,
): Promise<void> {
  try {
    await pollUntil(seen, { what, timeoutMs, everyMs: 20 });
  } catch (cause) {
    throw new NoEffect(cause instanceof Error ? cause.message : what, { cause });
  }
}

/** Where a node's log ends now; 0 before it has written anything. */
export function logEnd(node: ArenaNode): number {
  return statSync(node.logFile, { throwIfNoEntry: false })?.size ?? 0;
}

/** What a node has written to its log since. */
export async function logSince(node: ArenaNode, from: number): Promise<string> {
  const file = await open(node.logFile);
  try {
    const { size } = await file.stat();
    const text = Buffer.alloc(Math.max(0, size - from));
    const { bytesRead } = await file.read(text, 0, text.length, from);
    return text.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** What it says of itself within a second; undefined when it says nothing. */
export async function viewOf(
  node: ArenaNode,
): Promise<Awaited<ReturnType<ArenaNode['status']>> | undefined> {
  try {
    return await node.status(1000);
  } catch {
    return undefined;
  }
}

/** A node that runs answers within milliseconds; on a very busy host not always within the second that one call waits. */
const answerTimeoutMs = 30_000;

/** What it says of itself, asked until it answers; rejects with NoEffect when it does not for a long time. */
export async function answerOf(node: ArenaNode): ReturnType<ArenaNode['status']> {
  let view = await viewOf(node);
  await expectEffect(`${node.id} to answer`, answerTimeoutMs, async () => {
    view ??= await viewOf(node);
    return view !== undefined;
  });
  return present(view, 'an answer was awaited');
}

/** Who leads, as this node sees it, in words. */
export async function leaderSeenBy(node: ArenaNode): Promise<string> {
  const view = await viewOf(node);
  if (view === undefined) return 'no answer';
  return `${view.leader_id === '' ? 'nobody' : view.leader_id} in term ${view.term}`;
}

/** A node is back within a second; a very busy host takes a hundred times as long. */
const revivalTimeoutMs = 120_000;

/** Starts it and waits until it answers; resolves with how long that took, in milliseconds. */
export async function revive(node: ArenaNode): Promise<number> {
  const from = logEnd(node);
  const beganAtMs = monotonicMs();
  node.start();
  try {
    await pollUntil(async () => !node.running || (await viewOf(node)) !== undefined, {
      what: `${node.id} to answer after its start`,
      timeoutMs: revivalTimeoutMs,
      everyMs: 30,
    });
  } catch (cause) {
    const tail = (await logSince(node, from)).trimEnd().split('\n').slice(-5).join('\n');
    throw new Broken('G1', `${cause instanceof Error ? cause.message : ''}\n${tail}`, beganAtMs);
  }
  if (!node.running) {
    const tail = (await logSince(node, from)).trimEnd().split('\n').slice(-5).join('\n');
    const ended = `${node.id} ended with exit code ${node.exitCode ?? 'none'} when started again`;
    throw new Broken('G13', `${ended}\n${tail}`);
  }
  return Math.round(monotonicMs() - beganAtMs);
}

/** The leader, or where another fault holds it, any free node. */
export async function takeLeader(field: Battlefield): Promise<ArenaNode> {
  const leader = await field.leader();
  const free = field.free();
  if (free.includes(leader)) return leader;
  return present(free[field.random.integer(0, free.length)], 'a fault strikes when a node is free');
}

/** A free node that does not lead; where other faults leave none, whichever is free. */
export async function takeFollower(field: Battlefield): Promise<ArenaNode> {
  const leader = await field.leader();
  const free = field.free();
  const followers = free.filter((node) => node !== leader);
  const some = followers.length > 0 ? followers : free;
  return present(some[field.random.integer(0, some.length)], 'a fault strikes when a node is free');
}

/** Leader or not; one that no other fault holds, where there is one. */
export function takeAny(field: Battlefield): ArenaNode {
  const free = field.free();
  const some = free.length > 0 ? free : field.arena.nodes.filter((node) => node.running);
  return present(some[field.random.integer(0, some.length)], 'a node runs');
}

export const idsOf = (nodes: readonly ArenaNode[]): readonly string[] => nodes.map(({ id }) => id);
