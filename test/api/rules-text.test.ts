// Names, hosts and ports: what is taken, what is refused, and in which words.
import { describe, expect, test } from 'vitest';
import {
  checkHost,
  checkInstanceId,
  checkLabel,
  checkPort,
  checkText,
  parseTags,
} from '../../src/api/rules-text.ts';
import { RegistryError } from '../../src/lib/registry-error.ts';

function problem(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    expect(error).toBeInstanceOf(RegistryError);
    expect((error as RegistryError).code).toBe('invalidArgument');
    return (error as RegistryError).message;
  }
  return 'taken';
}

const label63 = 'a'.repeat(63);
const host253 = [label63, label63, label63, 'a'.repeat(61)].join('.');

describe('a host', () => {
  test.for([
    '10.0.0.1',
    '255.255.255.255',
    '::1',
    '2001:db8::1',
    '2001:DB8::A',
    '::ffff:10.0.0.1',
    'localhost',
    'a',
    'db-1.prod.example.com',
    '1password.com',
    'node1.2nd',
    '10.example',
    label63,
    host253,
  ])('%s is taken', (host) => {
    expect(problem(() => checkHost('host', host, 253))).toBe('taken');
  });

  test.for([
    ['', 'host: is empty'],
    [`${host253}a`, 'host: 254 bytes, limit 253'],
    ['fe80::1%eth0', 'host: has an IPv6 zone'],
    ['10.0.0', 'host: ends in digits only and is not an IPv4 address'],
    ['10.0.0.256', 'host: ends in digits only and is not an IPv4 address'],
    ['1.2.3.4.5', 'host: ends in digits only and is not an IPv4 address'],
    ['8080', 'host: ends in digits only and is not an IPv4 address'],
    ['web.1', 'host: ends in digits only and is not an IPv4 address'],
  ])('%s is refused', ([host, message]) => {
    expect(problem(() => checkHost('host', host ?? '', 253))).toBe(message);
  });

  test.for([
    '[::1]',
    'http://web',
    'web:80',
    '10.0.0.1:80',
    'my_host',
    'web.',
    '.web',
    'a..b',
    'Web',
    '-web',
    'web-',
    'wéb',
    ' web',
    'web\n',
    `${'a'.repeat(64)}.example`,
  ])('%j is neither an address nor a name', (host) => {
    expect(problem(() => checkHost('host', host, 253))).toContain('is neither an IP literal nor');
  });
});

describe('a label', () => {
  test.for(['a', '0', 'a-b', 'a--b', label63])('%s is taken', (text) => {
    expect(problem(() => checkLabel('x', text, 63))).toBe('taken');
  });
  test.for(['A', 'a_b', 'a.b', '-a', 'a-', 'ä', 'a b', 'a\n', '*'])('%j is refused', (text) => {
    expect(problem(() => checkLabel('x', text, 63))).toContain('x: is not a DNS label');
  });
  test('is refused by its length first', () => {
    expect(problem(() => checkLabel('x', 'a'.repeat(64), 63))).toBe('x: 64 bytes, limit 63');
    expect(problem(() => checkLabel('x', '', 63))).toBe('x: is empty');
  });
});

describe('an instance id', () => {
  test.for(['a', 'A.b_c:d-e', '...', '9', 'x'.repeat(128)])('%s is taken', (id) => {
    expect(problem(() => checkInstanceId('id', id, 128))).toBe('taken');
  });
  test.for(['.', '..', 'a/b', 'a b', 'ä', 'a\n'])('%j is refused', (id) => {
    expect(problem(() => checkInstanceId('id', id, 128))).toContain('id: has characters other');
  });
  test('is refused when it is empty or long', () => {
    expect(problem(() => checkInstanceId('id', '', 128))).toBe('id: is empty');
    expect(problem(() => checkInstanceId('id', 'x'.repeat(129), 128))).toBe(
      'id: 129 bytes, limit 128',
    );
  });
});

describe('text', () => {
  test('is measured in bytes of UTF-8, not in characters', () => {
    expect(problem(() => checkText('zone', 'ä'.repeat(64), 128))).toBe('taken');
    expect(problem(() => checkText('zone', `${'ä'.repeat(64)}a`, 128))).toBe(
      'zone: 129 bytes, limit 128',
    );
    expect(problem(() => checkText('zone', '😀'.repeat(32), 128))).toBe('taken');
    expect(problem(() => checkText('zone', '😀'.repeat(33), 128))).toBe(
      'zone: 132 bytes, limit 128',
    );
  });
});

describe('tags', () => {
  const limits = { count: 3, bytes: 4 };
  test('are kept in order, a repeated one once and in first position', () => {
    expect(parseTags('tags', ['b', 'a', 'b', 'c', 'a'], limits)).toEqual(['b', 'a', 'c']);
  });
  test('are refused when one is empty or long, or when there are too many', () => {
    expect(problem(() => parseTags('tags', ['a', ''], limits))).toBe('tags[1]: is empty');
    expect(problem(() => parseTags('tags', ['12345'], limits))).toBe('tags[0]: 5 bytes, limit 4');
    expect(problem(() => parseTags('tags', ['a', 'b', 'c', 'd'], limits))).toBe(
      'tags: 4 tags, limit 3',
    );
  });
});

describe('a port', () => {
  test('is 1 to 65535', () => {
    expect(problem(() => checkPort('port', 1))).toBe('taken');
    expect(problem(() => checkPort('port', 65_535))).toBe('taken');
    expect(problem(() => checkPort('port', 0))).toBe('port: is 0 or missing, at least 1');
    expect(problem(() => checkPort('port', 65_536))).toBe('port: is 65536, limit 65535');
  });
});
