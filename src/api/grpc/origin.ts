// Whether a caller sits on this host, as the socket's other end tells: until there is access control, only such callers
// may change the cluster.
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/**
 * True for loopback and for this host's own addresses: what is sent from one of those to this host never leaves it, and a
 * node that listens on such an address only is reached in no other way. `peer` is grpc-js's `address:port`, the address of
 * IPv6 without brackets; IPv4 mapped into IPv6 counts as what it is.
 */
export function isThisHost(peer: string, own: readonly string[] = ownAddresses()): boolean {
  const address = peer.replace(/:\d+$/, '');
  const family = familyOf(address);
  if (family === undefined) return false;
  const here = new BlockList();
  here.addSubnet('127.0.0.0', 8, 'ipv4');
  here.addAddress('::1', 'ipv6');
  for (const one of own) {
    const ownFamily = familyOf(one);
    if (ownFamily !== undefined) here.addAddress(one, ownFamily);
  }
  return here.check(address, family);
}

/** undefined for what is no address, and for one with a zone, as fe80::1%eth0: good on one link only. */
function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  if (address.includes('%')) return undefined;
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}

const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []);
