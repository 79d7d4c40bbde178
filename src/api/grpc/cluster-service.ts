// The Cluster service: Status is this node's own view; changes go to the node, which passes them on to the leader. They are
// taken from this host only, unless the operator opened the door, or announced the very node that asks to join.
import type { handleUnaryCall } from '@grpc/grpc-js';
import type { Member, MemberChange } from '../../node/peer-protocol.ts';
import { parseAddMember, parseMemberId } from '../rules-cluster.ts';
import { backupHandler } from './backup-service.ts';
import { type Caller, type Door, unary } from './call.ts';
import { decodeAddMember, decodeMemberId } from './decode.ts';
import { encodeMembersResponse, encodeStatusResponse } from './encode.ts';
import type { OpenStreams } from './open-streams.ts';
import { isThisHost } from './origin.ts';
import { PermissionDeniedError } from './status.ts';

export function clusterHandlers(door: Door, streams: OpenStreams) {
  const { node } = door;
  const status = (): Buffer => encodeStatusResponse(node.status(), door.version);
  /** A change of the members, from the request's bytes. */
  const changing = (decode: (bytes: Buffer) => MemberChange): handleUnaryCall<Buffer, Buffer> =>
    unary(door, async (bytes, caller) => {
      const change = decode(bytes);
      admitChange(door, caller, change);
      return encodeMembersResponse(await node.changeMembers(change, caller.patient()));
    });
  return {
    Status: unary(door, async () => status()),
    AddMember: changing((bytes) => {
      return { kind: 'add', member: parseAddMember(decodeAddMember(bytes)) };
    }),
    PromoteMember: changing((bytes) => {
      return { kind: 'promote', nodeId: parseMemberId(decodeMemberId(bytes)) };
    }),
    RemoveMember: changing((bytes) => {
      return { kind: 'remove', nodeId: parseMemberId(decodeMemberId(bytes)) };
    }),
    TransferLeadership: unary(door, async (bytes, caller) => {
      const text = decodeMemberId(bytes);
      const nodeId = text === '' ? '' : parseMemberId(text);
      const change: MemberChange = { kind: 'transfer', nodeId };
      admitChange(door, caller, change);
      const { leaderId: before } = node.status();
      await node.changeMembers(change, caller.patient());
      if (nodeId !== before) await untilFollowed(door, before);
      return status();
    }),
    SaveSnapshot: backupHandler(door, streams),
  };
}

/** The next heartbeat of the new leader tells; without it the answer says what this node knows. */
const FOLLOWED_MS = 1000;

/** Resolves once this node knows another leader than `before`, or a second has passed: a node that only passed the request
 * on hears of the new leader a moment after the old one. */
function untilFollowed({ node, clock }: Door, before: string): Promise<void> {
  const known = (): boolean => !['', before].includes(node.status().leaderId);
  if (known()) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      unsubscribe();
      resolve();
    };
    const cancel = clock.after(FOLLOWED_MS, end);
    const unsubscribe = node.onHealthChange(() => {
      if (known()) end();
    });
  });
}

/** Throws PermissionDeniedError. */
function admitChange(door: Door, caller: Caller, change: MemberChange): void {
  if (door.allowRemoteAdmin || isThisHost(caller.peer())) return;
  if (change.kind === 'add' && change.member.incarnation !== '') {
    if (isExpected(change.member, door.node.status().members)) return;
    throw new PermissionDeniedError(
      'no node of this name and these addresses was announced: on the host of a member run rollcall member add NAME PEER_ADDRESS CLIENT_ADDRESS first, or start the members with --allow-remote-admin',
    );
  }
  throw new PermissionDeniedError(
    "changes of the cluster are taken from the node's own host only: run the command on the host of a member, or start the members with --allow-remote-admin",
  );
}

/** Announced by an operator under these addresses and not bound to a data-dir yet; or bound to this very one, which asks again. */
function isExpected(joining: Member, members: readonly Member[]): boolean {
  const known = members.find((member) => member.nodeId === joining.nodeId);
  if (known === undefined) return false;
  const { incarnation, peerAddress, clientAddress } = known;
  return (
    (incarnation === '' || incarnation === joining.incarnation) &&
    peerAddress === joining.peerAddress &&
    clientAddress === joining.clientAddress
  );
}
