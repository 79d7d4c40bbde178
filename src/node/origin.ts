// How a node comes to belong to a cluster: its log says so, or it forms one with the nodes listed, or it asks to join one.
import { assert } from '../lib/assert.ts';
import type { NodeId } from '../lib/ids.ts';
import { FirstBoot, type FirstBootOptions } from './first-boot.ts';
import { Joining } from './joining.ts';
import type { MemberIdentity } from './peer-protocol.ts';
import type { NodeOptions } from './registry-node.ts';
import type { Roster } from './roster.ts';

/** Why the log cannot be this node's, as one sentence; undefined when it can. */
export function strangerToLog(
  { self, clusterId, join }: NodeOptions,
  { record, standing }: Roster,
): string | undefined {
  assert(record !== undefined, 'a log with entries says whose it is');
  const namesake = record.members.some(({ nodeId }) => nodeId === self.nodeId);
  // A node on its way back into a cluster reads of its former self first.
  const other = namesake && standing === 'outside' && join === undefined;
  if (record.clusterId === clusterId && !other) return undefined;
  const members = record.members.map((member) => member.nodeId).join(', ');
  return `the data directory belongs to another node or cluster (cluster "${record.clusterId}", members ${members}): check --node-id, --cluster-id and --data-dir`;
}

export function beginForming(
  options: NodeOptions,
  listed: readonly NodeId[],
  done: Pick<FirstBootOptions, 'formed' | 'failed'>,
): FirstBoot {
  const { self, clusterId, clock, logStore, transport, markFormed } = options;
  assert(listed.includes(self.nodeId), 'this node is one of the initial members');
  return new FirstBoot({
    self,
    clusterId,
    listed,
    clock,
    logStore,
    markFormed,
    tell(frame) {
      for (const peer of listed) if (peer !== self.nodeId) transport.send(peer, [frame]);
    },
    ...done,
  });
}

export function beginJoining(
  { self, join, clock, log }: NodeOptions,
  added: (members: readonly MemberIdentity[]) => void,
): Joining {
  assert(join !== undefined, 'a node that joins was told where');
  return new Joining({ self, join, clock, log, added });
}
