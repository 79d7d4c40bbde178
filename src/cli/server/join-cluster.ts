// How a node with an empty data-dir asks to be taken in: as any operator would, with the client, at the addresses of --join.
import { RegistryClient } from '../../client/index.ts';
import type { NodeConfig } from '../../config/load-config.ts';
import { nodeId } from '../../lib/ids.ts';
import type { MemberIdentity } from '../../node/peer-protocol.ts';
import type { NodeOptions } from '../../node/registry-node.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { systemRuntime } from '../system-clock.ts';

/** Of one request: the node asks again by itself. */
const REQUEST_MS = 5000;

/** NodeOptions.join for --join; undefined without it, and with a data-dir that belongs to a cluster already. What it rejects with is
 * one sentence, which the node shows among its problems. */
export function joinRequest(
  config: NodeConfig,
  formed: boolean,
  log: Logger,
): NodeOptions['join'] | undefined {
  const endpoints = config.join;
  if (endpoints === undefined) return undefined;
  if (formed) {
    log.info({ event: 'join_ignored' }, 'this data directory belongs to a cluster already');
    return undefined;
  }
  return async (self) => {
    const client = new RegistryClient({ endpoints, timeoutMs: REQUEST_MS, runtime: systemRuntime });
    try {
      const { members } = await client.addMember({
        node_id: self.nodeId,
        peer_address: self.peerAddress,
        client_address: self.clientAddress,
        incarnation: self.incarnation,
      });
      return members.map(
        (member): MemberIdentity => ({
          nodeId: nodeId(member.node_id),
          incarnation: member.incarnation,
          peerAddress: member.peer_address,
          clientAddress: member.client_address,
        }),
      );
    } finally {
      client.close();
    }
  };
}
