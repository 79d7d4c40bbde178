// What a change of the members comes to, given who is a member now: nothing to do, another record, or a refusal that says
// what stands against it. Pure.
import type { ErrorCode } from '../lib/registry-error.ts';
import { withMembers, withReplacing } from './cluster-record.ts';
import type {
  ClusterRecord,
  Member,
  MemberChange,
  MemberIdentity,
  Replacing,
} from './peer-protocol.ts';

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
    case 'replace':
      return planReplace(record, change.member, change.lost);
  }
}

/** The next step of a member that is on its way back: added as a learner, then given its vote. */
export function planReturn(record: ClusterRecord, { member }: Replacing): MemberPlan {
  return record.members.some(({ nodeId }) => nodeId === member.nodeId)
    ? planPromote(record, member.nodeId)
    : planAdd(record, { ...member, learner: true });
}

function planAdd(record: ClusterRecord, member: Member): MemberPlan {
  const { nodeId, incarnation, peerAddress, clientAddress } = member;
  const namesake = record.members.find((known) => known.nodeId === nodeId);
  if (namesake === undefined) return planNewcomer(record, { ...member, learner: true });
  const same = namesake.incarnation === incarnation;
  if (!same && namesake.incarnation !== '') {
    return refused('alreadyExists', strangerOf(namesake));
  }
  const moved = namesake.peerAddress !== peerAddress || namesake.clientAddress !== clientAddress;
  if (same && !moved) return DONE;
  // The one that was announced has come, or a member tells where it is now: who votes stays as it is.
  return propose(record, { ...member, learner: namesake.learner });
}

function planNewcomer(record: ClusterRecord, member: Member): MemberPlan {
  const returning = returningAs(record, member.nodeId);
  if (returning !== undefined && returning.member.incarnation !== member.incarnation) {
    return refused('alreadyExists', strangerOf(returning.member));
  }
  const others = othersIn(record, member.nodeId);
  const taken = addressTaken(others, member);
  if (taken !== undefined) return taken;
  const names = new Set<string>(others.map(({ nodeId }) => nodeId));
  if (names.size >= MAX_MEMBERS) {
    return refused('failedPrecondition', `members of a cluster, limit ${MAX_MEMBERS}`);
  }
  // A learner is back where it was.
  return propose(returning?.voter === false ? settled(record, member.nodeId) : record, member);
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
  return propose(settled(record, nodeId), { ...member, learner: false });
}

function planRemove(record: ClusterRecord, nodeId: string): MemberPlan {
  const member = record.members.find((known) => known.nodeId === nodeId);
  const rest = settled(record, nodeId);
  if (member === undefined) {
    // It was on its way back, and is not to come.
    if (returningAs(record, nodeId) !== undefined) return { kind: 'propose', record: rest };
    return unknown(nodeId);
  }
  const remaining = record.members.filter((known) => known !== member);
  if (!remaining.some(({ learner }) => !learner)) return lastVote(nodeId);
  return { kind: 'propose', record: withMembers(rest, remaining) };
}

/** Removes the data-dir that is lost, and notes who comes in its place. Only one that this very node had may be removed so: an operator
 * may have given the name to another machine meanwhile, or taken it out for good. */
function planReplace(
  record: ClusterRecord,
  { nodeId, incarnation, peerAddress, clientAddress }: MemberIdentity,
  lost: readonly string[],
): MemberPlan {
  const member = { nodeId, incarnation, peerAddress, clientAddress };
  const seat = record.members.find((known) => known.nodeId === nodeId);
  const returning = returningAs(record, nodeId);
  if (seat?.incarnation === incarnation) return DONE;
  if (seat !== undefined) {
    if (!lost.includes(seat.incarnation)) return refused('alreadyExists', strangerOf(seat));
    const remaining = record.members.filter((known) => known !== seat);
    if (!remaining.some(({ learner }) => !learner)) return lastVote(nodeId);
    const taken = addressTaken(othersIn(record, nodeId), member);
    if (taken !== undefined) return taken;
    const voter = !seat.learner || returning?.voter === true;
    const next = { member, lost: seat.incarnation, voter };
    return { kind: 'propose', record: withMembers(returnsAs(record, next), remaining) };
  }
  if (returning === undefined) {
    return refused(
      'notFound',
      `${nodeId} was removed from the cluster: to return, start it with an empty data directory and --join`,
    );
  }
  if (returning.member.incarnation === incarnation) return DONE;
  if (!lost.includes(returning.member.incarnation)) {
    return refused('alreadyExists', strangerOf(returning.member));
  }
  // The one that was to come has lost its log as well.
  return { kind: 'propose', record: returnsAs(record, { ...returning, member }) };
}

function propose(record: ClusterRecord, member: Member): MemberPlan {
  const others = record.members.filter(({ nodeId }) => nodeId !== member.nodeId);
  return { kind: 'propose', record: withMembers(record, [...others, member]) };
}

/** Members, and those on their way back, but for one. */
function othersIn({ members, replacing = [] }: ClusterRecord, nodeId: string) {
  const all = [...members, ...replacing.map(({ member }) => member)];
  return all.filter((one) => one.nodeId !== nodeId);
}

function addressTaken(
  others: readonly MemberIdentity[],
  { peerAddress }: MemberIdentity,
): MemberPlan | undefined {
  const neighbour = others.find((known) => known.peerAddress === peerAddress);
  if (neighbour === undefined) return undefined;
  return refused(
    'alreadyExists',
    `the peer address ${peerAddress} is that of ${neighbour.nodeId}: remove that member first, or give another address`,
  );
}

function returningAs(record: ClusterRecord, nodeId: string): Replacing | undefined {
  return record.replacing?.find(({ member }) => member.nodeId === nodeId);
}

/** Without a note of the node being on its way back. */
function settled(record: ClusterRecord, nodeId: string): ClusterRecord {
  const others = (record.replacing ?? []).filter(({ member }) => member.nodeId !== nodeId);
  return withReplacing(record, others);
}

function returnsAs(record: ClusterRecord, next: Replacing): ClusterRecord {
  const others = settled(record, next.member.nodeId).replacing ?? [];
  return withReplacing(record, [...others, next]);
}

const strangerOf = ({ nodeId, incarnation }: MemberIdentity): string =>
  `${nodeId} is a member already, with another data directory (incarnation ${incarnation.slice(0, 8)}): remove it first, or choose another name`;

function lastVote(nodeId: string): MemberPlan {
  const message = `${nodeId} is the only member with a vote: promote another one first`;
  return refused('failedPrecondition', message);
}

function unknown(nodeId: string): MemberPlan {
  return refused('notFound', `${nodeId} is not a member of the cluster`);
}

function refused(code: ErrorCode, message: string): MemberPlan {
  return { kind: 'refused', code, message };
}
