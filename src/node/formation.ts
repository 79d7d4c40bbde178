// The first boot of a cluster (docs/adr/0006). No node forms one by default or alone: every listed member is
// reached and empty, all of them compute the same first record, and each writes it only once every other has named it.
//
// Why a formed record may be taken over from a peer: it was written because every member in it, this node in this very
// incarnation included, had proposed it; and whoever has written one never proposes another.
import type { NodeId } from '../lib/ids.ts';
import { clusterRecordOf } from './cluster-record.ts';
import type { ClusterRecord, FormationFrame, Hello, MemberIdentity } from './peer-protocol.ts';

export interface Formation {
  /** A stream to the peer is open. A peer with another incarnation than before is another node. */
  connected(hello: Hello): void;
  broken(peer: NodeId): void;
  heard(from: NodeId, frame: FormationFrame): void;
  /** What to tell every peer, at each change and from time to time. */
  frame(): FormationFrame;
  /** The record to write now; undefined while some member has not agreed. */
  record(): ClusterRecord | undefined;
  /** What is awaited, in plain words. */
  problem(): string;
}

export interface FormationOptions {
  readonly self: MemberIdentity;
  readonly clusterId: string;
  readonly listed: readonly NodeId[];
}

export function createFormation(options: FormationOptions): Formation {
  const { self, clusterId } = options;
  const others = options.listed.filter((peer) => peer !== self.nodeId).toSorted();
  const reached = new Map<NodeId, Hello>();
  const told = new Map<NodeId, FormationFrame>();

  const members = (): readonly MemberIdentity[] => [self, ...reached.values()];
  const empties = (): number =>
    [...reached.values()].filter((hello) => hello.clusterUuid === '').length;
  const proposal = (): ClusterRecord | undefined =>
    empties() === others.length ? clusterRecordOf(clusterId, members()) : undefined;

  const formedElsewhere = (): ClusterRecord | undefined => {
    for (const frame of told.values()) {
      if (!frame.formed) continue;
      const record = clusterRecordOf(clusterId, frame.known);
      const own = record.members.find((member) => member.nodeId === self.nodeId);
      const genuine = record.clusterUuid === frame.proposedUuid;
      if (genuine && own?.incarnation === self.incarnation) return record;
    }
    return undefined;
  };

  return {
    connected(hello) {
      if (reached.get(hello.nodeId)?.incarnation !== hello.incarnation) told.delete(hello.nodeId);
      reached.set(hello.nodeId, hello);
    },
    broken(peer) {
      reached.delete(peer);
    },
    heard(from, frame) {
      if (others.includes(from)) told.set(from, frame);
    },
    frame: () => ({
      kind: 'formation',
      known: members(),
      proposedUuid: proposal()?.clusterUuid ?? '',
      formed: false,
    }),
    record() {
      const elsewhere = formedElsewhere();
      if (elsewhere !== undefined) return elsewhere;
      const own = proposal();
      if (own === undefined) return undefined;
      const agreed = others.every((peer) => told.get(peer)?.proposedUuid === own.clusterUuid);
      return agreed ? own : undefined;
    },
    problem() {
      const old = others.filter((peer) => (reached.get(peer)?.clusterUuid ?? '') !== '');
      if (old.length > 0) {
        const belong = old.length === 1 ? 'belongs' : 'belong';
        return `the cluster has not formed here: ${enumerate(old)} already ${belong} to one. Where this node is to be added to that, start it with --join`;
      }
      const missing = others.filter((peer) => !reached.has(peer));
      if (missing.length > 0) {
        return `the cluster has not formed: waiting for ${enumerate(missing)} to be reached`;
      }
      const uuid = proposal()?.clusterUuid;
      const silent = others.filter((peer) => told.get(peer)?.proposedUuid !== uuid);
      return `the cluster has not formed: waiting for ${enumerate(silent)} to reach every member`;
    },
  };
}

/** `n1`, `n1 and n2`, `n1, n2 and n3`. */
function enumerate(names: readonly string[]): string {
  const last = names.at(-1) ?? 'nobody';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}
