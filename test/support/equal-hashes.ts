// Nodes that have applied the same have the same state (G12): waits until they say so, wherever they run.
import { present } from '../../src/lib/assert.ts';
import type { StatusResponse__Output } from '../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import { pollUntil } from './poll.ts';

export interface AskedNode {
  readonly status: (timeoutMs?: number) => Promise<StatusResponse__Output>;
}

/** Resolves with the hash; `explain` adds evidence to the error of a time-out. */
export async function untilEqualHashes(
  nodes: readonly AskedNode[],
  timeoutMs: number,
  explain: () => string,
): Promise<string> {
  let hash = '';
  await pollUntil(
    async () => {
      const statuses = await Promise.all(nodes.map((node) => node.status(1000)));
      const first = present(statuses[0], 'a cluster has running nodes');
      hash = first.state_hash;
      return statuses.every(
        (status) =>
          status.state_hash === first.state_hash &&
          status.state_hash_index === first.state_hash_index &&
          status.applied_index === status.commit_index,
      );
    },
    { what: 'equal state hashes', timeoutMs, everyMs: 50, explain },
  );
  return hash;
}
