// Selectors against a plain reading of the decoded instance.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalSelector,
  decodeInstance,
  type InstanceRecord,
  matches,
  matchesButForHealth,
  type Selector,
} from '../../src/registry/index.ts';
import { type ItemFields, register, selectorOf, sessionOf, setStatus } from './fixtures.ts';

function recordOf(fields: ItemFields, maintenance = false): InstanceRecord {
  const { apply, registry } = sessionOf();
  apply(register({ ...fields, namespace: 'default', instanceId: 'a' }));
  if (maintenance) apply(setStatus('a', { maintenance }));
  const record = registry.get('default', 'a');
  if (record === undefined) throw new Error('the instance was registered');
  return record;
}

/** The meaning of a selector without any cleverness. */
function means(selector: Selector, record: InstanceRecord): boolean {
  const instance = decodeInstance(record.encoded);
  const { status } = record;
  return (
    (selector.namespace === '*' || selector.namespace === instance.namespace) &&
    (selector.services.length === 0 || selector.services.includes(instance.serviceName)) &&
    (!selector.healthyOnly || status === 'healthy') &&
    (selector.statuses.length === 0 || selector.statuses.includes(status)) &&
    selector.tags.every((label) => instance.tags.includes(label)) &&
    [...selector.metadata].every(([key, value]) => instance.metadata.get(key) === value) &&
    (selector.zone === '' || selector.zone === instance.zone) &&
    (selector.region === '' || selector.region === instance.region) &&
    (selector.version === '' || selector.version === instance.version)
  );
}

// Few words in many places, so that a match in the wrong field would show.
const word = fc.constantFrom('', 'x', 'y', 'ü', 'xy');
const name = fc.constantFrom('x', 'y', 'ü', 'xy');
const pairs = fc.array(fc.tuple(name, word), { maxLength: 3 }).map((given) => new Map(given));
const item = fc.record({
  serviceName: fc.constantFrom('x', 'y'),
  host: name,
  tags: fc.uniqueArray(name, { maxLength: 3 }),
  metadata: pairs,
  ports: fc.constantFrom(new Map(), new Map([['x', 1]])),
  zone: word,
  region: word,
  version: word,
  lifecycle: fc.constantFrom('serving', 'starting', 'draining'),
});
const status = fc.constantFrom('starting', 'healthy', 'unhealthy', 'draining');
// Mostly silent about each part, so that all parts together are not beyond any instance.
const rarely = <T>(silent: T, asked: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(silent), weight: 3 }, { arbitrary: asked, weight: 1 });
const selector: fc.Arbitrary<Selector> = fc.record({
  namespace: rarely('default', fc.constantFrom('*', 'other')),
  services: rarely([], fc.uniqueArray(fc.constantFrom('x', 'y', 'z'), { maxLength: 2 })),
  healthyOnly: rarely(false, fc.constant(true)),
  tags: rarely([], fc.array(name, { maxLength: 2 })),
  metadata: rarely(new Map(), pairs),
  zone: rarely('', word),
  region: rarely('', word),
  version: rarely('', word),
  statuses: rarely([], fc.uniqueArray(status, { maxLength: 2 })),
});

const asked = (key: string, value: string) => selectorOf({ metadata: new Map([[key, value]]) });

describe('matches', () => {
  test('agrees with a plain reading of the instance', () => {
    let hits = 0;
    fc.assert(
      fc.property(selector, item, fc.boolean(), (given, fields, maintenance) => {
        const record = recordOf(fields, maintenance);
        const expected = means(given, record);
        if (expected) hits += 1;
        expect(matches(given, record)).toBe(expected);
        const anyHealth = { ...given, healthyOnly: false, statuses: [] };
        expect(matchesButForHealth(given, record)).toBe(means(anyHealth, record));
      }),
      { numRuns: 1_500 },
    );
    expect(hits).toBeGreaterThan(50);
  });

  test.for([
    ['zone', { zone: 'z' }],
    ['region', { region: 'z' }],
    ['version', { version: 'z' }],
    ['tag', { tags: ['t', 'z'] }],
    ['repeated tag', { tags: ['z', 'z'] }],
    ['metadata', { metadata: new Map([['k', '']]) }],
    ['several at once', { zone: 'z', tags: ['z'], metadata: new Map([['k', '']]), region: 'z' }],
  ] as const)('finds an instance by its %s, and not another without it', ([, parts]) => {
    const fields = {
      zone: 'z',
      region: 'z',
      version: 'z',
      tags: ['z', 't'],
      metadata: new Map([
        ['j', 'v'],
        ['k', ''],
      ]),
    };
    expect(matches(selectorOf(parts), recordOf(fields))).toBe(true);
    expect(matches(selectorOf(parts), recordOf({ host: 'z', serviceName: 'z' }))).toBe(false);
  });

  test('metadata matches key and value together', () => {
    const record = recordOf({
      metadata: new Map([
        ['a', 'b'],
        ['b', 'a'],
      ]),
    });
    expect(matches(asked('a', 'b'), record)).toBe(true);
    expect(matches(asked('a', 'a'), record)).toBe(false);
    expect(matches(asked('a', ''), record)).toBe(false);
  });
});

describe('the canonical text', () => {
  test('is the same for selectors that mean the same', () => {
    const one = selectorOf({
      services: ['a', 'b'],
      tags: ['x', 'y', 'x'],
      metadata: new Map([
        ['k', '1'],
        ['j', '2'],
      ]),
      statuses: ['healthy'],
    });
    const other = selectorOf({
      services: ['b', 'a'],
      tags: ['y', 'x'],
      metadata: new Map([
        ['j', '2'],
        ['k', '1'],
      ]),
      healthyOnly: true,
    });
    expect(canonicalSelector(one)).toBe(canonicalSelector(other));
  });

  test('differs where one takes an instance that the other does not', () => {
    fc.assert(
      fc.property(selector, selector, item, (left, right, fields) => {
        const record = recordOf(fields);
        if (matches(left, record) === matches(right, record)) return;
        expect(canonicalSelector(left)).not.toBe(canonicalSelector(right));
      }),
      { numRuns: 500 },
    );
  });
});
