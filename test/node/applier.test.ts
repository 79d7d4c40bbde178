// Where the applier stands, and what it does when the state under it is exchanged.
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/lib/assert.ts';
import { logIndex, term } from '../../src/lib/ids.ts';
import { Applier, nothingApplied, pointOf } from '../../src/node/applier.ts';
import type { EntryKind, LogEntry } from '../../src/raft/index.ts';
import { createCatalogue } from './catalogue.ts';

const entry = (index: number, kind: EntryKind = 'noop', inTerm = 1): LogEntry => ({
  index: logIndex(index),
  term: term(inTerm),
  kind,
  payload: new Uint8Array([index]),
});
const point = (index: number) => ({
  index: logIndex(index),
  term: term(3),
  configuration: { index: logIndex(2), payload: new Uint8Array([9]) },
});

function harness(start = nothingApplied) {
  const applied: number[] = [];
  const applier = new Applier({
    registry: createCatalogue().registry,
    start,
    publish: () => undefined,
    applied: ({ index }) => applied.push(index),
    hashDue: () => undefined,
  });
  return { applier, applied };
}

describe('the applier', () => {
  test('knows index, term and configuration of where it stands', () => {
    const { applier } = harness();
    expect(applier.point).toEqual(nothingApplied);
    applier.add([entry(1, 'bootstrap'), entry(2), entry(3, 'membership', 2), entry(4, 'noop', 5)]);
    const configurations: number[] = [];
    const terms: number[] = [];
    while (applier.run(1)) {
      configurations.push(applier.point.configuration.index);
      terms.push(applier.point.term);
    }
    expect([...configurations, applier.point.configuration.index]).toEqual([1, 1, 3, 3]);
    expect([...terms, applier.point.term]).toEqual([1, 1, 2, 5]);
    expect(applier.point.configuration.payload).toEqual(new Uint8Array([3]));
  });

  test('applies nothing while a snapshot is put in place, and then what comes after it', () => {
    const { applier, applied } = harness();
    applier.add([entry(1), entry(2), entry(3)]);
    applier.run(1);
    applier.hold();
    expect(applier.run(10)).toBe(false);
    expect(applied).toEqual([1]);
    applier.add([entry(4), entry(5), entry(6)]);
    applier.moveTo(point(4));
    expect(applier.point).toEqual(point(4));
    expect(applier.run(10)).toBe(false);
    expect(applied).toEqual([1, 5, 6]);
    expect(applier.point.configuration).toEqual(point(4).configuration);
  });

  test('stands where its registry does from the first moment on', () => {
    expect(harness(point(7)).applier.point).toEqual(point(7));
    const image = {
      appliedIndex: logIndex(7),
      appliedTerm: 3,
      configuration: point(7).configuration,
    };
    expect(pointOf(image)).toEqual(point(7));
    expect(pointOf({ ...image, appliedIndex: logIndex(0) })).toEqual(nothingApplied);
  });

  test('never goes back, and leaves no gap', () => {
    const { applier } = harness();
    applier.moveTo(point(7));
    expect(() => applier.moveTo(point(6))).toThrow(InvariantError);
    applier.add([entry(9)]);
    expect(() => applier.run(1)).toThrow(InvariantError);
  });
});
