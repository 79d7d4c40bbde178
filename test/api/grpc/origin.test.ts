// Who counts as sitting on this host: changes of the cluster are taken from nobody else by default.
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { isThisHost } from '../../../src/api/grpc/origin.ts';

const own = ['127.0.0.1', '10.0.0.1', '2001:db8::1', 'fe80::9%eth0', '::1'];

describe('a caller', () => {
  test.for([
    '127.0.0.1:50000',
    '127.9.8.7:1',
    '::1:50000',
    '::ffff:127.0.0.1:50000',
    '10.0.0.1:50000',
    '::ffff:10.0.0.1:50000',
    '2001:db8::1:50000',
  ])('%s is on this host', (peer) => {
    expect(isThisHost(peer, own)).toBe(true);
  });

  test.for([
    '10.0.0.2:50000',
    '128.0.0.1:50000',
    '::ffff:10.0.0.2:50000',
    '2001:db8::2:50000',
    'fe80::9%eth0:50000',
    'unknown',
    '',
  ])('"%s" is not', (peer) => {
    expect(isThisHost(peer, own)).toBe(false);
  });

  test('at an address of this machine is on this host, without being told which those are', () => {
    for (const { address } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) {
      if (!address.startsWith('fe80:')) expect(isThisHost(`${address}:50000`)).toBe(true);
    }
    // Reserved for documents (RFC 5737): no machine has it.
    expect(isThisHost('192.0.2.1:50000')).toBe(false);
  });
});
