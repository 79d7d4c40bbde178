// This node as it is now, for Cluster.Status and the doors; never forwarded.
import type { NodeLife } from './node-life.ts';
import type { NodeStatus } from './registry-node.ts';

export function nodeStatus(life: NodeLife): NodeStatus {
  const { options, parts, applied, record, health, peers, disk } = life;
  const view = life.engine?.view;
  const { image } = options.logStore;
  const { revision, hash } = parts.registry.meta();
  return {
    clusterId: options.clusterId,
    clusterUuid: record?.clusterUuid ?? '',
    nodeId: options.self.nodeId,
    role: view?.role ?? 'follower',
    term: view?.term ?? image.hardState.term,
    leaderId: view?.leader ?? '',
    lastIndex: view?.lastIndex ?? image.lastIndex,
    commitIndex: view?.commitIndex ?? applied.index,
    appliedIndex: applied.index,
    revision,
    stateHash: hash,
    stateHashIndex: applied.index,
    members: peers.members(),
    learner: view?.membership.learners.includes(options.self.nodeId) ?? false,
    firstIndex: view?.firstIndex ?? image.floor.index + 1,
    logBytes: disk.logBytes,
    stateBytes: disk.stateBytes,
    diskFreeBytes: parts.reserve.freeBytes ?? 0,
    scrubbedRecords: parts.stateScrub.records,
    scrubbedAtMs: parts.stateScrub.scrubbedAtMs,
    instances: parts.registry.instanceCount,
    watches: parts.hub.count,
    problems: life.problems(),
    caughtUp: health.caughtUp,
    stopping: health.stopping,
  };
}
