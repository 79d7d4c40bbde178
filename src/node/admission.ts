// Who may talk to this node: the decision on a peer's hello, in both directions. Every refusal is one plain sentence
// that says what to do.
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';
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
  /** The configurations that count here, newest first (roster.ts); empty while this node has learnt of no cluster. */
  readonly records: readonly ClusterRecord[];
  /** Index of the newest of them; 0 without one. */
  readonly configurationIndex: LogIndex;
  /** Of the last entry of this node's log. */
  readonly lastTerm: Term;
  /** Not undefined while this node asks to be taken into a cluster. */
  readonly joining: Joining | undefined;
}

/** What a node that joins knows of the cluster before its log says anything. */
export interface Joining {
  /** As the answer to its request named them. */
  readonly members: readonly MemberIdentity[];
  /** Of the first of them that was met; '' before. */
  readonly clusterUuid: string;
}

/** undefined admits the sender. */
export function admission(hello: Hello, rules: AdmissionRules): Refusal | undefined {
  const { self, clusterId, records, joining } = rules;
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
  const [record] = records;
  if (record !== undefined) return memberAdmission(hello, rules, record);
  if (joining !== undefined) return joinerAdmission(hello, self, joining);
  if (rules.listed.includes(hello.nodeId)) return undefined;
  return {
    reason: 'notAMember',
    message: `${hello.nodeId} is not among the --initial-members of ${self.nodeId}: list the same members on every node`,
  };
}

/** Whose log is more up to date (section 5.4.1) may name members that this node has yet to hear of. An index alone says
 * nothing: a configuration that was never committed may have a higher one than those that took its place. Where the last terms
 * are equal one log begins with the other, so that the higher index is the newer configuration. */
export function knowsMore(
  hello: Hello,
  own: Pick<AdmissionRules, 'configurationIndex' | 'lastTerm'>,
): boolean {
  if (hello.clusterUuid === '') return false;
  if (hello.lastTerm !== own.lastTerm) return hello.lastTerm > own.lastTerm;
  return hello.configurationIndex > own.configurationIndex;
}

/** Its log is lost, and it asks for its place (docs/adr/0018); or it has been given the place, and is no member yet. It is let in to say
 * so; on consensus it is not heard. */
export function mayReturn(hello: Hello, records: readonly ClusterRecord[]): boolean {
  const { nodeId, incarnation, replaces = [] } = hello;
  return records.some(
    ({ members, replacing = [] }) =>
      members.some((member) => member.nodeId === nodeId && replaces.includes(member.incarnation)) ||
      replacing.some(
        ({ member }) =>
          member.nodeId === nodeId && [incarnation, ...replaces].includes(member.incarnation),
      ),
  );
}

function joinerAdmission(
  hello: Hello,
  self: MemberIdentity,
  { members, clusterUuid }: Joining,
): Refusal | undefined {
  if (clusterUuid !== '' && hello.clusterUuid !== '' && hello.clusterUuid !== clusterUuid) {
    const [theirs, ours] = [brief(hello.clusterUuid), brief(clusterUuid)];
    return {
      reason: 'otherCluster',
      message: `${hello.nodeId} belongs to a cluster with the uuid ${theirs}, and ${self.nodeId} looks for its place in the one with the uuid ${ours}: ${NEW_EPOCH}`,
    };
  }
  const named = members.some((member) => same(member, hello));
  const known = clusterUuid === '' ? named : hello.clusterUuid === clusterUuid;
  if (known && hello.clusterUuid !== '') return undefined;
  return {
    reason: 'notAMember',
    message: `${self.nodeId} is joining and has not heard of ${hello.nodeId} from the cluster yet: it is tried again`,
  };
}

function memberAdmission(
  hello: Hello,
  rules: AdmissionRules,
  record: ClusterRecord,
): Refusal | undefined {
  const { self, records } = rules;
  if (hello.clusterUuid !== '' && hello.clusterUuid !== record.clusterUuid) {
    const [theirs, ours] = [brief(hello.clusterUuid), brief(record.clusterUuid)];
    return {
      reason: 'otherCluster',
      message: `${self.nodeId} (uuid ${ours}) and ${hello.nodeId} (uuid ${theirs}) hold data of two different clusters named "${record.clusterId}": check the peer addresses and data directories; ${NEW_EPOCH}`,
    };
  }
  if (records.some(({ members }) => members.some((member) => same(member, hello)))) {
    return undefined;
  }
  if (knowsMore(hello, rules) || mayReturn(hello, records)) return undefined;
  const namesake = record.members.find(({ nodeId }) => nodeId === hello.nodeId);
  // Announced by an operator: whoever comes first under this name, with an empty disk, is meant; but for one that returns by itself
  // into a place which that operator has taken from it.
  const isNew = hello.clusterUuid === '' && hello.replaces === undefined;
  if (namesake?.incarnation === '' && isNew) return undefined;
  return strange(hello, record, namesake);
}

function strange(
  hello: Hello,
  record: ClusterRecord,
  namesake: MemberIdentity | undefined,
): Refusal {
  const { nodeId } = hello;
  const cluster = `cluster "${record.clusterId}" (uuid ${brief(record.clusterUuid)})`;
  if (namesake !== undefined && namesake.incarnation !== '') {
    return {
      reason: 'otherIncarnation',
      message: `${nodeId} is a member of ${cluster} with another data directory (incarnation ${brief(namesake.incarnation)}, not ${brief(hello.incarnation)}): start it with its old data directory; if that is lost it cannot vote under the old name: remove the member (rollcall member remove ${nodeId}) and start it with an empty data directory and --join`,
    };
  }
  if (hello.clusterUuid !== '') {
    return {
      reason: 'removed',
      message: `${nodeId} was removed from ${cluster}: to return, start it with an empty data directory and --join`,
    };
  }
  return {
    reason: 'notAMember',
    message: `${nodeId} is not a member of ${cluster}: start it with an empty data directory and --join`,
  };
}

function same(member: MemberIdentity, hello: Hello): boolean {
  return member.nodeId === hello.nodeId && member.incarnation === hello.incarnation;
}

/** Enough of an incarnation or a uuid to tell two apart. */
export function brief(hex: string): string {
  return hex.slice(0, 8);
}

/** What to do where a cluster was made anew (docs/adr/0017) and a node still looks for the former one. */
export const NEW_EPOCH =
  'if one of them was made by rollcall snapshot restore or recover since, a node that is to belong to it starts with an empty data directory and --join';
