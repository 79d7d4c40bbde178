// Golden vectors: the bytes that are on disks and wires today must stay readable, and must be what is written.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type ApplyResult,
  applyResultFromArray,
  applyResultToArray,
  type Command,
  createRegistry,
  decodeCommand,
  encodeBody,
  encodeCommand,
  fingerprintOf,
  type InstanceBody,
  registryDefaults,
} from '../../src/registry/index.ts';
import { encodeInstance } from '../../src/registry/instance-codec.ts';
import { pack, unpack } from '../../src/registry/positional.ts';
import { hashRecord, hashText } from '../../src/registry/state-hash.ts';
import {
  bodyOf,
  commandOf,
  deregister,
  expire,
  hex,
  NONE,
  register,
  registerBatch,
  rev,
  sessionOf,
  setStatus,
} from './fixtures.ts';

/** One pinned format: what it is of, and its bytes in hex. */
interface Vector {
  readonly name: string;
  readonly hex: string;
}
type Golden = Readonly<Record<string, readonly Vector[]>>;

const golden: Golden = JSON.parse(
  readFileSync(new URL('golden/formats.json', import.meta.url), 'utf8'),
);

function vectorsOf(section: string): readonly Vector[] {
  return golden[section] ?? [];
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const header = {
  registryTimeMs: 123_456,
  unixTimeMs: 1_700_000_000_000,
  actor: 'node n1',
  requestId: 'ü/1',
};
const full: InstanceBody = bodyOf({
  namespace: 'blue',
  instanceId: 'pay-1',
  metadata: new Map([
    ['b', ''],
    ['a', 'ä'],
  ]),
  tags: ['y', 'x'],
  version: '1.2',
  region: 'eu',
  zone: 'z1',
  weight: 7,
  ports: new Map([['admin', 9_000]]),
  ttlMs: 5_000,
});

const commands: Readonly<Record<string, Command>> = {
  register: commandOf(register({ ...full, lifecycle: 'starting' }, 9), header),
  registerBatch: commandOf(registerBatch({ instanceId: 'a' }, { instanceId: 'b' }), header),
  deregister: commandOf(deregister('a', 2 ** 40, 'scaled in'), header),
  setStatus: commandOf(setStatus('a', { lifecycle: 'draining', reason: 'why' }), header),
  maintenance: commandOf(setStatus('a', { maintenance: false, generation: 3 })),
  expire: commandOf(expire(['a', 1], ['b', 2]), header),
};
const results: Readonly<Record<string, ApplyResult>> = {
  registered: { kind: 'registered', revision: rev(300), generations: [rev(300), rev(5)] },
  deregistered: { kind: 'deregistered', revision: rev(4), existed: true },
  statusSet: { kind: 'statusSet', revision: rev(4) },
  expired: { kind: 'expired', revision: rev(4), count: 2 },
  notFound: { kind: 'notFound', revision: NONE },
  generationNotCurrent: { kind: 'generationNotCurrent', revision: rev(4), current: rev(3) },
  requestIdReused: { kind: 'requestIdReused', revision: rev(4) },
  tooManyInstances: { kind: 'tooManyInstances', revision: rev(4), limit: 1_000_000 },
};
const bodies: Readonly<Record<string, InstanceBody>> = { full, plain: bodyOf() };

/** The records of a small registry that has one of each kind. */
function records(): readonly Vector[] {
  const { apply, image } = sessionOf();
  apply(registerBatch({ instanceId: 'a' }, { ...full, namespace: 'default' }), header);
  apply(deregister('a'), { ...header, requestId: 'r' });
  return [...image().records].map(({ key, value }) => ({
    name: key,
    hex: hex(value ?? bytesOf('')),
  }));
}

describe('formats', () => {
  test('every format is pinned', () => {
    expect(vectorsOf('commands').map((one) => one.name)).toEqual(Object.keys(commands));
    expect(vectorsOf('results').map((one) => one.name)).toEqual(Object.keys(results));
    expect(vectorsOf('bodies').map((one) => one.name)).toEqual(Object.keys(bodies));
    expect(vectorsOf('records').map((one) => one.name[0])).toEqual(['d', 'd', 'i', 's']);
  });

  test.for(vectorsOf('commands'))('the command $name', ({ name, hex: pinned }) => {
    const command = commands[name];
    if (command === undefined) throw new Error('the vector has a command');
    expect(hex(encodeCommand(command))).toBe(pinned);
    expect(decodeCommand(bytesOf(pinned))).toEqual(command);
  });

  test.for(vectorsOf('fingerprints'))('the fingerprint of $name', ({ name, hex: pinned }) => {
    const command = commands[name];
    expect(command && fingerprintOf(command.body)).toBe(pinned);
  });

  test.for(vectorsOf('results'))('the answer $name', ({ name, hex: pinned }) => {
    const result = results[name];
    if (result === undefined) throw new Error('the vector has an answer');
    expect(hex(pack(applyResultToArray(result)))).toBe(pinned);
    expect(applyResultFromArray(unpack(bytesOf(pinned)))).toEqual(result);
  });

  test.for(vectorsOf('bodies'))('the canonical body $name', ({ name, hex: pinned }) => {
    const body = bodies[name];
    expect(body && hex(encodeBody(body))).toBe(pinned);
  });

  test.for(vectorsOf('instances'))('the encoded instance', ({ hex: pinned }) => {
    const encoded = encodeInstance(encodeBody(full), {
      status: 'unhealthy',
      generation: rev(2 ** 40),
      revision: rev(2 ** 40 + 1),
      registeredAtMs: 1_700_000_000_000,
      lastHeartbeatMs: 1_700_000_000_001,
      maintenance: true,
      lifecycle: 'serving',
    });
    expect(hex(encoded)).toBe(pinned);
  });

  test('the stored records, and the hash of the state that they make', () => {
    const pinned = vectorsOf('records');
    expect(records()).toEqual(pinned);
    const stored = pinned.map(({ name: key, hex: value }) => ({ key, value: bytesOf(value) }));
    const { apply, image } = sessionOf();
    apply(registerBatch({ instanceId: 'a' }, { ...full, namespace: 'default' }), header);
    apply(deregister('a'), { ...header, requestId: 'r' });
    const { appliedIndex, meta } = image();
    expect(meta.hash).toBe(vectorsOf('stateHash')[0]?.hex);
    // Throws if the pinned bytes do not make the pinned hash.
    createRegistry(registryDefaults, { appliedIndex, meta, records: stored });
  });

  test.for(vectorsOf('hashes'))('the hash of $name', ({ name, hex: pinned }) => {
    expect(hashText(hashRecord(name, new TextEncoder().encode(name)))).toBe(pinned);
  });
});
