// G12: bytes that change by themselves in memory show in the state hash, and stay visible.
import { describe, expect, test } from 'vitest';
import type { Registry } from '../../src/registry/index.ts';
import { deregister, register, type Session, sessionOf } from './fixtures.ts';

function twoNodes(): readonly [Session, Session] {
  const nodes = [sessionOf(), sessionOf()] as const;
  for (const { apply } of nodes) {
    for (let n = 0; n < 20; n++) {
      apply(register({ instanceId: `i${n}` }), { requestId: n % 2 === 0 ? `r${n}` : '' });
    }
    apply(deregister('i7'));
  }
  return nodes;
}

/** What a stray bit does. */
function flip(registry: Registry, instanceId: string, at: number): void {
  const record = registry.get('default', instanceId);
  if (record === undefined) throw new Error('the instance was registered');
  const position = at < 0 ? record.encoded.length + at : at;
  record.encoded[position] = (record.encoded[position] ?? 0) ^ 1;
}

describe('G12: scrub', () => {
  test('finds nothing in sound memory and changes nothing', () => {
    const [{ registry }] = twoNodes();
    const before = registry.meta();
    for (let round = 0; round < 5; round++) expect(registry.scrub(11)).toBe(0);
    expect(registry.meta()).toEqual(before);
  });

  test.for([
    ['first', 0],
    ['middle', 20],
    ['last', -1],
  ] as const)('one flipped bit in the %s byte changes this node’s hash, once', ([, at]) => {
    const [damaged, sound] = twoNodes();
    flip(damaged.registry, 'i3', at);
    expect(damaged.registry.meta()).toEqual(sound.registry.meta());
    let found = 0;
    // 19 instances, one departure and ten answers.
    for (let looked = 0; looked < 30; looked += 5) found += damaged.registry.scrub(5);
    expect(found).toBe(1);
    const { hash } = damaged.registry.meta();
    expect(hash).not.toBe(sound.registry.meta().hash);
    expect(damaged.registry.scrub(1_000)).toBe(0);
    expect(damaged.registry.meta().hash).toBe(hash);
  });

  test('the difference stays when the damaged record is replaced or removed before or after the scrub', () => {
    for (const order of ['before', 'after'] as const) {
      for (const body of [register({ instanceId: 'i3', port: 9 }), deregister('i3')]) {
        const [damaged, sound] = twoNodes();
        flip(damaged.registry, 'i3', 20);
        if (order === 'after') damaged.registry.scrub(1_000);
        damaged.apply(body);
        sound.apply(body);
        damaged.registry.scrub(1_000);
        expect(damaged.registry.meta().hash).not.toBe(sound.registry.meta().hash);
        expect(damaged.registry.meta().revision).toBe(sound.registry.meta().revision);
      }
    }
  });

  test('a bit that flips back is not forgotten', () => {
    const [damaged, sound] = twoNodes();
    flip(damaged.registry, 'i3', 20);
    damaged.registry.scrub(1_000);
    flip(damaged.registry, 'i3', 20);
    expect(damaged.registry.scrub(1_000)).toBe(1);
    expect(damaged.registry.meta().hash).not.toBe(sound.registry.meta().hash);
  });

  test('a walk goes on while records come and go', () => {
    const { apply, registry } = sessionOf();
    for (let n = 0; n < 50; n++) apply(register({ instanceId: `i${n}` }));
    for (let n = 0; n < 50; n++) {
      expect(registry.scrub(3)).toBe(0);
      apply(deregister(`i${n}`));
      apply(register({ instanceId: `j${n}` }));
    }
    flip(registry, 'j49', 0);
    let found = 0;
    for (let round = 0; round < 60; round++) found += registry.scrub(3);
    expect(found).toBe(1);
  });

  test('what a restart finds after damage is told from what was meant', () => {
    const [damaged] = twoNodes();
    flip(damaged.registry, 'i3', 20);
    damaged.registry.scrub(1_000);
    const image = damaged.image();
    expect(() => sessionOf({}, image)).toThrow('the records of an image have the hash');
  });
});
