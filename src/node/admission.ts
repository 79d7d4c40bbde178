// Who may talk to this node: the decision on a peer's hello, in both directions. Every refusal is one plain sentence
// that says what to do.
import type { NodeId } from '../lib/ids.ts';
import {
  type ClusterRecord,
  type Hello,
  type MemberIdentity,
  PROTOCOL_VERSION,
  type Refusal,
} from './peer-protocol.ts';

export interface AdmissionRules {
  readonly self: MemberIdentity;
  readonly clusterId: string;
  /** The nodes of --initial-members: who may talk while there is no cluster yet. */
  readonly listed: readonly NodeId[];
  /** undefined while the cluster has not formed here. */
  readonly record: ClusterRecord | undefined;
}

/** undefined admits the sender. */
export function admission(hello: Hello, rules: AdmissionRules): Refusal | undefined {
  const { self, clusterId, record } = rules;
  if (hello.protocolVersion !== PROTOCOL_VERSION) {
    return {
      reason: 'protocolVersion',
      message: `${self.nodeId} speaks peer protocol ${PROTOCOL_VERSION} and ${hello.nodeId} speaks ${hello.protocolVersion}: run the same version of rollcall on both`,
    };
  }
  if (hello.clusterId !== clusterId) {
    return {
      reason: 'otherCluster',
      message: `${self.nodeId} belongs to cluster "${clusterId}" and ${hello.nodeId} to "${hello.clusterId}": check --cluster-id and the peer addresses`,
    };
  }
  if (hello.target !== self.nodeId || hello.nodeId === self.nodeId) {
    return {
      reason: 'wrongTarget',
      message: `this is ${self.nodeId}, and ${hello.nodeId} looks for ${hello.target}: check the addresses in --initial-members`,
    };
  }
  if (record !== undefined) return memberAdmission(hello, self, record);
  if (rules.listed.includes(hello.nodeId)) return undefined;
  return {
    reason: 'notAMember',
    message: `${hello.nodeId} is not among the --initial-members of ${self.nodeId}: list the same members on every node`,
  };
}

function memberAdmission(
  hello: Hello,
  self: MemberIdentity,
  record: ClusterRecord,
): Refusal | undefined {
  if (hello.clusterUuid !== '' && hello.clusterUuid !== record.clusterUuid) {
    return {
      reason: 'otherCluster',
      message: `${self.nodeId} and ${hello.nodeId} hold data of two different clusters named "${record.clusterId}": check the peer addresses, or start ${hello.nodeId} with the data directory of this cluster`,
    };
  }
  const member = record.members.find((candidate) => candidate.nodeId === hello.nodeId);
  if (member === undefined) {
    return {
      reason: 'notAMember',
      message: `${hello.nodeId} is not a member of cluster "${record.clusterId}": members are fixed when the cluster forms, and adding one comes with a later version`,
    };
  }
  if (member.incarnation === hello.incarnation) return undefined;
  return {
    reason: 'otherIncarnation',
    message: `${hello.nodeId} is a member of cluster "${record.clusterId}" with another data directory (incarnation ${member.incarnation.slice(0, 8)}, not ${hello.incarnation.slice(0, 8)}): start it with its old data directory; a lost one cannot vote under the old name, it has to be removed and to join again, which a later version brings`,
  };
}
