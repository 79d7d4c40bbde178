// When does a cluster accept writes? A linearizable read tells: it is answered only by a leader that has committed in its
// own term and has just heard from a majority, which is all a write needs.
import { ClientError, type RegistryClient } from '../client/index.ts';

const TRY_EVERY_MS = 50;

/** False when the time is over first, or the signal is aborted. The client's own timeout should be short. */
export async function waitUntilWritable(
  client: RegistryClient,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const { runtime } = client;
  const deadline = runtime.now() + timeoutMs;
  for (;;) {
    if (signal?.aborted === true) return false;
    try {
      await client.listServices({ page_size: 1, read: { consistency: 'LINEARIZABLE' } });
      return true;
    } catch (error) {
      if (!(error instanceof ClientError) || error.fate === 'final') throw error;
      const remainingMs = deadline - runtime.now();
      if (remainingMs <= 0) return false;
      await runtime.sleep(Math.min(TRY_EVERY_MS, remainingMs), signal);
    }
  }
}
