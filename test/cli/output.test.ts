// What people and scripts read.
import { describe, expect, test } from 'vitest';
import { describeMessage } from '../../src/cli/commands/watch.ts';
import { jsonForm } from '../../src/cli/json-output.ts';
import { formatBytes, formatTable, printable } from '../../src/cli/table.ts';
import type { Instance__Output } from '../../src/rpc/gen/rollcall/v1/Instance.ts';

const instance: Instance__Output = {
  namespace: 'default',
  service_name: 'payment',
  instance_id: 'p1',
  host: '10.0.0.1',
  port: 8080,
  status: 'HEALTHY',
  metadata: { status: 'KEPT', kind: 'KEPT' },
  tags: ['a'],
  version: '',
  region: '',
  zone: '',
  weight: 100,
  ports: {},
  checks: [],
  ttl_ms: 30_000,
  generation: '9007199254740993',
  revision: '2',
  registered_at_ms: '1',
  last_heartbeat_ms: '2',
  deregister_after_ms: 0,
  maintenance: false,
  lifecycle: 'SERVING',
};

describe('JSON', () => {
  test('has enums in lower case, 64-bit numbers as text, and clients’ own text untouched', () => {
    expect(jsonForm({ revision: '2', instance })).toEqual({
      revision: '2',
      instance: { ...instance, status: 'healthy', lifecycle: 'serving' },
    });
  });

  test('lowers the kinds of changes and the reasons of failures, but not the words of a reason', () => {
    const change = { kind: 'PUT', instance: null, reason: 'MOVED by HAND', actor: '' };
    const failure = { instance_id: 'x', reason: 'FENCED' };
    expect(jsonForm({ changes: [change], failures: [failure] })).toEqual({
      changes: [{ ...change, kind: 'put' }],
      failures: [{ ...failure, reason: 'fenced' }],
    });
  });

  test('lowers the roles of nodes', () => {
    expect(jsonForm({ nodes: [{ role: 'LEADER', node_id: 'N' }] })).toEqual({
      nodes: [{ role: 'leader', node_id: 'N' }],
    });
  });
});

describe('a table', () => {
  test('is plain columns without trailing spaces', () => {
    const text = formatTable(
      ['id', 'port'],
      [
        ['payment-1', 8080],
        ['b', ''],
      ],
    );
    expect(text).toBe('ID         PORT\npayment-1  8080\nb');
  });

  test('without rows is its headings', () => {
    expect(formatTable(['id', 'port'], [])).toBe('ID  PORT');
  });

  test('lets no control character of a client through', () => {
    expect(printable('a\u001b[2Jb\u0007\n')).toBe('a\u{fffd}[2Jb\u{fffd}\u{fffd}');
    expect(formatTable(['id'], [['x\u001b[31m']])).not.toContain('\u001b');
  });
});

describe('a size', () => {
  test.for([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1_048_575, '1024.0 KiB'],
    [67_108_864, '64.0 MiB'],
    [5 * 2 ** 40, '5.0 TiB'],
    [2 ** 53, '8192.0 TiB'],
  ] as const)('of %i bytes is %s', ([bytes, told]) => {
    expect(formatBytes(bytes)).toBe(told);
  });
});

describe('a watch message', () => {
  const message = { revision: '7', resume_token: 't', reset: false, more: false, changes: [] };

  test('that only marks progress prints nothing', () => {
    expect(describeMessage(message)).toEqual([]);
  });

  test('with a state is announced as such', () => {
    const put = { kind: 'PUT' as const, instance, reason: '', actor: '' };
    expect(describeMessage({ ...message, reset: true, changes: [put] })).toEqual([
      '7  state (1 instances)',
      '7  put     payment/p1  10.0.0.1:8080  healthy',
    ]);
  });

  test('tells why an instance went, and nothing it has not', () => {
    const remove = { kind: 'REMOVE' as const, instance, reason: 'ttl_expired', actor: '' };
    expect(describeMessage({ ...message, changes: [remove] })).toEqual([
      '7  remove  payment/p1  (ttl_expired)',
    ]);
  });
});
