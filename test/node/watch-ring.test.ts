// The ring's bounds, and the index that finds who is concerned by a change.
import { describe, expect, test } from 'vitest';
import { revision } from '../../src/lib/ids.ts';
import { AudienceIndex } from '../../src/node/watch-audience.ts';
import { WatchRing } from '../../src/node/watch-ring.ts';
import type { ChangeGroup } from '../../src/registry/index.ts';
import { createCatalogue, selector } from './catalogue.ts';

const unlimited = { floor: revision(0), maxChanges: 1e9, maxBytes: 1e9 };

function groupsOf(count: number, padding = 0): ChangeGroup[] {
  const catalogue = createCatalogue();
  const groups: ChangeGroup[] = [];
  for (let port = 1; port <= count; port++) {
    const { group } = catalogue.register({ id: 'a', port, padding });
    if (group !== undefined) groups.push(group);
  }
  return groups;
}

describe('the ring', () => {
  test('holds as many changes as it is allowed, and one group less at one change more (G17)', () => {
    const ring = new WatchRing({ ...unlimited, maxChanges: 3 });
    const [first, second, third, fourth] = groupsOf(4);
    for (const group of [first, second, third]) if (group !== undefined) ring.push(group);
    expect([ring.floor, ring.last, ring.above(revision(0))?.length]).toEqual([0, 3, 3]);
    if (fourth !== undefined) ring.push(fourth);
    expect([ring.floor, ring.last]).toEqual([1, 4]);
    expect(ring.above(revision(0))).toBeUndefined();
    expect(ring.at(revision(1))).toBeUndefined();
    expect(ring.above(revision(1))).toEqual([second, third, fourth]);
  });

  test('counts the changes of a group, and keeps the newest group however large it is', () => {
    const catalogue = createCatalogue();
    const ring = new WatchRing({ ...unlimited, maxChanges: 3 });
    const small = catalogue.register({ id: 'a' }).group;
    const large = catalogue.register(...['b', 'c', 'd', 'e'].map((id) => ({ id }))).group;
    for (const group of [small, large]) if (group !== undefined) ring.push(group);
    expect([ring.floor, ring.last]).toEqual([1, 2]);
    expect(ring.at(revision(2))).toBe(large);
  });

  test('keeps no more bytes of records than it is allowed (G17)', () => {
    const ring = new WatchRing({ ...unlimited, maxBytes: 20_000 });
    for (const group of groupsOf(100, 900)) ring.push(group);
    expect(ring.last - ring.floor).toBeLessThan(20);
    expect(ring.last - ring.floor).toBeGreaterThan(10);
  });

  test('refuses a gap and a repetition', () => {
    const [first, second] = groupsOf(2);
    const ring = new WatchRing(unlimited);
    expect(() => second && ring.push(second)).toThrow(/order of their revisions/);
    if (first !== undefined) ring.push(first);
    expect(() => first && ring.push(first)).toThrow(/order of their revisions/);
  });

  test('finds every group after thousands have come and gone', () => {
    const ring = new WatchRing({ ...unlimited, maxChanges: 100 });
    for (const group of groupsOf(5000)) {
      ring.push(group);
      expect(ring.at(ring.last)).toBe(group);
    }
    expect(ring.floor).toBe(4900);
    for (let at = 4901; at <= 5000; at++) expect(ring.at(revision(at))?.revision).toBe(at);
  });
});

describe('the audience index', () => {
  const index = new AudienceIndex<string>();
  const join = (name: string, parts: Parameters<typeof selector>[0]) => {
    const audience = index.of(selector(parts));
    index.join(audience, name);
    return audience;
  };
  const near = (namespace: string, service: string, movedTo?: string) => {
    const catalogue = createCatalogue();
    let { group } = catalogue.register({ id: 'a', namespace, service });
    if (movedTo !== undefined) {
      group = catalogue.register({ id: 'a', namespace, service: movedTo }).group;
    }
    const found = group === undefined ? [] : [...index.near(group)];
    return found.flatMap(({ readers }) => [...readers]).toSorted((a, b) => a.localeCompare(b));
  };

  test('finds exactly the selectors that read a service of the change, old or new', () => {
    const two = join('two', { services: ['s0', 's1'] });
    join('two again', { services: ['s0', 's1'] });
    join('all', {});
    join('everywhere', { namespace: '*' });
    join('s1 everywhere', { namespace: '*', services: ['s1'] });
    join('other namespace', { namespace: 'other' });
    expect(near('default', 's0')).toEqual(['all', 'everywhere', 'two', 'two again']);
    expect(near('default', 's2')).toEqual(['all', 'everywhere']);
    expect(near('other', 's1')).toEqual(['everywhere', 'other namespace', 's1 everywhere']);
    expect(near('default', 's2', 's1')).toEqual([
      'all',
      'everywhere',
      's1 everywhere',
      'two',
      'two again',
    ]);
    index.leave(two, 'two');
    index.leave(two, 'two again');
    expect(near('default', 's0')).toEqual(['all', 'everywhere']);
  });
});
