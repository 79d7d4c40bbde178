// Whether a caller sits on this host, as the socket's other end tells: until there is access control, only such callers
// may change the cluster.
import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** `peer` is grpc-js's `address:port`, the address of IPv6 without brackets. IPv4 mapped into IPv6 counts as what it is. */
export function isLoopback(peer: string): boolean {
  // A zone, as in fe80::1%eth0:50000, says which link; loopback has none.
  const address = peer.replace(/:\d+$/, '');
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 0) return false;
  return loopback.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
