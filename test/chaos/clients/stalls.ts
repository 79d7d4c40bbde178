// Notices when the process itself was kept from running: what it says of time around then is worth little, and a keeper that
// did not run did not send.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ClientWorld } from './client-world.ts';

const LOOK_MS = 25;
/** A timer that is so late was not late by chance. */
const STALL_MS = 150;

/** Until the process ends; it keeps nothing alive. */
export function watchForStalls(world: ClientWorld): () => void {
  let lastMs = monotonicMs();
  const timer = setInterval(() => {
    const nowMs = monotonicMs();
    if (nowMs - lastMs > STALL_MS) {
      world.note({ kind: 'stalled', client: world.settings.name, fromMs: lastMs, toMs: nowMs });
    }
    lastMs = nowMs;
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
