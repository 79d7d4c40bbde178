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

/** In the order of the endpoints. */
export function askNodes(
  client: RegistryClient,
  endpoints: readonly string[],
  timeoutMs: number,
): Promise<readonly NodeAnswer[]> {
  const limitMs = Math.min(timeoutMs, NODE_TIMEOUT_MS);
  return Promise.all(
    endpoints.map(async (endpoint): Promise<NodeAnswer> => {
      try {
        return { endpoint, status: await client.status(endpoint, limitMs), problem: '' };
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        return { endpoint, status: undefined, problem: error.message };
      }
    }),
  );
}
