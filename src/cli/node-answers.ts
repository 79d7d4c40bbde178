// Every node of a command's endpoints, asked how it sees itself.
import { ClientError, type RegistryClient } from '../client/index.ts';
import type { StatusResponse__Output } from '../rpc/gen/rollcall/v1/StatusResponse.ts';

export interface NodeAnswer {
  readonly endpoint: string;
  readonly status: StatusResponse__Output | undefined;
  /** Why there is no status. */
  readonly problem: string;
}

const NODE_TIMEOUT_MS = 2000;

const TRY_EVERY_MS = 50;

/** In the order of the endpoints. A node that cannot be reached is asked again for `patienceMs`, 0 by default: after a refused
 * connection the channel fails calls for a while without trying, so what is asked too early may be up all the same. */
export function askNodes(
  client: RegistryClient,
  endpoints: readonly string[],
  timeoutMs: number,
  patienceMs = 0,
): Promise<readonly NodeAnswer[]> {
  const limitMs = Math.min(timeoutMs, NODE_TIMEOUT_MS);
  const untilMs = client.runtime.now() + patienceMs;
  const ask = async (endpoint: string): Promise<NodeAnswer> => {
    for (;;) {
      try {
        return { endpoint, status: await client.status(endpoint, limitMs), problem: '' };
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        const again = error.unreachable && client.runtime.now() < untilMs;
        if (!again) return { endpoint, status: undefined, problem: error.message };
      }
      await client.runtime.sleep(TRY_EVERY_MS);
    }
  };
  return Promise.all(endpoints.map(ask));
}
