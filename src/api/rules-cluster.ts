// The rules of calls that change the cluster: what a member's name, addresses and incarnation may look like.
import { formatAddress, isWildcard, parseAddress } from '../config/address.ts';
import { type NodeId, nodeId } from '../lib/ids.ts';
import { invalidArgument } from '../lib/registry-error.ts';
import type { Member } from '../node/peer-protocol.ts';
import type { MemberInput } from './requests.ts';
import { checkLabel, checkPort, checkText } from './rules-text.ts';

/** As --node-id has it (config/schema.ts); no limit of the configuration changes it. */
const NODE_ID_BYTES = 63;
/** A host of 253 bytes, brackets, colon and port. */
const ADDRESS_BYTES = 261;
const INCARNATION = /^[0-9a-f]{32}$/;

/** Who is to be added: a learner, whatever the request says. */
export function parseAddMember(input: MemberInput | undefined): Member {
  if (input === undefined) throw invalidArgument('member', 'is missing');
  checkLabel('member.node_id', input.nodeId, NODE_ID_BYTES);
  const peer = parseDialled('member.peer_address', input.peerAddress);
  const client = parseDialled('member.client_address', input.clientAddress);
  if (peer === client) throw invalidArgument('member.client_address', 'is the peer_address too');
  const { incarnation } = input;
  if (incarnation !== '' && !INCARNATION.test(incarnation)) {
    throw invalidArgument('member.incarnation', 'is not 32 hex digits in lower case');
  }
  return {
    nodeId: nodeId(input.nodeId),
    incarnation,
    peerAddress: peer,
    clientAddress: client,
    learner: true,
  };
}

/** An address that others can dial, in its one spelling. */
function parseDialled(field: string, text: string): string {
  if (text === '') throw invalidArgument(field, 'is empty');
  checkText(field, text, ADDRESS_BYTES);
  const address = parseAddress(text);
  if (address === undefined) throw invalidArgument(field, 'is not host:port');
  checkPort(field, address.port);
  if (isWildcard(address)) throw invalidArgument(field, 'is no address that others can dial');
  return formatAddress(address);
}

/** Which member a call is about. */
export function parseMemberId(text: string): NodeId {
  checkLabel('node_id', text, NODE_ID_BYTES);
  return nodeId(text);
}
