// When does a cluster accept writes? A linearizable read tells: it is answered only by a leader that has committed in its
// own term and has just heard from a majority, which is all a write needs.
import { ClientError, type RegistryClient } from '../client/index.ts';

const TRY_EVERY_MS = 50;

/** Undefined once it does; else why it did not in time, or by when the signal was aborted. The client's own timeout should be short. */
export async function waitUntilWritable(
  client: RegistryClient,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { runtime } = client;
  const deadline = runtime.now() + timeoutMs;
  for (;;) {
    if (signal?.aborted === true) return 'interrupted';
    try {
      await client.listServices({ page_size: 1, read: { consistency: 'LINEARIZABLE' } });
      return undefined;
    } catch (error) {
      if (!(error instanceof ClientError) || error.fate === 'final') throw error;
      const remainingMs = deadline - runtime.now();
      if (remainingMs <= 0) return error.message;
      await runtime.sleep(Math.min(TRY_EVERY_MS, remainingMs), signal);
    }
  }
}
