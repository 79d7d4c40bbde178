// Commands and answers survive their arrays, and what is not one of ours is refused by a typed error.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/lib/assert.ts';
import { UnknownFormatError } from '../../src/lib/unknown-format.ts';
import { revision } from '../../src/lib/ids.ts';
import { pack, unpack } from '../../src/registry/positional.ts';
import {
  type ApplyResult,
  applyResultFromArray,
  applyResultToArray,
  type Command,
  type CommandBody,
  commandBodyFromArray,
  commandBodyToArray,
  decodeCommand,
  encodeCommand,
  fingerprintOf,
  MalformedArrayError,
} from '../../src/registry/index.ts';
import { commandOf, deregister, register, registerBatch } from './fixtures.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const count = fc.maxSafeNat();
const generation = count.map(revision);
const lifecycle = fc.constantFrom('serving', 'starting', 'draining');
const item = fc.record({
  namespace: text,
  serviceName: text,
  instanceId: text,
  lifecycle,
  ttlMs: count,
  body: fc.uint8Array({ maxLength: 300 }),
});
const body: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({ kind: fc.constant('register' as const), item, ifGeneration: generation }),
  fc.record({ kind: fc.constant('registerBatch' as const), items: fc.array(item) }),
  fc.record({
    kind: fc.constant('deregister' as const),
    namespace: text,
    instanceId: text,
    generation,
    reason: text,
  }),
  fc.record({
    kind: fc.constant('setStatus' as const),
    namespace: text,
    instanceId: text,
    generation,
    lifecycle: fc.option(lifecycle, { nil: undefined }),
    maintenance: fc.option(fc.boolean(), { nil: undefined }),
    reason: text,
  }),
  fc.record({
    kind: fc.constant('expire' as const),
    items: fc.array(fc.record({ namespace: text, instanceId: text, generation })),
  }),
);
const command: fc.Arbitrary<Command> = fc.record({
  header: fc.record({
    registryTimeMs: count,
    unixTimeMs: count,
    actor: text,
    requestId: text,
    limits: fc.record({
      maxInstances: count,
      maxRememberedAnswers: count,
      rememberAnswersMs: count,
    }),
  }),
  fingerprint: text,
  body,
});
const result: fc.Arbitrary<ApplyResult> = fc.oneof(
  fc.record({
    kind: fc.constant('registered' as const),
    revision: generation,
    generations: fc.array(generation),
  }),
  fc.record({
    kind: fc.constant('deregistered' as const),
    revision: generation,
    existed: fc.boolean(),
  }),
  fc.record({
    kind: fc.constantFrom('statusSet' as const, 'notFound', 'requestIdReused'),
    revision: generation,
  }),
  fc.record({ kind: fc.constant('expired' as const), revision: generation, count }),
  fc.record({
    kind: fc.constant('generationNotCurrent' as const),
    revision: generation,
    current: generation,
  }),
  fc.record({ kind: fc.constant('tooManyInstances' as const), revision: generation, limit: count }),
);

describe('a command', () => {
  test('survives the log', () => {
    fc.assert(
      fc.property(command, (given) => {
        expect(decodeCommand(encodeCommand(given))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  test('is encoded and decoded in memory of exactly its size', () => {
    const encoded = encodeCommand(commandOf(register({ instanceId: 'a' })));
    expect(encoded.buffer.byteLength).toBe(encoded.length);
    const decoded = decodeCommand(encoded);
    if (decoded.body.kind !== 'register') throw new Error('a register was encoded');
    expect(decoded.body.item.body.buffer.byteLength).toBe(decoded.body.item.body.length);
  });

  test('of a newer format stops the node and names the version', () => {
    const newer = pack([2, 0, 0, '', '', '', [1], 'something new']);
    expect(() => decodeCommand(newer)).toThrow(UnknownFormatError);
    expect(() => decodeCommand(newer)).toThrow(/command format 2.*reads format 1/);
  });

  test('that is none stops the node', () => {
    for (const bytes of [
      new Uint8Array(),
      new Uint8Array([0xc1]),
      pack([1, 2]),
      pack([1, -1, 0, '', '', '', [3, 'n', 'i', 0, '']]),
      pack([1, 0.5, 0, '', '', '', [3, 'n', 'i', 0, '']]),
      pack([1, 0, 0, '', '', '', [9]]),
    ]) {
      expect(() => decodeCommand(bytes)).toThrow(InvariantError);
    }
  });

  test('with a time that is no whole number is refused before it reaches the log', () => {
    const fraction = commandOf(deregister('a'), { registryTimeMs: 0.5 });
    expect(() => encodeCommand(fraction)).toThrow(InvariantError);
  });
});

describe('a body on its way between nodes', () => {
  test('survives its array, also inside other msgpack', () => {
    fc.assert(
      fc.property(body, (given) => {
        expect(commandBodyFromArray(unpack(pack(commandBodyToArray(given))))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  test('garbage is refused by a typed error, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), (garbage) => {
        expect(() => commandBodyFromArray(garbage)).toThrow(MalformedArrayError);
      }),
      { numRuns: 500 },
    );
  });

  test('one spoiled field is refused by a typed error', () => {
    fc.assert(
      fc.property(body, fc.nat(), (given, where) => {
        const array = [...commandBodyToArray(given)];
        array[where % array.length] = Symbol.iterator;
        expect(() => commandBodyFromArray(array)).toThrow(MalformedArrayError);
        expect(() => commandBodyFromArray(array.slice(0, -1))).toThrow(MalformedArrayError);
        expect(() => commandBodyFromArray([...commandBodyToArray(given), 0])).toThrow(
          MalformedArrayError,
        );
      }),
    );
  });
});

describe('an answer on its way between nodes', () => {
  test('survives its array', () => {
    fc.assert(
      fc.property(result, (given) => {
        expect(applyResultFromArray(unpack(pack(applyResultToArray(given))))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  test('garbage is refused by a typed error', () => {
    fc.assert(
      fc.property(fc.anything(), (garbage) => {
        expect(() => applyResultFromArray(garbage)).toThrow(MalformedArrayError);
      }),
    );
    fc.assert(
      fc.property(result, (given) => {
        const array = applyResultToArray(given);
        expect(() => applyResultFromArray([...array, 1])).toThrow(MalformedArrayError);
        expect(() => applyResultFromArray(array.slice(0, -1))).toThrow(MalformedArrayError);
      }),
    );
  });
});

describe('the fingerprint', () => {
  test('is 16 hex digits and tells bodies apart', () => {
    const bodies = [
      register({ instanceId: 'a' }),
      register({ instanceId: 'b' }),
      register({ instanceId: 'a', port: 2 }),
      register({ instanceId: 'a', lifecycle: 'draining' }),
      register({ instanceId: 'a' }, 1),
      registerBatch({ instanceId: 'a' }),
      deregister('a'),
      deregister('a', 1),
      deregister('a', 0, 'why'),
    ];
    const fingerprints = bodies.map(fingerprintOf);
    for (const fingerprint of fingerprints) expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(new Set(fingerprints).size).toBe(bodies.length);
  });

  test('is the same for the body that comes out of the log or from a peer', () => {
    fc.assert(
      fc.property(command, (given) => {
        const { body: again } = decodeCommand(encodeCommand(given));
        expect(fingerprintOf(again)).toBe(fingerprintOf(given.body));
      }),
    );
  });
});
