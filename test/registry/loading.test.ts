// A registry's content built piece by piece, and taken over in one step: it is the one that a restart would find.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createRegistryLoader,
  type LoadedRegistry,
  type Registry,
  type RegistryImage,
  type StoredRecord,
} from '../../src/registry/index.ts';
import { HISTORY_LIMITS, history } from './arbitrary-command.ts';
import {
  deregister,
  register,
  registerBatch,
  selectorOf,
  type Session,
  sessionOf,
  WHOLE,
} from './fixtures.ts';

function load(image: RegistryImage, slice = 3): LoadedRegistry | undefined {
  const loader = createRegistryLoader();
  const records = [...image.records];
  for (let at = 0; at < records.length; at += slice) loader.add(records.slice(at, at + slice));
  return loader.finish(image.meta);
}

function taken(target: Registry, image: RegistryImage, slice?: number): void {
  const loaded = load(image, slice);
  if (loaded === undefined) throw new Error('the records have the hash of the image');
  expect(loaded.instanceCount).toBe([...image.records].filter(({ key }) => key[0] === 'i').length);
  target.replace(loaded);
}

/** Everything that a reader sees. */
function lookOf(registry: Registry): unknown {
  return {
    meta: registry.meta(),
    revision: registry.revision,
    count: registry.instanceCount,
    records: [...registry.records()].toSorted((a, b) =>
      `${a.namespace} ${a.instanceId}` < `${b.namespace} ${b.instanceId}` ? -1 : 1,
    ),
    services: registry.services('*', undefined, 1000),
    list: registry.list(selectorOf({ namespace: '*' }), undefined, WHOLE),
  };
}

/** Instances of two services, one departure, answers remembered in another order than that of their keys. */
function busySession(): Session {
  const session = sessionOf();
  for (const id of ['z', 'm', 'a', 'q']) {
    session.apply(register({ instanceId: id }), { requestId: `r-${id}`, registryTimeMs: 10 });
  }
  session.apply(registerBatch({ instanceId: 'b', serviceName: 'other', tags: ['t'] }));
  session.apply(deregister('m'), { requestId: 'gone', registryTimeMs: 20 });
  return session;
}

/** Distinct, in an order of their own. */
const idOf = (n: number): string => `r-${(n * 7919) % 100_003}`;

describe('replace', () => {
  test('after any history gives what a restart gives, and goes on in the same way', () => {
    fc.assert(
      fc.property(
        history,
        history,
        history,
        fc.integer({ min: 1, max: 9 }),
        (past, other, future, slice) => {
          const source = sessionOf(HISTORY_LIMITS);
          for (const command of past) source.registry.apply(command);
          const image = source.image();
          const target = sessionOf(HISTORY_LIMITS);
          for (const command of other) target.registry.apply(command);
          taken(target.registry, image, slice);
          expect(target.registry.takeDirty()).toEqual([]);
          expect(lookOf(target.registry)).toEqual(lookOf(source.registry));
          for (const command of future) {
            expect(target.registry.apply(command)).toEqual(source.registry.apply(command));
          }
          expect(lookOf(target.registry)).toEqual(lookOf(source.registry));
          expect(target.registry.takeDirty()).toEqual(source.registry.takeDirty());
        },
      ),
      { numRuns: 100 },
    );
  });

  test('takes records in any order', () => {
    const source = busySession();
    const image = source.image();
    const records = [...image.records];
    for (const order of [
      records.toReversed(),
      records.toSorted((a, b) => (a.key.slice(2) < b.key.slice(2) ? -1 : 1)),
    ]) {
      const target = sessionOf();
      taken(target.registry, { ...image, records: order });
      expect(lookOf(target.registry)).toEqual(lookOf(source.registry));
    }
  });

  test('G4: an answer given before the snapshot is given again after it, and is forgotten in its turn', () => {
    const source = busySession();
    const target = sessionOf({ maxRememberedAnswers: 5 });
    taken(target.registry, source.image());
    const again = { requestId: 'r-z', registryTimeMs: 30 };
    const { result } = target.apply(register({ instanceId: 'z' }), again);
    expect(result).toEqual({ kind: 'registered', revision: 1, generations: [1] });
    // A sixth answer pushes out the oldest, which is that of z and not the first by its key.
    target.apply(register({ instanceId: 'new' }), { requestId: 'r-new', registryTimeMs: 31 });
    const keys = target.registry.takeDirty().filter(({ value }) => value === undefined);
    expect(keys.map(({ key }) => key)).toEqual(['d/register/r-z']);
  });

  test('G4: thousands of answers are forgotten in the order in which they were given', () => {
    const count = 2500;
    const limits = { maxRememberedAnswers: count };
    const source = sessionOf(limits);
    for (let n = 0; n < count; n++) {
      source.apply(register({ instanceId: 'a', port: 1 + n }), { requestId: idOf(n) });
    }
    const target = sessionOf(limits);
    taken(target.registry, source.image(), 100);
    const forgotten: string[] = [];
    for (let n = 0; n < count; n++) {
      target.apply(deregister('nobody'), { requestId: `new-${n}` });
      for (const { key, value } of target.registry.takeDirty()) {
        if (value === undefined) forgotten.push(key);
      }
    }
    expect(forgotten).toEqual(Array.from({ length: count }, (_, n) => `d/register/${idOf(n)}`));
  });

  test('nothing of before is left, whatever was asked before', () => {
    const target = sessionOf();
    for (let n = 0; n < 50; n++) target.apply(register({ instanceId: `old-${n}`, tags: ['x'] }));
    target.registry.services('*', undefined, 10);
    target.registry.scrub(7);
    const source = busySession();
    taken(target.registry, source.image());
    expect(target.registry.get('default', 'old-3')).toBeUndefined();
    expect(target.registry.answerIfUnchanged(register({ instanceId: 'old-3', tags: ['x'] }))).toBe(
      undefined,
    );
    expect(lookOf(target.registry)).toEqual(lookOf(source.registry));
  });

  test('G12: the scrub goes over the new content from its beginning', () => {
    const target = sessionOf();
    for (let n = 0; n < 50; n++) target.apply(register({ instanceId: `old-${n}` }));
    target.registry.scrub(20);
    const source = busySession();
    taken(target.registry, source.image());
    const record = target.registry.get('default', 'q');
    if (record === undefined) throw new Error('it was registered');
    record.encoded[5] = (record.encoded[5] ?? 0) ^ 1;
    expect(target.registry.scrub(1000)).toBe(1);
    expect(target.registry.scrub(1000)).toBe(0);
  });

  test('G12: damage that was found before stays in the hash', () => {
    const target = busySession();
    const record = target.registry.get('default', 'q');
    if (record === undefined) throw new Error('it was registered');
    record.encoded[5] = (record.encoded[5] ?? 0) ^ 1;
    expect(target.registry.scrub(1000)).toBe(1);
    const source = busySession();
    taken(target.registry, source.image());
    expect(target.registry.meta().hash).not.toBe(source.registry.meta().hash);
    expect(target.registry.scrub(1000)).toBe(0);
  });

  test('takes the content of a loader once', () => {
    const target = sessionOf();
    const loaded = load(busySession().image());
    if (loaded === undefined) throw new Error('the records have the hash of the image');
    target.registry.replace(loaded);
    expect(() => target.registry.replace(loaded)).toThrow('once');
  });
});

