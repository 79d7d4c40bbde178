// How a node comes to belong to a cluster: its log says so, or it forms one with the nodes listed, or it asks to join
// one, or to return.
import { assert } from '../lib/assert.ts';
import type { NodeId } from '../lib/ids.ts';
import { FirstBoot, type FirstBootOptions } from './first-boot.ts';
import { Joining } from './joining.ts';
import type { Members } from './members.ts';
import type { MemberIdentity } from './peer-protocol.ts';
import type { Peers } from './peers.ts';
import type { Fatal } from './ports.ts';
import type { NodeOptions } from './registry-node.ts';
import { Returning } from './returning.ts';
import type { Roster } from './roster.ts';

/** Why the log cannot be this node's, as one sentence; undefined when it can. */
export function strangerToLog(
  { self, clusterId, join, replaces }: NodeOptions,
  { record, standing }: Roster,
): string | undefined {
  assert(record !== undefined, 'a log with entries says whose it is');
  const namesake = record.members.some(({ nodeId }) => nodeId === self.nodeId);
  // A node on its way back into a cluster reads of its former self first.
  const other = namesake && standing === 'outside' && (join ?? replaces) === undefined;
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

/** Asks the cluster until the log says that this node is a member. */
export interface WayIn {
  /** What is awaited, in plain words. */
  readonly problem: string;
  ask(): void;
  stop(): void;
}

export interface WayInHost {
  readonly peers: Peers;
  readonly members: Members;
  /** The members to keep streams to are others now. */
  readonly connect: () => void;
  readonly fatal: Fatal;
}

/** undefined where this node was told nowhere to go: it has a cluster, or forms one. */
export function wayIn(
  { self, join, replaces, clock, log }: NodeOptions,
  { peers, members, connect, fatal }: WayInHost,
): WayIn | undefined {
  const added = (found: readonly MemberIdentity[]): void => {
    peers.joining(found);
    connect();
  };
  if (replaces !== undefined) {
    peers.returning(replaces);
    const change = { kind: 'replace', lost: replaces.incarnations, member: self } as const;
    return new Returning({
      self,
      lost: replaces,
      clock,
      log,
      reached: () => peers.connectedPeers,
      refusals: () => peers.strangerAt,
      told: () => peers.problems(),
      ask(via, done) {
        const deadlineMs = clock.now() + ASK_MS;
        members.submit(change, { origin: 'caller', deadlineMs, via }, done);
      },
      taken: added,
      abandoned: (reason) => fatal(11, reason),
    });
  }
  if (join === undefined) return undefined;
  peers.joining([]);
  return new Joining({ self, join, clock, log, added });
}

/** Of one request to one member, which may have to wait for a majority. */
const ASK_MS = 3000;
