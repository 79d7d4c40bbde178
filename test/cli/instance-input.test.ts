// Instances from flags and files.
import { describe, expect, test } from 'vitest';
import {
  defaultInstanceId,
  instanceFromFlags,
  instancesFromFile,
} from '../../src/cli/instance-input.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { FakeContext } from '../support/cli-context.ts';

function fromFile(text: string, namespace?: string) {
  const context = new FakeContext();
  context.files.set('f', text);
  return instancesFromFile('f', namespace, context);
}

describe('flags', () => {
  test('state an instance, with an id made of service, host, port and eight hex digits', () => {
    const flags = {
      service: 'payment',
      host: '10.0.0.1',
      port: 8080,
      tag: ['a', 'b'],
      meta: ['k=v', 'x=a=b'],
    };
    expect(instanceFromFlags(flags, undefined, new FakeContext())).toEqual({
      service_name: 'payment',
      instance_id: 'payment-10.0.0.1-8080-00000001',
      host: '10.0.0.1',
      port: 8080,
      tags: ['a', 'b'],
      metadata: { k: 'v', x: 'a=b' },
    });
  });

  test('leave out what was not said, so that the registry’s defaults hold', () => {
    const flags = {
      service: 's',
      host: 'h',
      port: 1,
      id: 'i',
      status: 'starting',
      serviceVersion: '2',
      ttlMs: 5000,
    } as const;
    expect(instanceFromFlags(flags, 'prod', new FakeContext())).toEqual({
      namespace: 'prod',
      service_name: 's',
      instance_id: 'i',
      host: 'h',
      port: 1,
      status: 'STARTING',
      version: '2',
      ttl_ms: 5000,
      tags: [],
      metadata: {},
    });
  });

  test('without a host, or with metadata that is no pair, are refused by name', () => {
    const context = new FakeContext();
    expect(() => instanceFromFlags({ service: 's', port: 1 }, undefined, context)).toThrow(
      /^--host: required/,
    );
    const flags = { service: 's', host: 'h', port: 1, meta: ['x'] };
    expect(() => instanceFromFlags(flags, undefined, context)).toThrow(
      '--meta: "x" is not key=value',
    );
  });

  test('with a long host still give an id within its limit', () => {
    const id = defaultInstanceId(
      { service_name: 's', host: 'h'.repeat(253), port: 65_535 },
      () => 'abcdef01',
    );
    expect(id).toHaveLength(128);
    expect(id).toMatch(/^s-h+-65535-abcdef01$/);
  });
});

describe('a file', () => {
  test('holds one instance or a list, as YAML or JSON', () => {
    const one = { service_name: 's', host: 'h', port: 1, instance_id: 'i' };
    expect(fromFile(JSON.stringify(one))).toEqual([one]);
    expect(fromFile('- {service_name: s, host: h, port: 1, instance_id: i}')).toEqual([one]);
    expect(fromFile('service_name: s\nhost: h\nport: 1\n')).toEqual([
      { ...one, instance_id: 's-h-1-00000001' },
    ]);
  });

  test('may be an answer that was printed with --json: read, change, register', () => {
    const printed = {
      service_name: 's',
      host: 'h',
      port: 1,
      instance_id: 'i',
      status: 'healthy',
      lifecycle: 'serving',
      generation: '12',
    };
    const expected = { ...printed, status: 'HEALTHY', lifecycle: 'SERVING' };
    expect(fromFile(JSON.stringify({ revision: '3', instance: printed }))).toEqual([expected]);
    expect(fromFile(JSON.stringify({ revision: '3', instances: [printed] }))).toEqual([expected]);
  });

  test('keeps numbers and booleans in metadata as their text', () => {
    const [instance] = fromFile('{service_name: s, host: h, port: 1, metadata: {a: 1, b: true}}');
    expect(instance?.metadata).toEqual({ a: '1', b: 'true' });
  });

  test('takes the namespace of the command line unless it says one', () => {
    const text =
      '[{service_name: s, host: h, port: 1}, {service_name: s, host: h, port: 1, namespace: own}]';
    expect(fromFile(text, 'prod').map((instance) => instance.namespace)).toEqual(['prod', 'own']);
  });

  test.for([
    ['', '--file: f holds no instance'],
    ['[]', '--file: f holds no instance'],
    ['text', '--file: f: not an instance'],
    ['{service_name: s, host: h}', '--file: f: port: must be a whole number'],
    ['{service_name: s, host: h, port: 1, prot: 2}', '--file: f: prot: no such field'],
    [
      '[{service_name: s, host: h, port: 1}, {host: h, port: 1}]',
      '--file: f: instances[1].service_name: must be text',
    ],
    [
      '{service_name: s, host: h, port: 1, metadata: {a: [1]}}',
      '--file: f: metadata.a: must be text, a number or a boolean',
    ],
    [
      '{service_name: s, host: h, port: 1, checks: [{}]}',
      '--file: f: checks: active checks are not in this version',
    ],
    [
      '{service_name: s, host: h, port: 1, status: up}',
      '--file: f: status: must be one of status_unspecified, starting, healthy, unhealthy, draining',
    ],
    ['{a: [', '--file: f cannot be read: '],
  ] as const)('%s: %s', ([text, problem]) => {
    expect(() => fromFile(text)).toThrow(problem);
    expect(() => fromFile(text)).toThrow(ConfigError);
  });
});
