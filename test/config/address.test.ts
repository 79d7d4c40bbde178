// Addresses as flags and files spell them.
import { describe, expect, test } from 'vitest';
import { formatAddress, isWildcard, parseAddress } from '../../src/config/address.ts';

describe('an address', () => {
  test.for([
    ['127.0.0.1:7400', '127.0.0.1', 7400],
    ['rollcall-n1:0', 'rollcall-n1', 0],
    ['n1.example.org:65535', 'n1.example.org', 65_535],
    ['[::1]:7400', '::1', 7400],
  ] as const)('%s is read and written back', ([text, host, port]) => {
    expect(parseAddress(text)).toEqual({ host, port });
    expect(formatAddress({ host, port })).toBe(text);
  });

  test.for([
    '',
    ':7400',
    'a',
    'a:',
    'a:b',
    'a:70000',
    '::1:7400',
    '[::1]',
    '[a]:1',
    'a b:1',
    '-a:1',
    'http://a:1',
  ])('"%s" is none', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test('that only a listener understands is told apart', () => {
    expect(isWildcard({ host: '0.0.0.0', port: 1 })).toBe(true);
    expect(isWildcard({ host: '::', port: 1 })).toBe(true);
    expect(isWildcard({ host: '10.0.0.1', port: 1 })).toBe(false);
  });
});
