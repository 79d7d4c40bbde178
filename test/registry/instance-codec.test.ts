// The hand-ordered encoding of rollcall.v1.Instance against the .proto file, which is the contract.
import * as fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { revision } from '../../src/lib/ids.ts';
import { encodeInstance, type RegistryFields } from '../../src/registry/instance-codec.ts';
import {
  decodeInstance,
  encodeBody,
  type InstanceBody,
  withLastHeartbeat,
} from '../../src/registry/index.ts';
import { bodyOf, register, sessionOf, setStatus } from './fixtures.ts';

const root = protobuf.loadSync('proto/rollcall/v1/registry.proto');
const Instance = root.lookupType('rollcall.v1.Instance');

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const uint32 = fc.nat({ max: 0xffffffff });
const body: fc.Arbitrary<InstanceBody> = fc.record({
  namespace: text,
  serviceName: text,
  instanceId: text,
  host: text,
  port: uint32,
  metadata: fc.array(fc.tuple(text, text), { maxLength: 6 }).map((pairs) => new Map(pairs)),
  tags: fc.uniqueArray(text, { maxLength: 6 }),
  version: text,
  region: text,
  zone: text,
  weight: uint32,
  ports: fc.array(fc.tuple(text, uint32), { maxLength: 4 }).map((pairs) => new Map(pairs)),
  ttlMs: uint32,
});
const counter = fc.maxSafeNat();
const fields: fc.Arbitrary<RegistryFields> = fc.record({
  status: fc.constantFrom('starting', 'healthy', 'unhealthy', 'draining'),
  generation: counter.map(revision),
  revision: counter.map(revision),
  registeredAtMs: counter,
  lastHeartbeatMs: counter,
  maintenance: fc.boolean(),
  lifecycle: fc.constantFrom('serving', 'starting', 'draining'),
});

/** The instance as another implementation of protobuf reads it with the .proto file. */
function readByContract(encoded: Uint8Array): Record<string, unknown> {
  return Instance.toObject(Instance.decode(encoded), {
    longs: String,
    enums: String,
    defaults: true,
    arrays: true,
    objects: true,
  });
}

function asContract(client: InstanceBody, own: RegistryFields): Record<string, unknown> {
  return {
    namespace: client.namespace,
    serviceName: client.serviceName,
    instanceId: client.instanceId,
    host: client.host,
    port: client.port,
    metadata: Object.fromEntries(client.metadata),
    tags: client.tags,
    version: client.version,
    region: client.region,
    zone: client.zone,
    weight: client.weight,
    ports: Object.fromEntries(client.ports),
    checks: [],
    ttlMs: client.ttlMs,
    deregisterAfterMs: 0,
    status: own.status.toUpperCase(),
    generation: String(own.generation),
    revision: String(own.revision),
    registeredAtMs: String(own.registeredAtMs),
    lastHeartbeatMs: String(own.lastHeartbeatMs),
    maintenance: own.maintenance,
    lifecycle: own.lifecycle.toUpperCase(),
  };
}

describe('the encoded instance', () => {
  test('reads by the .proto file as what was put in, every field', () => {
    fc.assert(
      fc.property(body, fields, (client, own) => {
        const encoded = encodeInstance(encodeBody(client), own);
        expect(readByContract(encoded)).toEqual(asContract(client, own));
      }),
      { numRuns: 300 },
    );
  });

  test('decodes to what was put in, every field', () => {
    fc.assert(
      fc.property(body, fields, (client, own) => {
        expect(decodeInstance(encodeInstance(encodeBody(client), own))).toEqual({
          ...client,
          ...own,
        });
      }),
      { numRuns: 300 },
    );
  });

  test('decodes what another implementation encodes, unknown fields and checks passed over', () => {
    const written = Instance.encode(
      Instance.fromObject({
        instanceId: 'a',
        checks: [{ name: 'c', intervalMs: 5 }],
        deregisterAfterMs: 7,
        ttlMs: 3,
        metadata: { k: '' },
        lifecycle: 'DRAINING',
      }),
    ).finish();
    const decoded = decodeInstance(written);
    expect(decoded).toMatchObject({ instanceId: 'a', ttlMs: 3, lifecycle: 'draining' });
    expect(decoded.metadata).toEqual(new Map([['k', '']]));
  });

  test('what is no protobuf is refused', () => {
    expect(() => decodeInstance(new Uint8Array([10, 200, 1, 65]))).toThrow();
  });
});

describe('the canonical body', () => {
  test('does not depend on the order in which maps were filled', () => {
    fc.assert(
      fc.property(body, (client) => {
        const reversed = {
          ...client,
          metadata: new Map([...client.metadata].toReversed()),
          ports: new Map([...client.ports].toReversed()),
        };
        expect(encodeBody(reversed)).toEqual(encodeBody(client));
      }),
    );
  });

  test('sorts keys by their UTF-8 bytes, also above the basic plane', () => {
    const keys = ['\u{1f600}', '\uffee', 'z', 'é', ''];
    const encoded = encodeBody(bodyOf({ metadata: new Map(keys.map((key) => [key, 'v'])) }));
    const encoder = new TextEncoder();
    const byBytes = keys.toSorted((left, right) =>
      Buffer.compare(encoder.encode(left), encoder.encode(right)),
    );
    expect([...decodeInstance(encoded).metadata.keys()]).toEqual(byBytes);
  });

  test('keeps the order of tags, which is part of the record', () => {
    const one = encodeBody(bodyOf({ tags: ['x', 'y'] }));
    expect(one).not.toEqual(encodeBody(bodyOf({ tags: ['y', 'x'] })));
    expect(decodeInstance(one).tags).toEqual(['x', 'y']);
  });

  test('has memory of exactly its size', () => {
    const encoded = encodeBody(bodyOf());
    expect(encoded.buffer.byteLength).toBe(encoded.length);
  });
});

describe('withLastHeartbeat', () => {
  test('changes last_heartbeat_ms and nothing else', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a', tags: ['t'] }), { unixTimeMs: 5 });
    apply(setStatus('a', { maintenance: true }), { unixTimeMs: 6 });
    const record = registry.get('default', 'a');
    if (record === undefined) throw new Error('the instance was registered');
    const before = decodeInstance(record.encoded);
    expect(before.lastHeartbeatMs).toBe(6);
    const after = decodeInstance(withLastHeartbeat(record, 1_700_000_000_000));
    expect(after).toEqual({ ...before, lastHeartbeatMs: 1_700_000_000_000 });
    expect(decodeInstance(record.encoded)).toEqual(before);
  });
});
