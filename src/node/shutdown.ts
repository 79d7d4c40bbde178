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

/** Resolves once another node leads, or none can be brought to it in time. Writes that wait here go on there meanwhile. */
function handedOver(life: NodeLife, endMs: number): Promise<void> {
  const { engine, options } = life;
  const { clock, self, electionMs } = options;
  if (engine === undefined || engine.view.role !== 'leader') return Promise.resolve();
  if (successor(life, engine) === undefined) return Promise.resolve();
  const byMs = Math.min(endMs, clock.now() + 2 * electionMs);
  let askedMs = Number.NEGATIVE_INFINITY;
  return new Promise((resolve) => {
    const look = (): void => {
      const { role, leader, transferTarget } = engine.view;
      const now = clock.now();
      const gone = role !== 'leader' && leader !== undefined && leader !== self.nodeId;
      if (gone || now >= byMs) return resolve();
      if (role === 'leader' && transferTarget === undefined && now >= askedMs + ASK_AGAIN_MS) {
        askedMs = now;
        engine.push({ kind: 'transferLeadership', target: successor(life, engine) });
      }
      clock.after(LOOK_AGAIN_MS, look);
    };
    look();
  });
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
