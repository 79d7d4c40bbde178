// Kept pages are dropped exactly when something they tell about changes, and the cache stays within its bytes.
import { describe, expect, test } from 'vitest';
import { type CacheScope, ListCache } from '../../../src/api/grpc/list-cache.ts';
import { type Revision, revision } from '../../../src/lib/ids.ts';
import type { ChangeGroup, InstanceRecord } from '../../../src/registry/index.ts';

const record = (namespace: string, serviceName: string): InstanceRecord => ({
  namespace,
  serviceName,
  instanceId: 'i',
  lifecycle: 'serving',
  maintenance: false,
  status: 'healthy',
  ttlMs: 30_000,
  generation: revision(1),
  revision: revision(1),
  registeredAtMs: 0,
  lastHeartbeatMs: 0,
  encoded: new Uint8Array(),
  bodyLength: 0,
});

/** A cache over a list of groups; `floor` is how far back they are known. */
function cacheOver(maxBytes = 1_000_000) {
  const groups: ChangeGroup[] = [];
  let floor = 0;
  const cache = new ListCache({
    maxBytes,
    changesAbove: (from) => (from < floor ? undefined : groups.slice(from)),
  });
  return {
    cache,
    now: () => revision(groups.length),
    change(before: InstanceRecord | undefined, after: InstanceRecord | undefined) {
      const at = revision(groups.length + 1);
      groups.push({ revision: at, changes: [{ before, after, reason: '', actor: '' }] });
    },
    forget() {
      floor = groups.length;
    },
  };
}

const page = (bytes = 10) => ({ items: Buffer.alloc(bytes), allUnhealthy: false });
const scopes: Readonly<Record<string, CacheScope>> = {
  web: { namespace: 'a', services: ['web'] },
  webAndApi: { namespace: 'a', services: ['api', 'web'] },
  namespace: { namespace: 'a', services: [] },
  webAnywhere: { namespace: '*', services: ['web'] },
  everything: { namespace: '*', services: [] },
  otherNamespace: { namespace: 'b', services: [] },
  otherService: { namespace: 'a', services: ['db'] },
};

function fill(world: ReturnType<typeof cacheOver>): void {
  for (const [key, scope] of Object.entries(scopes)) {
    world.cache.set(key, world.now(), scope, page());
  }
}
const kept = (world: ReturnType<typeof cacheOver>) =>
  Object.keys(scopes).filter((key) => world.cache.get(key, world.now()) !== undefined);

describe('a kept page', () => {
  test.for([
    ['a registration', undefined, record('a', 'web'), ['otherNamespace', 'otherService']],
    ['a removal', record('a', 'web'), undefined, ['otherNamespace', 'otherService']],
    ['a change', record('a', 'web'), record('a', 'web'), ['otherNamespace', 'otherService']],
    ['a move', record('a', 'db'), record('a', 'web'), ['otherNamespace']],
    [
      'a change elsewhere',
      undefined,
      record('c', 'cron'),
      ['web', 'webAndApi', 'namespace', 'webAnywhere', 'otherNamespace', 'otherService'],
    ],
  ] as const)('survives %s only when it does not tell about it', ([, before, after, wanted]) => {
    const world = cacheOver();
    fill(world);
    expect(kept(world)).toEqual(Object.keys(scopes));
    world.change(before, after);
    expect(kept(world)).toEqual(wanted);
  });

  test('is dropped when the changes since are no longer known', () => {
    const world = cacheOver();
    fill(world);
    world.change(undefined, record('c', 'cron'));
    world.change(undefined, record('c', 'cron'));
    world.forget();
    expect(kept(world)).toEqual([]);
    expect(world.cache.size).toBe(0);
  });

  test('that was made before a change is not kept beyond it', () => {
    const world = cacheOver();
    fill(world);
    world.change(undefined, record('a', 'web'));
    world.cache.set('web', world.now(), { namespace: 'a', services: ['web'] }, page());
    expect(kept(world)).toEqual(['web', 'otherNamespace', 'otherService']);
  });
});

describe('the cache', () => {
  const scope = { namespace: 'a', services: ['web'] };
  const at: Revision = revision(0);

  test('drops the least recently used first when it is full (G17)', () => {
    const { cache } = cacheOver(100_000);
    for (let count = 0; count < 20; count += 1) {
      cache.set(`k${count}`, at, scope, page(4000));
      cache.get('k0', at);
    }
    expect(cache.size).toBeLessThan(13);
    expect(cache.get('k0', at)).toBeDefined();
    expect(cache.get('k1', at)).toBeUndefined();
    expect(cache.get('k19', at)).toBeDefined();
  });

  test('keeps no page that would take more than its share, and nothing at all at 0 bytes', () => {
    const { cache } = cacheOver(100_000);
    cache.set('big', at, scope, page(10_000));
    expect(cache.get('big', at)).toBeUndefined();
    const none = cacheOver(0).cache;
    none.set('small', at, scope, page(1));
    expect(none.size).toBe(0);
  });
});
