// Who counts as sitting on this host: changes of the cluster are taken from nobody else by default.
import { describe, expect, test } from 'vitest';
import { isLoopback } from '../../../src/api/grpc/origin.ts';

describe('a caller', () => {
  test.for(['127.0.0.1:50000', '127.9.8.7:1', '::1:50000', '::ffff:127.0.0.1:50000'])(
    '%s is on this host',
    (peer) => {
      expect(isLoopback(peer)).toBe(true);
    },
  );

  test.for([
    '10.0.0.1:50000',
    '128.0.0.1:50000',
    '::ffff:10.0.0.1:50000',
    '2001:db8::1:50000',
    'fe80::1%eth0:50000',
    '::2:1',
    'unknown',
    '',
  ])('"%s" is not', (peer) => {
    expect(isLoopback(peer)).toBe(false);
  });
});
