// Compares the state hashes that all nodes report at the same indexes (G12). A node that differs from a majority which
// agrees is wrong, whoever it is; where no majority agrees, nobody can say who is.
import type { LogIndex, NodeId } from '../lib/ids.ts';
import type { ClusterRecord } from './peer-protocol.ts';

export type HashVerdict =
  | { readonly kind: 'nothing' }
  /** A peer's state differs, and this node's is not outvoted. */
  | { readonly kind: 'differs'; readonly index: LogIndex; readonly peers: readonly NodeId[] }
  /** A majority of the cluster agrees on another state than this node's. */
  | { readonly kind: 'outvoted'; readonly index: LogIndex; readonly peers: readonly NodeId[] };

export interface HashComparison {
  report(from: NodeId, index: LogIndex, hash: string): HashVerdict;
}

/** Nodes compare their state hashes at every multiple of this. */
export const HASH_INTERVAL = 1024;
/** Indexes beyond this node's own at most: a node that is further ahead is compared at later ones. So the newest ones remembered, however
 * absurd what members say, are never those of the future alone. */
const AHEAD = 64;
/** Indexes remembered, the newest ones: a node that lags further is compared at later ones. */
const REMEMBERED = 2 * AHEAD;
const NOTHING: HashVerdict = { kind: 'nothing' };

export interface HashComparisonHost {
  readonly self: NodeId;
  /** The configuration in effect. */
  readonly record: () => Pick<ClusterRecord, 'members'> | undefined;
  /** What this node has applied. */
  readonly appliedIndex: () => LogIndex;
}

/** All members are compared, learners too; a majority is one of those that vote now. */
export function createHashComparison({
  self,
  record,
  appliedIndex,
}: HashComparisonHost): HashComparison {
  const reports = new Map<LogIndex, Map<NodeId, string>>();

  const judge = (index: LogIndex, hashes: ReadonlyMap<NodeId, string>): HashVerdict => {
    const own = hashes.get(self);
    if (own === undefined) return NOTHING;
    const byHash = new Map<string, NodeId[]>();
    for (const [node, hash] of hashes) {
      if (hash !== own) byHash.set(hash, [...(byHash.get(hash) ?? []), node]);
    }
    const voters = new Set<NodeId>(
      (record()?.members ?? []).filter(({ learner }) => !learner).map(({ nodeId }) => nodeId),
    );
    for (const peers of byHash.values()) {
      const agreeing = peers.filter((peer) => voters.has(peer));
      if (agreeing.length > voters.size / 2) return { kind: 'outvoted', index, peers: agreeing };
    }
    const peers = [...byHash.values()].flat();
    return peers.length > 0 ? { kind: 'differs', index, peers } : NOTHING;
  };

  return {
    report(from, index, hash) {
      const known = record()?.members.some(({ nodeId }) => nodeId === from) === true;
      if (!known && from !== self) return NOTHING;
      if (index % HASH_INTERVAL !== 0 || index > appliedIndex() + AHEAD * HASH_INTERVAL) {
        return NOTHING;
      }
      const hashes = reports.get(index) ?? new Map<NodeId, string>();
      hashes.set(from, hash);
      reports.set(index, hashes);
      if (reports.size > REMEMBERED) reports.delete(Math.min(...reports.keys()) as LogIndex);
      return judge(index, hashes);
    },
  };
}
