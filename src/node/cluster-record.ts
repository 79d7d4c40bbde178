// Who the cluster is, as bytes in the log. The first record is equal on every node, because its parts are sorted and its
// uuid is a digest of them; so "the same uuid" means "the same members in the same incarnations". Records of later
// membership entries keep that uuid and say who votes.
import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import { assert } from '../lib/assert.ts';
import { checkShape } from '../lib/msgpack-shape.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { type NodeId, nodeId } from '../lib/ids.ts';
import type { Membership } from '../raft/index.ts';
import type { ClusterRecord, Member, MemberIdentity, Replacing } from './peer-protocol.ts';

// Positional arrays of strings only: no records, no shared structures, so the bytes depend on the content alone.
const packr = new Packr({ useRecords: false, moreTypes: false, copyBuffers: true });
/** The record that forms a cluster: all of its members vote. */
const FIRST = 1;
/** The record of a membership entry. */
const CHANGED = 2;
const LEARNER = 'learner';
const VOTER = 'voter';

function memberRow(member: MemberIdentity): readonly string[] {
  return [member.nodeId, member.incarnation, member.peerAddress, member.clientAddress];
}

/** The record these members would form a cluster with, whatever order they are given in. */
export function clusterRecordOf(
  clusterId: string,
  members: readonly MemberIdentity[],
): ClusterRecord {
  const sorted = sortedById(members);
  const digest = createHash('sha256')
    .update(JSON.stringify([FIRST, clusterId, sorted.map(memberRow)]))
    .digest('hex');
  return {
    clusterId,
    clusterUuid: digest.slice(0, 32),
    members: sorted.map(({ nodeId: id, incarnation, peerAddress, clientAddress }) => ({
      nodeId: id,
      incarnation,
      peerAddress,
      clientAddress,
      learner: false,
    })),
  };
}

/** The same cluster with other members. */
export function withMembers(record: ClusterRecord, members: readonly Member[]): ClusterRecord {
  return { ...record, members: sortedById(members) };
}

/** The same cluster with other members on their way back. */
export function withReplacing(
  { clusterId, clusterUuid, members }: ClusterRecord,
  replacing: readonly Replacing[],
): ClusterRecord {
  const record = { clusterId, clusterUuid, members };
  if (replacing.length === 0) return record;
  const sorted = replacing.toSorted((a, b) => (a.member.nodeId < b.member.nodeId ? -1 : 1));
  return { ...record, replacing: sorted };
}

/** The payload of the entry that forms a cluster. */
export function encodeClusterRecord(record: ClusterRecord): Uint8Array {
  return Uint8Array.from(
    packr.pack([FIRST, record.clusterId, record.clusterUuid, record.members.map(memberRow)]),
  );
}

/** The payload of a membership entry. */
export function encodeMembership(record: ClusterRecord): Uint8Array {
  const rows = record.members.map((member) => [
    ...memberRow(member),
    member.learner ? LEARNER : VOTER,
  ]);
  const base = [CHANGED, record.clusterId, record.clusterUuid, rows];
  if (record.replacing === undefined) return Uint8Array.from(packr.pack(base));
  // Versions before take the first four parts and leave this one.
  return Uint8Array.from(packr.pack([...base, record.replacing.map(replacingRow)]));
}

function replacingRow({ member, lost, voter }: Replacing): readonly string[] {
  return [...memberRow(member), voter ? VOTER : LEARNER, lost];
}

/** Throws UnknownFormatError for a record of a later version, InvariantError for bytes that are no cluster record, or that are a first
 * one whose uuid is not its digest. */
export function decodeClusterRecord(bytes: Uint8Array): ClusterRecord {
  const row = unpacked(bytes);
  assert(Array.isArray(row) && Number.isSafeInteger(row[0]), 'the entry holds a cluster record');
  const [format, clusterId, clusterUuid, rows, replaced = []] = row as readonly unknown[];
  if (format !== FIRST && format !== CHANGED) {
    const found = `cluster record format ${String(format)}`;
    throw new UnknownFormatError('an entry of the log', found, `formats ${FIRST} and ${CHANGED}`);
  }
  assert(typeof clusterId === 'string' && Array.isArray(rows), 'a cluster record has its parts');
  assert(typeof clusterUuid === 'string', 'a cluster record has a uuid');
  if (format === FIRST) {
    const record = clusterRecordOf(
      clusterId,
      rows.map((member: unknown) => memberOf(member, 4)),
    );
    assert(record.clusterUuid === clusterUuid, 'the cluster uuid is the digest of the record');
    return record;
  }
  assert(Array.isArray(replaced), 'members on their way back are a list');
  const members = rows.map((member: unknown) => memberOf(member, 5));
  return withReplacing({ clusterId, clusterUuid, members }, replaced.map(replacingOf));
}

function replacingOf(row: unknown): Replacing {
  const { learner, ...member } = memberOf(row, 6);
  const lost: unknown = Array.isArray(row) ? row[5] : undefined;
  assert(typeof lost === 'string', 'a member on its way back had an incarnation');
  return { member, lost, voter: !learner };
}

function unpacked(bytes: Uint8Array): unknown {
  try {
    checkShape(bytes);
    return packr.unpack(bytes);
  } catch {
    return undefined;
  }
}

/** Who votes and who only follows under a configuration: what consensus on the node `self` has to know of it. Consensus knows
 * nodes by name alone, so a former data-dir of this node, of which an old configuration tells, gets a name that nobody has:
 * a node that took it for itself might lead on votes that were never its own (G14). */
export function membershipOf(
  payload: Uint8Array,
  self: Pick<MemberIdentity, 'nodeId' | 'incarnation'>,
): Membership {
  const { members } = decodeClusterRecord(payload);
  const nameOf = ({ nodeId: id, incarnation }: Member): NodeId =>
    id === self.nodeId && incarnation !== self.incarnation ? nodeId(`${id} before`) : id;
  const names = (learner: boolean): readonly NodeId[] =>
    members
      .filter((member) => member.learner === learner)
      .map(nameOf)
      .toSorted();
  return { voters: names(false), learners: names(true) };
}

function memberOf(row: unknown, parts: number): Member {
  assert(Array.isArray(row) && row.length >= parts, `a member has its ${parts} parts`);
  const [id, incarnation, peerAddress, clientAddress, standing = VOTER] = row.map(String);
  assert(id !== undefined && incarnation !== undefined, 'a member has a name');
  assert(peerAddress !== undefined && clientAddress !== undefined, 'a member has addresses');
  assert(standing === LEARNER || standing === VOTER, 'a member votes or learns');
  const learner = standing === LEARNER;
  return { nodeId: nodeId(id), incarnation, peerAddress, clientAddress, learner };
}

function sortedById<T extends MemberIdentity>(members: readonly T[]): readonly T[] {
  return members.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}
