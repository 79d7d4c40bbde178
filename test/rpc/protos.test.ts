// The .proto files are found from every place the code may run in, and keep the numbers clients are written against.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { clientConstructors } from '../../src/rpc/clients.ts';
import { protoDirectory, publicProtos } from '../../src/rpc/protos.ts';
import { rawService, serviceNames } from '../../src/rpc/raw-service.ts';

interface Descriptor {
  readonly type: { readonly field: readonly { readonly name: string; readonly number: number }[] };
}
const numbersOf = (message: string): Record<string, number> => {
  const descriptor = publicProtos()[`rollcall.v1.${message}`] as unknown as Descriptor;
  return Object.fromEntries(descriptor.type.field.map(({ name, number }) => [name, number]));
};

describe('the proto folder', () => {
  test('is found above the source', () => {
    expect(protoDirectory()).toBe(join(import.meta.dirname, '../../proto'));
  });

  test('gives typed clients for both services', () => {
    expect(clientConstructors().Registry.service.Watch.path).toBe('/rollcall.v1.Registry/Watch');
    expect(clientConstructors().Cluster.service.Status.path).toBe('/rollcall.v1.Cluster/Status');
  });

  test('holds every method of the contract, with its kind of streaming', () => {
    const kinds = Object.entries(rawService(serviceNames.registry)).map(
      ([name, { requestStream, responseStream }]) =>
        `${requestStream ? 'stream ' : ''}${name}${responseStream ? ' stream' : ''}`,
    );
    expect(kinds).toEqual([
      'Register',
      'RegisterBatch',
      'Deregister',
      'Heartbeat',
      'stream HeartbeatStream stream',
      'SetStatus',
      'GetInstance',
      'ListInstances',
      'ListServices',
      'stream Watch stream',
    ]);
    expect(Object.keys(rawService(serviceNames.health))).toEqual(['Check', 'List', 'Watch']);
  });

  test('keeps the field numbers that clients outside are written against', () => {
    expect(numbersOf('Instance')).toEqual({
      namespace: 1,
      service_name: 2,
      instance_id: 3,
      host: 4,
      port: 5,
      status: 6,
      metadata: 7,
      tags: 8,
      version: 9,
      region: 10,
      zone: 11,
      weight: 12,
      ports: 13,
      checks: 14,
      ttl_ms: 15,
      generation: 16,
      revision: 17,
      registered_at_ms: 18,
      last_heartbeat_ms: 19,
      deregister_after_ms: 20,
      maintenance: 21,
      lifecycle: 22,
    });
    expect(numbersOf('WatchResponse')).toEqual({
      revision: 1,
      resume_token: 2,
      reset: 3,
      more: 4,
      changes: 5,
    });
    expect(numbersOf('Selector')).toEqual({
      namespace: 1,
      services: 2,
      healthy_only: 3,
      tags: 4,
      metadata: 5,
      zone: 6,
      region: 7,
      version: 8,
      statuses: 9,
    });
  });
});
