// Lists, pages and summaries, now and as of older revisions, against filters over a plain copy of the state.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import {
  type ChangeGroup,
  decodeInstance,
  type InstanceRecord,
  type ListPosition,
  matches,
  matchesButForHealth,
  type Registry,
  type Selector,
  type ServiceSummary,
} from '../../src/registry/index.ts';
import { history, NAMESPACES, SERVICES, WINDOW_MS } from './arbitrary-command.ts';
import {
  deregister,
  register,
  registerBatch,
  selectorOf,
  sessionOf,
  setStatus,
  WHOLE,
} from './fixtures.ts';

const status = fc.constantFrom('starting', 'healthy', 'unhealthy', 'draining');
const selector: fc.Arbitrary<Selector> = fc.record({
  namespace: fc.constantFrom(...NAMESPACES, '*', 'none'),
  services: fc.oneof(
    fc.constant([]),
    fc.uniqueArray(fc.constantFrom(...SERVICES, 'zz')).map((names) => names.toSorted()),
  ),
  healthyOnly: fc.boolean(),
  tags: fc.constantFrom([], [], ['t'], ['t', 'u']),
  metadata: fc.constant(new Map()),
  zone: fc.constant(''),
  region: fc.constant(''),
  version: fc.constant(''),
  statuses: fc.uniqueArray(status, { maxLength: 2 }),
});

/** A registry's past: its records and summaries at each revision, as they were seen then. */
interface Seen {
  readonly records: readonly InstanceRecord[];
  readonly services: readonly ServiceSummary[];
}

function look(registry: Registry): Seen {
  const records = [...registry.records()].toSorted((left, right) =>
    sortKey(left) < sortKey(right) ? -1 : 1,
  );
  return { records, services: registry.services('*', undefined, 1_000).services };
}

function sortKey(record: InstanceRecord): string {
  return `${record.namespace} ${record.serviceName} ${record.instanceId}`;
}

/** All pages of a walk, each asked for with what the last one ended with. */
function walk(
  registry: Registry,
  asked: Selector,
  pageSize: number,
  undo: readonly ChangeGroup[] | undefined,
): readonly InstanceRecord[] {
  const records: InstanceRecord[] = [];
  let after: ListPosition | undefined;
  for (;;) {
    const page = registry.list(asked, after, { count: pageSize, bytes: 1e9 }, undo);
    expect(page.records.length).toBeLessThanOrEqual(pageSize);
    records.push(...page.records);
    after = page.records.at(-1);
    if (!page.more) return records;
    expect(page.records.length).toBe(pageSize);
  }
}

function walkServices(
  registry: Registry,
  namespace: string,
  pageSize: number,
  undo: readonly ChangeGroup[] | undefined,
): readonly ServiceSummary[] {
  const services: ServiceSummary[] = [];
  for (;;) {
    const page = registry.services(namespace, services.at(-1), pageSize, undo);
    expect(page.services.length).toBeLessThanOrEqual(pageSize);
    services.push(...page.services);
    if (!page.more) return services;
    expect(page.services.length).toBe(pageSize);
  }
}