describe('a loader', () => {
  test('refuses records that lack any one of the image’s, answers and departures included', () => {
    const image = busySession().image();
    const records = [...image.records];
    expect(new Set(records.map(({ key }) => key[0]))).toEqual(new Set(['d', 'i', 's']));
    for (const left of records) {
      const rest = records.filter((record) => record !== left);
      // Without its departure the service is whole; without its instances the departure has no service.
      expect(load({ ...image, records: rest })).toBeUndefined();
    }
  });

  test('refuses another revision or registry time', () => {
    const image = busySession().image();
    const { revision, registryTimeMs } = image.meta;
    const other = { ...image.meta, registryTimeMs: registryTimeMs + 1 };
    expect(load({ ...image, meta: other })).toBeUndefined();
    const later = { ...image.meta, revision: (revision + 1) as typeof revision };
    expect(load({ ...image, meta: later })).toBeUndefined();
  });

  test('refuses a record that comes twice', () => {
    const image = busySession().image();
    const records = [...image.records];
    for (const type of ['i', 's', 'd']) {
      const twice = records.filter(({ key }) => key[0] === type).slice(0, 1);
      const attempt = (): LoadedRegistry | undefined =>
        load({ ...image, records: [...records, ...twice] });
      if (type === 'i') expect(attempt()).toBeUndefined();
      else expect(attempt).toThrow('once');
    }
  });

  test('throws for what no version writes', () => {
    const strange: readonly StoredRecord[] = [
      { key: 'x/a/b', value: new Uint8Array(3) },
      { key: 'nonsense', value: new Uint8Array(3) },
      { key: 'i/default/a', value: undefined },
    ];
    for (const record of strange) {
      expect(() => createRegistryLoader().add([record])).toThrow(/record|deletions/);
    }
    const lonely = createRegistryLoader();
    const departure = [...busySession().image().records].filter(({ key }) => key[0] === 's');
    lonely.add(departure);
    expect(() => lonely.finish(busySession().registry.meta())).toThrow('departure');
  });

  test('keeps nothing of memory that others share', () => {
    const source = busySession();
    const image = source.image();
    const records = [...image.records].map(({ key, value = new Uint8Array() }) => {
      const shared = new Uint8Array(value.length + 8);
      shared.set(value, 4);
      return { key, value: shared.subarray(4, 4 + value.length), shared };
    });
    const target = sessionOf();
    const loaded = load({ ...image, records });
    for (const { shared } of records) shared.fill(0xff);
    if (loaded === undefined) throw new Error('the records have the hash of the image');
    target.registry.replace(loaded);
    expect(target.registry.scrub(1000)).toBe(0);
    expect(lookOf(target.registry)).toEqual(lookOf(source.registry));
    const repeat = { requestId: 'gone', registryTimeMs: 21 };
    expect(target.apply(deregister('m'), repeat).result).toMatchObject({ existed: true });
  });

  test('takes nothing more once it has finished', () => {
    const loader = createRegistryLoader();
    loader.finish(sessionOf().registry.meta());
    expect(() => loader.add([])).toThrow('finished');
    expect(() => loader.finish(sessionOf().registry.meta())).toThrow('once');
  });
});
