// The decoders against another implementation of protobuf: what it encodes is what they read, and no bytes break them.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeAddMember,
  decodeDeregister,
  decodeGetInstance,
  decodeHealthCheck,
  decodeHeartbeat,
  decodeListInstances,
  decodeListServices,
  decodeMemberId,
  decodeRegister,
  decodeRegisterBatch,
  decodeSetStatus,
  decodeWatch,
} from '../../../src/api/grpc/decode.ts';
import { defaultLimits } from '../../../src/config/limits.ts';
import { RegistryError } from '../../../src/lib/registry-error.ts';
import { clientConstructors } from '../../../src/rpc/clients.ts';

const { service } = clientConstructors().Registry;
const text = fc.string({ unit: 'binary', maxLength: 20 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const counter = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const enumNumber = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const pairs = fc.dictionary(fc.string({ maxLength: 8 }), text, { noNullPrototype: true });

const instance = fc.record({
  namespace: text,
  service_name: text,
  instance_id: text,
  host: text,
  port: uint32,
  status: enumNumber,
  metadata: pairs,
  tags: fc.array(text, { maxLength: 5 }),
  version: text,
  region: text,
  zone: text,
  weight: uint32,
  ports: fc.dictionary(fc.string({ maxLength: 8 }), uint32, { noNullPrototype: true }),
  checks: fc.array(fc.record({ name: text, interval_ms: uint32 }), { maxLength: 3 }),
  ttl_ms: uint32,
  generation: counter,
  registered_at_ms: counter,
  deregister_after_ms: uint32,
  maintenance: fc.boolean(),
  lifecycle: enumNumber,
});

const sorted = (map: ReadonlyMap<string, unknown>) => Object.fromEntries(map);

describe('a decoder', () => {
  test('reads every field of an instance that a client states', () => {
    fc.assert(
      fc.property(instance, text, counter, (fields, requestId, ifGeneration) => {
        const bytes = service.Register.requestSerialize({
          instance: fields as never,
          request_id: requestId,
          if_generation: ifGeneration,
        });
        const decoded = decodeRegister(bytes, defaultLimits);
        expect(decoded).toMatchObject({ requestId, ifGeneration });
        const got = decoded.instance;
        expect(got && { ...got, metadata: sorted(got.metadata), ports: sorted(got.ports) }).toEqual(
          {
            namespace: fields.namespace,
            serviceName: fields.service_name,
            instanceId: fields.instance_id,
            host: fields.host,
            port: fields.port,
            status: fields.status,
            metadata: fields.metadata,
            tags: fields.tags,
            version: fields.version,
            region: fields.region,
            zone: fields.zone,
            weight: fields.weight,
            ports: fields.ports,
            checks: fields.checks.length,
            ttlMs: fields.ttl_ms,
            deregisterAfterMs: fields.deregister_after_ms,
            lifecycle: fields.lifecycle,
          },
        );
      }),
    );
  });

  test('reads selectors, packed and unpacked, and read options', () => {
    const fields = fc.record({
      namespace: text,
      services: fc.array(text, { maxLength: 4 }),
      healthy_only: fc.boolean(),
      tags: fc.array(text, { maxLength: 4 }),
      metadata: pairs,
      zone: text,
      region: text,
      version: text,
      statuses: fc.array(enumNumber, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fields, enumNumber, counter, uint32, (selector, consistency, floor, age) => {
        const bytes = service.Watch.requestSerialize({
          selector: selector as never,
          resume_token: 't',
          acknowledge: floor,
          read: { consistency, min_revision: floor, max_staleness_ms: age } as never,
          acknowledges: true,
        });
        const decoded = decodeWatch(bytes, defaultLimits);
        expect(decoded).toMatchObject({
          resumeToken: 't',
          acknowledge: floor,
          acknowledges: true,
          read: { consistency, minRevision: floor, maxStalenessMs: age },
        });
        const got = decoded.selector;
        expect(got && { ...got, metadata: sorted(got.metadata) }).toEqual({
          namespace: selector.namespace,
          services: selector.services,
          healthyOnly: selector.healthy_only,
          tags: selector.tags,
          metadata: selector.metadata,
          zone: selector.zone,
          region: selector.region,
          version: selector.version,
          statuses: selector.statuses,
        });
      }),
    );
    const unpacked = Buffer.from([0x0a, 4, 0x48, 2, 0x48, 4]);
    expect(decodeWatch(unpacked, defaultLimits).selector?.statuses).toEqual([2, 4]);
  });

  test('reads beats with generations of any size', () => {
    const beats = [
      { namespace: 'n', instance_id: 'a', generation: '0' },
      { namespace: '', instance_id: 'b', generation: String(2 ** 32) },
      { namespace: '', instance_id: 'c', generation: String(Number.MAX_SAFE_INTEGER) },
      { namespace: '', instance_id: 'd', generation: '18446744073709551615' },
    ];
    const decoded = decodeHeartbeat(service.Heartbeat.requestSerialize({ beats }), defaultLimits);
    expect(decoded.map(({ generation }) => generation)).toEqual([
      0,
      2 ** 32,
      Number.MAX_SAFE_INTEGER,
      Number.MAX_SAFE_INTEGER,
    ]);
  });

  test('skips fields it does not know', () => {
    const known = service.Deregister.requestSerialize({ instance_id: 'a' });
    const unknown = Buffer.from([0x98, 0x06, 0x01, 0xa2, 0x06, 0x02, 0x61, 0x62]);
    expect(decodeDeregister(Buffer.concat([unknown, known])).instanceId).toBe('a');
  });

  const decoders: Readonly<Record<string, (bytes: Buffer) => unknown>> = {
    decodeRegister: (bytes) => decodeRegister(bytes, defaultLimits),
    decodeRegisterBatch: (bytes) => decodeRegisterBatch(bytes, defaultLimits),
    decodeDeregister,
    decodeSetStatus,
    decodeHeartbeat: (bytes) => decodeHeartbeat(bytes, defaultLimits),
    decodeGetInstance,
    decodeListInstances: (bytes) => decodeListInstances(bytes, defaultLimits),
    decodeListServices,
    decodeWatch: (bytes) => decodeWatch(bytes, defaultLimits),
    decodeHealthCheck,
    decodeAddMember,
    decodeMemberId,
  };
  const valid = service.RegisterBatch.requestSerialize({
    instances: [{ service_name: 'web', metadata: { a: 'b' }, ports: { c: 1 }, tags: ['d'] }],
    request_id: 'r',
  });

  test.for(Object.entries(decoders))('%s refuses or reads any bytes (G18)', ([, decode]) => {
    const mangled = fc
      .tuple(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length))
      .map(([at, value, end]) => {
        const bytes = Buffer.from(valid);
        bytes[at] = value;
        return bytes.subarray(0, end);
      });
    const anything = fc.oneof(
      mangled,
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RegistryError);
          expect((error as RegistryError).code).toBe('invalidArgument');
        }
      }),
      { numRuns: 400 },
    );
  });

  test('keeps little of what is repeated far beyond its limit, and counts all of it', () => {
    const tags = Array.from({ length: 100_000 }, () => 't');
    const bytes = service.Register.requestSerialize({ instance: { tags } });
    expect(() => decodeRegister(bytes, defaultLimits)).toThrow(
      'instance.tags: 100000 tags, limit 64',
    );
    const many = Array.from({ length: 20_000 }, () => ({}));
    expect(() =>
      decodeHeartbeat(service.Heartbeat.requestSerialize({ beats: many }), defaultLimits),
    ).toThrow('beats: 20000 beats, limit 10000');
  });
});