describe('reads as of any revision', () => {
  const view = fc.record({ selector, pageSize: fc.integer({ min: 1, max: 4 }), back: fc.nat() });

  test('give what was seen at that revision: lists, pages, summaries and all_unhealthy', () => {
    let older = 0;
    let found = 0;
    fc.assert(
      fc.property(history, fc.array(view, { minLength: 4, maxLength: 8 }), (commands, views) => {
        const { registry } = sessionOf({ rememberAnswersMs: WINDOW_MS });
        const groups: ChangeGroup[] = [];
        const past: Seen[] = [look(registry)];
        for (const command of commands) {
          const { group } = registry.apply(command);
          if (group === undefined) continue;
          groups.push(group);
          past.push(look(registry));
        }
        for (const { selector: asked, pageSize, back } of views) {
          const at = registry.revision - (back % (registry.revision + 1));
          const undo = groups.slice(at);
          const seen = past[at];
          if (seen === undefined) throw new Error('every revision was looked at');
          const expected = seen.records.filter((record) => matches(asked, record));
          expect(walk(registry, asked, pageSize, undo)).toEqual(expected);
          const related = seen.records.filter((record) => matchesButForHealth(asked, record));
          expect(registry.allUnhealthy(asked, undo)).toBe(
            related.length > 0 && related.every((record) => record.status !== 'healthy'),
          );
          const { namespace } = asked;
          expect(walkServices(registry, namespace, pageSize, undo)).toEqual(
            seen.services.filter((one) => namespace === '*' || one.namespace === namespace),
          );
          if (undo.length > 0) older += 1;
          found += expected.length;
        }
      }),
      { numRuns: 150 },
    );
    expect(older).toBeGreaterThan(500);
    expect(found).toBeGreaterThan(500);
  });

  test('summaries count what there is, with the sorted union of tags', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const { registry } = sessionOf({ rememberAnswersMs: WINDOW_MS });
        for (const [index, command] of commands.entries()) {
          registry.apply(command);
          // Asked for now and then, so that tags are counted both at once and change by change.
          if (index % 7 !== 3) continue;
          for (const one of registry.services('*', undefined, 100).services) {
            const records = [...registry.records()].filter(
              (record) =>
                record.namespace === one.namespace && record.serviceName === one.serviceName,
            );
            expect(one.total).toBe(records.length);
            expect(one.healthy).toBe(records.filter((each) => each.status === 'healthy').length);
            const tags = new Set(records.flatMap((each) => decodeInstance(each.encoded).tags));
            expect(one.tags).toEqual([...tags].toSorted());
            expect(one.total).toBeGreaterThan(0);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('a service’s revision', () => {
  test('is that of the last change that touched it, a departure included', () => {
    const { apply, registry } = sessionOf();
    const revisions = () =>
      registry
        .services('default', undefined, 10)
        .services.map((one) => [one.serviceName, one.revision]);
    apply(registerBatch({ instanceId: 'a' }, { instanceId: 'b' }));
    apply(register({ instanceId: 'c', serviceName: 'orders' }));
    expect(revisions()).toEqual([
      ['orders', 2],
      ['payments', 1],
    ]);
    apply(deregister('a'));
    expect(revisions()).toContainEqual(['payments', 3]);
    apply(setStatus('b', { maintenance: true }));
    expect(revisions()).toContainEqual(['payments', 4]);
    // A move touches both services.
    apply(registerBatch({ instanceId: 'd' }));
    apply(register({ instanceId: 'd', serviceName: 'orders' }));
    expect(revisions()).toEqual([
      ['orders', 6],
      ['payments', 6],
    ]);
  });
});

describe('pages', () => {
  test('end at the byte limit, and hold at least one instance', () => {
    const { apply, registry } = sessionOf();
    for (let n = 0; n < 9; n++) apply(register({ instanceId: `i${n}` }));
    const size = registry.get('default', 'i0')?.encoded.length ?? 0;
    const page = (bytes: number) => registry.list(selectorOf(), undefined, { count: 100, bytes });
    expect(page(1).records).toHaveLength(1);
    expect(page(3 * size)).toMatchObject({ more: true, records: { length: 3 } });
    expect(page(3 * size - 1).records).toHaveLength(2);
    expect(page(9 * size)).toMatchObject({ more: false, records: { length: 9 } });
  });

  test('say that nothing remains when only others remain', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }));
    apply(register({ instanceId: 'b', lifecycle: 'draining' }));
    const one = { count: 1, bytes: 1e6 };
    const healthy = selectorOf({ healthyOnly: true });
    expect(registry.list(healthy, undefined, one).more).toBe(false);
    expect(registry.list(selectorOf(), undefined, one).more).toBe(true);
    expect(registry.list(selectorOf({ tags: ['none'] }), undefined, one).records).toEqual([]);
  });

  test('go on after a position that is no longer there', () => {
    const { apply, registry } = sessionOf();
    for (const id of ['a', 'c']) apply(register({ instanceId: id, serviceName: 'm' }));
    apply(register({ instanceId: 'a', serviceName: 'z' }));
    const from = (serviceName: string, instanceId: string) =>
      registry
        .list(selectorOf(), { namespace: 'default', serviceName, instanceId }, WHOLE)
        .records.map((record) => `${record.serviceName}/${record.instanceId}`);
    expect(from('m', 'b')).toEqual(['m/c', 'z/a']);
    expect(from('n', 'b')).toEqual(['z/a']);
    expect(from('zz', '')).toEqual([]);
  });
});

describe('S1: a lookup by service and status', () => {
  test('reads only the instances it hands out, in a service of 8 000 with 3 healthy ones', () => {
    const { apply, registry } = sessionOf();
    const random = seededRandom(1);
    for (let n = 0; n < 8_000; n++) {
      const healthy = n % 3_000 === 1;
      const instanceId = `i${random.integer(0, 1e9)}-${n}`;
      apply(register({ instanceId, lifecycle: healthy ? 'serving' : 'starting' }));
    }
    let reads = 0;
    for (const record of registry.records()) {
      for (const [field, value] of Object.entries(record)) {
        const get = () => {
          reads += 1;
          return value;
        };
        Object.defineProperty(record, field, { get });
      }
    }
    const healthy = selectorOf({ services: ['payments'], healthyOnly: true });
    const { records, more } = registry.list(healthy, undefined, WHOLE);
    expect(records).toHaveLength(3);
    expect(more).toBe(false);
    expect(registry.allUnhealthy(healthy)).toBe(false);
    // A few for each of the instances handed out; one for each instance would be 8 000.
    expect(reads).toBeLessThan(100);
    expect(registry.services('default', undefined, 1).services).toMatchObject([
      { healthy: 3, total: 8_000 },
    ]);
  });
});
