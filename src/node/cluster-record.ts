// The first record of every log: who the cluster is. Equal bytes on every node, because its parts are sorted and its
// uuid is a digest of them; so "the same uuid" means "the same members in the same incarnations".
import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import { assert } from '../lib/assert.ts';
import { nodeId } from '../lib/ids.ts';
import type { ClusterRecord, MemberIdentity } from './peer-protocol.ts';

// Positional arrays of strings only: no records, no shared structures, so the bytes depend on the content alone.
const packr = new Packr({ useRecords: false, moreTypes: false, copyBuffers: true });
const FORMAT = 1;

function memberRow(member: MemberIdentity): readonly string[] {
  return [member.nodeId, member.incarnation, member.peerAddress, member.clientAddress];
}

/** The record these members would write, whatever order they are given in. */
export function clusterRecordOf(
  clusterId: string,
  members: readonly MemberIdentity[],
): ClusterRecord {
  const sorted = members.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const digest = createHash('sha256')
    .update(JSON.stringify([FORMAT, clusterId, sorted.map(memberRow)]))
    .digest('hex');
  return {
    clusterId,
    clusterUuid: digest.slice(0, 32),
    members: sorted.map(({ nodeId: id, incarnation, peerAddress, clientAddress }) => ({
      nodeId: id,
      incarnation,
      peerAddress,
      clientAddress,
    })),
  };
}

export function encodeClusterRecord(record: ClusterRecord): Uint8Array {
  return Uint8Array.from(
    packr.pack([FORMAT, record.clusterId, record.clusterUuid, record.members.map(memberRow)]),
  );
}

/** Throws InvariantError for bytes that are no cluster record or whose uuid is not the digest of its content. */
export function decodeClusterRecord(bytes: Uint8Array): ClusterRecord {
  const row: unknown = packr.unpack(bytes);
  assert(Array.isArray(row) && row[0] === FORMAT, 'the first entry is a cluster record');
  const [, clusterId, clusterUuid, rows] = row as readonly unknown[];
  assert(typeof clusterId === 'string' && Array.isArray(rows), 'a cluster record has its parts');
  const members = rows.map((member: unknown): MemberIdentity => {
    assert(Array.isArray(member) && member.length >= 4, 'a member has its four parts');
    const [id, incarnation, peerAddress, clientAddress] = member.map(String);
    assert(id !== undefined && incarnation !== undefined, 'a member has a name');
    assert(peerAddress !== undefined && clientAddress !== undefined, 'a member has addresses');
    return { nodeId: nodeId(id), incarnation, peerAddress, clientAddress };
  });
  const record = clusterRecordOf(clusterId, members);
  assert(record.clusterUuid === clusterUuid, 'the cluster uuid is the digest of the record');
  return record;
}
