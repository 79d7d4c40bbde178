// What a change of the members comes to, given who is a member now: nothing to do, another record, or a refusal that says
// what stands against it. Pure.
import type { ErrorCode } from '../lib/registry-error.ts';
import { withMembers } from './cluster-record.ts';
import type { ClusterRecord, Member, MemberChange } from './peer-protocol.ts';

export type MemberPlan =
  | { readonly kind: 'done' }
  | { readonly kind: 'propose'; readonly record: ClusterRecord }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

/** Members of one cluster, learners included. */
const MAX_MEMBERS = 32;
const DONE: MemberPlan = { kind: 'done' };

/** For every change but a transfer, which changes no record. */
export function planChange(
  record: ClusterRecord,
  change: Exclude<MemberChange, { readonly kind: 'transfer' }>,
): MemberPlan {
  switch (change.kind) {
    case 'add':
      return planAdd(record, change.member);
    case 'promote':
      return planPromote(record, change.nodeId);
    case 'remove':
      return planRemove(record, change.nodeId);
  }
}

function planAdd(record: ClusterRecord, member: Member): MemberPlan {
  const { nodeId, incarnation, peerAddress, clientAddress } = member;
  const namesake = record.members.find((known) => known.nodeId === nodeId);
  if (namesake === undefined) return planNewcomer(record, { ...member, learner: true });
  const same = namesake.incarnation === incarnation;
  if (!same && namesake.incarnation !== '') {
    return refused(
      'alreadyExists',
      `${nodeId} is a member already, with another data directory (incarnation ${namesake.incarnation.slice(0, 8)}): remove it first, or choose another name`,
    );
  }
  const moved = namesake.peerAddress !== peerAddress || namesake.clientAddress !== clientAddress;
  if (same && !moved) return DONE;
  // The one that was announced has come, or a member tells where it is now: who votes stays as it is.
  return propose(record, { ...member, learner: namesake.learner });
}

function planNewcomer(record: ClusterRecord, member: Member): MemberPlan {
  const neighbour = record.members.find((known) => known.peerAddress === member.peerAddress);
  if (neighbour !== undefined) {
    return refused(
      'alreadyExists',
      `the peer address ${member.peerAddress} is that of ${neighbour.nodeId}: remove that member first, or give another address`,
    );
  }
  if (record.members.length >= MAX_MEMBERS) {
    return refused('failedPrecondition', `members of a cluster, limit ${MAX_MEMBERS}`);
  }
  return propose(record, member);
}

function planPromote(record: ClusterRecord, nodeId: string): MemberPlan {
  const member = record.members.find((known) => known.nodeId === nodeId);
  if (member === undefined) return unknown(nodeId);
  if (!member.learner) return DONE;
  if (member.incarnation === '') {
    return refused(
      'failedPrecondition',
      `${nodeId} was announced and has not come yet: start it with --join, then promote it`,
    );
  }
  return propose(record, { ...member, learner: false });
}

function planRemove(record: ClusterRecord, nodeId: string): MemberPlan {
  const member = record.members.find((known) => known.nodeId === nodeId);
  if (member === undefined) return unknown(nodeId);
  const remaining = record.members.filter((known) => known !== member);
  if (!remaining.some(({ learner }) => !learner)) {
    return refused(
      'failedPrecondition',
      `${nodeId} is the only member with a vote: promote another one first`,
    );
  }
  return { kind: 'propose', record: withMembers(record, remaining) };
}

function propose(record: ClusterRecord, member: Member): MemberPlan {
  const others = record.members.filter(({ nodeId }) => nodeId !== member.nodeId);
  return { kind: 'propose', record: withMembers(record, [...others, member]) };
}

function unknown(nodeId: string): MemberPlan {
  return refused('notFound', `${nodeId} is not a member of the cluster`);
}

function refused(code: ErrorCode, message: string): MemberPlan {
  return { kind: 'refused', code, message };
}
