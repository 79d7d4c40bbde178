// A stop that was asked for: say so, refuse what is new, end the watches with a token in hand, let what is in flight
// finish, write the state, leave.
import { RegistryError } from '../lib/registry-error.ts';
import type { NodeLife } from './node-life.ts';

const STOPPING = 'this node is stopping, try another one';
const LOOK_AGAIN_MS = 5;

export function shuttingDown(): RegistryError {
  return new RegistryError('shuttingDown', STOPPING);
}

export async function shutDown(life: NodeLife, graceMs: number): Promise<void> {
  const { parts, options } = life;
  life.health.stop();
  parts.hub.endAll(shuttingDown());
  parts.writes.refuseWaiting('shuttingDown', STOPPING);
  parts.reads.failAll('shuttingDown', STOPPING);
  parts.relay.stop();
  await inFlightDone(life, graceMs);
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

/** Resolves once no write waits for its outcome any more, or the time is up. */
function inFlightDone(life: NodeLife, graceMs: number): Promise<void> {
  const { clock } = life.options;
  const { writes } = life.parts;
  const byMs = clock.now() + graceMs;
  return new Promise((resolve) => {
    const look = (): void => {
      const done = writes.callers + writes.peers === 0 || life.phase !== 'running';
      if (done || clock.now() >= byMs) resolve();
      else clock.after(LOOK_AGAIN_MS, look);
    };
    look();
  });
}
