// A stop that was asked for: say so, refuse what is new, end the watches with a token in hand, hand leadership over
// (dissertation 3.10), let what is in flight finish, write the state, leave.
import type { NodeId } from '../lib/ids.ts';
import { RegistryError } from '../lib/registry-error.ts';
import type { Engine } from './engine.ts';
import type { NodeLife } from './node-life.ts';

const STOPPING = 'this node is stopping, try another one';
const LOOK_AGAIN_MS = 5;
/** One that was asked to take over and did not is asked again. */
const ASK_AGAIN_MS = 50;

export function shuttingDown(): RegistryError {
  return new RegistryError('shuttingDown', STOPPING);
}

export async function shutDown(life: NodeLife, graceMs: number): Promise<void> {
  const { parts, options } = life;
  const byMs = options.clock.now() + graceMs;
  life.health.stop();
  parts.hub.endAll(shuttingDown());
  parts.reads.failAll('shuttingDown', STOPPING);
  parts.relay.stop();
  await handedOver(life, byMs);
  parts.writes.refuseWaiting('shuttingDown', STOPPING);
  life.members.failAll('shuttingDown', STOPPING);
  await inFlightDone(life, byMs);
  life.halt();
  // First the peers: a dial that is refused lets them elect at once.
  await options.transport.stop();
  await parts.snapshotPull.stop();
  await parts.flusher.flush();
  parts.flusher.stop();
  await options.stateStore.close();
  await options.logStore.close();
  options.log.info({ event: 'stopped' });
}

/** Resolves once another node leads and has had time for what waited, or none can be brought to it in time. Writes that
 * wait here go on there meanwhile. */
function handedOver(life: NodeLife, endMs: number): Promise<void> {
  const { engine, options } = life;
  const { clock, electionMs, heartbeatMs } = options;
  if (engine === undefined || engine.view.role !== 'leader') return Promise.resolve();
  if (successor(life, engine) === undefined) return Promise.resolve();
  const byMs = Math.min(endMs, clock.now() + 2 * electionMs);
  let askedMs = Number.NEGATIVE_INFINITY;
  let leadsSinceMs = Number.POSITIVE_INFINITY;
  return new Promise((resolve) => {
    const look = (): void => {
      const { role, transferTarget } = engine.view;
      const now = clock.now();
      leadsSinceMs = succeeded(life, engine)
        ? Math.min(leadsSinceMs, now)
        : Number.POSITIVE_INFINITY;
      // A heartbeat longer than needed: what waited for the new leader is written while there are three disks for it, and
      // nobody has a broken stream to deal with while it is.
      if (now >= leadsSinceMs + heartbeatMs || now >= byMs) return resolve();
      if (role === 'leader' && transferTarget === undefined && now >= askedMs + ASK_AGAIN_MS) {
        askedMs = now;
        engine.push({ kind: 'transferLeadership', target: successor(life, engine) });
      }
      clock.after(LOOK_AGAIN_MS, look);
    };
    look();
  });
}

/** Another node leads and an entry of its term is committed. Until then this node's copy of it may be what it waits for:
 * one that leaves with its election leaves the rest to wait for the slower of their disks. */
function succeeded(life: NodeLife, engine: Engine): boolean {
  const { role, leader, term } = engine.view;
  return role !== 'leader' && leader !== undefined && life.applied.term === term;
}

/** The voter that holds most of the log, of those that know what they are asked. */
function successor({ peers }: NodeLife, engine: Engine): NodeId | undefined {
  const able = engine
    .peers()
    .filter((one) => !one.learner && one.active && peers.canTakeOver(one.peer));
  return able.toSorted((a, b) => b.matchIndex - a.matchIndex)[0]?.peer;
}

/** Resolves once no write waits for its outcome any more, or the time is up. */
function inFlightDone(life: NodeLife, byMs: number): Promise<void> {
  const { clock } = life.options;
  const { writes } = life.parts;
  return new Promise((resolve) => {
    const look = (): void => {
      const done = writes.callers + writes.peers === 0 || life.phase !== 'running';
      if (done || clock.now() >= byMs) resolve();
      else clock.after(LOOK_AGAIN_MS, look);
    };
    look();
  });
}
