// Positional arrays of members and of what is asked about them. Append-only; pinned by test/transport/golden.
import type { NodeId } from '../lib/ids.ts';
import {
  MAX_LOST,
  type Member,
  type MemberChange,
  type MemberIdentity,
  type MemberOutcome,
} from '../node/peer-protocol.ts';
import { errorCodes, failureFromFields } from './failure-wire.ts';
import { type Fields, fieldsOf, flagAt, listOf, nodeIdAt, numbering, textAt } from './fields.ts';
import { WireError } from './msgpack.ts';

const changes = numbering<MemberChange['kind']>({
  add: 0,
  promote: 1,
  remove: 2,
  transfer: 3,
  replace: 4,
});
const outcomes = numbering<MemberOutcome['kind']>({ done: 0, failed: 1 });

export const memberToArray = (member: MemberIdentity): readonly unknown[] => [
  member.nodeId,
  member.incarnation,
  member.peerAddress,
  member.clientAddress,
];

/** Reads the four fields of a member that start at `position`. */
export const memberAt = (fields: Fields, position: number, what: string): MemberIdentity => ({
  nodeId: nodeIdAt(fields, position, `${what}.nodeId`),
  incarnation: textAt(fields, position + 1, `${what}.incarnation`),
  peerAddress: textAt(fields, position + 2, `${what}.peerAddress`),
  clientAddress: textAt(fields, position + 3, `${what}.clientAddress`),
});

const rowOf = (member: Member): readonly unknown[] => [...memberToArray(member), member.learner];

function memberOf(value: unknown): Member {
  const fields = fieldsOf(value, 5, 'member');
  return { ...memberAt(fields, 0, 'member'), learner: flagAt(fields, 4, 'member.learner') };
}

export function memberChangeToArray(change: MemberChange): readonly unknown[] {
  const number = changes.numberOf(change.kind);
  switch (change.kind) {
    case 'add':
      return [number, rowOf(change.member)];
    case 'promote':
    case 'remove':
    case 'transfer':
      return [number, change.nodeId];
    case 'replace':
      return [number, [...memberToArray(change.member), change.lost]];
  }
}

export function memberChangeFromFields(fields: Fields): MemberChange {
  const kind = changes.nameAt(fieldsOf(fields, 2, 'change'), 0, 'change kind');
  switch (kind) {
    case 'add':
      return { kind, member: memberOf(fields[1]) };
    case 'promote':
    case 'remove':
      return { kind, nodeId: nodeIdAt(fields, 1, `${kind}.nodeId`) };
    case 'transfer':
      return { kind, nodeId: textAt(fields, 1, `${kind}.nodeId`) as NodeId | '' };
    case 'replace': {
      const place = fieldsOf(fields[1], 5, kind);
      return { kind, member: memberAt(place, 0, kind), lost: lostAt(place, 4, `${kind}.lost`) };
    }
  }
}

/** Incarnations that a node says it has lost. */
export function lostAt(fields: Fields, position: number, what: string): readonly string[] {
  const lost = listOf(fields[position], what);
  if (lost.length > MAX_LOST) throw new WireError(`${what}: ${lost.length}, limit ${MAX_LOST}`);
  return lost.map((_, at) => textAt(lost, at, what));
}

export function memberOutcomeToArray(outcome: MemberOutcome): readonly unknown[] {
  const number = outcomes.numberOf(outcome.kind);
  switch (outcome.kind) {
    case 'done':
      return [number, outcome.members.map(rowOf)];
    case 'failed':
      return [number, errorCodes.numberOf(outcome.code), outcome.message];
  }
}

export function memberOutcomeFromFields(fields: Fields): MemberOutcome {
  const kind = outcomes.nameAt(fields, 0, 'outcome kind');
  switch (kind) {
    case 'done':
      return {
        kind,
        members: listOf(fieldsOf(fields, 2, kind)[1], `${kind}.members`).map(memberOf),
      };
    case 'failed':
      return failureFromFields(fields);
  }
}
