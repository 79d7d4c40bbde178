// The rules of the public contract that are the state machine's, one test for each sentence.
import { describe, expect, test } from 'vitest';
import { decodeInstance } from '../../src/registry/index.ts';
import {
  deregister,
  expire,
  NONE,
  register,
  registerBatch,
  rev,
  sessionOf,
  setStatus,
} from './fixtures.ts';

describe('register', () => {
  test('a new instance gets generation = revision = the revision of the answer', () => {
    const { apply, registry } = sessionOf();
    const { result, group } = apply(register({ instanceId: 'a' }), { unixTimeMs: 5_000 });
    expect(result).toEqual({ kind: 'registered', revision: rev(1), generations: [rev(1)] });
    expect(registry.get('default', 'a')).toMatchObject({
      generation: 1,
      revision: 1,
      status: 'healthy',
      registeredAtMs: 5_000,
      lastHeartbeatMs: 5_000,
    });
    expect(group).toMatchObject({ revision: 1, changes: [{ before: undefined, reason: '' }] });
    expect(registry.revision).toBe(1);
    expect(registry.instanceCount).toBe(1);
  });

  test('an unchanged one uses no revision and answers the existing generation and the current revision', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }), { unixTimeMs: 1 });
    apply(register({ instanceId: 'b' }));
    const { result, group } = apply(register({ instanceId: 'a' }), { unixTimeMs: 9 });
    expect(result).toEqual({ kind: 'registered', revision: rev(2), generations: [rev(1)] });
    expect(group).toBeUndefined();
    expect(registry.revision).toBe(2);
    expect(registry.get('default', 'a')?.lastHeartbeatMs).toBe(1);
  });

  test.for([
    ['host', { host: '10.0.0.2' }],
    ['port', { port: 8081 }],
    ['metadata', { metadata: new Map([['k', 'v']]) }],
    ['tags', { tags: ['t'] }],
    ['version', { version: '2' }],
    ['region', { region: 'r' }],
    ['zone', { zone: 'z' }],
    ['weight', { weight: 1 }],
    ['ports', { ports: new Map([['admin', 1]]) }],
    ['ttl', { ttlMs: 2_000 }],
    ['lifecycle', { lifecycle: 'draining' }],
  ] as const)('another %s makes a new registration', ([, fields]) => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }), { unixTimeMs: 1 });
    const first = registry.get('default', 'a');
    const { result, group } = apply(register({ instanceId: 'a', ...fields }), { unixTimeMs: 2 });
    expect(result).toEqual({ kind: 'registered', revision: rev(2), generations: [rev(2)] });
    const after = registry.get('default', 'a');
    expect(after).toMatchObject({ generation: 2, revision: 2, registeredAtMs: 2 });
    expect(group?.changes).toMatchObject([{ before: first, after }]);
    expect(registry.instanceCount).toBe(1);
  });

  test('it never touches the operator’s override', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }));
    apply(setStatus('a', { maintenance: true }));
    apply(register({ instanceId: 'a', port: 9 }));
    const record = registry.get('default', 'a');
    expect(record).toMatchObject({ maintenance: true, status: 'unhealthy', generation: 3 });
    expect(record && decodeInstance(record.encoded)).toMatchObject({ maintenance: true });
  });

  test('an override does not make the same record another one', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }));
    apply(setStatus('a', { maintenance: true }));
    const { result } = apply(register({ instanceId: 'a' }));
    expect(result).toEqual({ kind: 'registered', revision: rev(2), generations: [rev(1)] });
    expect(registry.revision).toBe(2);
  });

  test('it states the lifecycle: a status set in between is overwritten by a new registration', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }));
    apply(setStatus('a', { lifecycle: 'draining' }));
    const { result } = apply(register({ instanceId: 'a' }));
    expect(result).toMatchObject({ generations: [3] });
    expect(registry.get('default', 'a')?.status).toBe('healthy');
  });

  test('an id that moves to another service is one change', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a', serviceName: 'payments' }));
    const { group } = apply(register({ instanceId: 'a', serviceName: 'orders' }));
    expect(group?.changes).toHaveLength(1);
    expect(group?.changes[0]?.before?.serviceName).toBe('payments');
    expect(group?.changes[0]?.after?.serviceName).toBe('orders');
    expect(registry.instanceCount).toBe(1);
    const names = registry.services('default', undefined, 10).services.map((s) => s.serviceName);
    expect(names).toEqual(['orders']);
  });

  test('the same id in two namespaces is two instances', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a', namespace: 'blue' }));
    apply(register({ instanceId: 'a', namespace: 'green' }));
    expect(registry.instanceCount).toBe(2);
  });

  test('if_generation: only if this generation is current', () => {
    const { apply } = sessionOf();
    expect(apply(register({ instanceId: 'a' }, 7)).result).toEqual({
      kind: 'generationNotCurrent',
      revision: NONE,
      current: NONE,
    });
    apply(register({ instanceId: 'a' }));
    apply(register({ instanceId: 'a', port: 2 }));
    expect(apply(register({ instanceId: 'a', port: 3 }, 1)).result).toEqual({
      kind: 'generationNotCurrent',
      revision: rev(2),
      current: rev(2),
    });
    // Also when the record would be unchanged.
    expect(apply(register({ instanceId: 'a', port: 2 }, 1)).result.kind).toBe(
      'generationNotCurrent',
    );
    expect(apply(register({ instanceId: 'a', port: 3 }, 2)).result).toMatchObject({
      kind: 'registered',
      generations: [3],
    });
  });

  test('a status change keeps the generation, so if_generation still holds after it', () => {
    const { apply } = sessionOf();
    apply(register({ instanceId: 'a' }));
    apply(setStatus('a', { lifecycle: 'draining' }));
    expect(apply(register({ instanceId: 'a' }, 1)).result.kind).toBe('registered');
  });

  test('more instances than the limit are refused, changes of present ones are not', () => {
    const { apply, registry } = sessionOf({ maxInstances: 2 });
    apply(registerBatch({ instanceId: 'a' }, { instanceId: 'b' }));
    const refused = { kind: 'tooManyInstances', revision: rev(1), limit: 2 };
    expect(apply(register({ instanceId: 'c' })).result).toEqual(refused);
    expect(apply(registerBatch({ instanceId: 'a', port: 2 }, { instanceId: 'c' })).result).toEqual(
      refused,
    );
    expect(registry.get('default', 'a')?.generation).toBe(1);
    expect(apply(register({ instanceId: 'a', port: 2 })).result.kind).toBe('registered');
    apply(deregister('b'));
    expect(apply(register({ instanceId: 'c' })).result.kind).toBe('registered');
  });

  test('a limit below what is there already refuses new instances only', () => {
    const before = sessionOf();
    before.apply(registerBatch({ instanceId: 'a' }, { instanceId: 'b' }));
    const { apply } = sessionOf({ maxInstances: 1 }, before.image());
    expect(apply(register({ instanceId: 'c' })).result.kind).toBe('tooManyInstances');
    expect(apply(register({ instanceId: 'a', port: 2 })).result.kind).toBe('registered');
  });
});

describe('batch', () => {
  test('all its instances are one revision and one group, generations in the order of the request', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'b' }));
    const { result, group } = apply(
      registerBatch({ instanceId: 'c' }, { instanceId: 'b' }, { instanceId: 'a' }),
    );
    expect(result).toEqual({
      kind: 'registered',
      revision: rev(2),
      generations: [rev(2), rev(1), rev(2)],
    });
    expect(group?.changes.map((change) => change.after?.instanceId)).toEqual(['c', 'a']);
    expect(registry.revision).toBe(2);
  });

  test('only unchanged entries: nothing is written', () => {
    const { apply, registry } = sessionOf();
    apply(registerBatch({ instanceId: 'a' }, { instanceId: 'b' }));
    apply(register({ instanceId: 'c' }));
    const { result, group } = apply(registerBatch({ instanceId: 'b' }, { instanceId: 'a' }));
    expect(result).toEqual({
      kind: 'registered',
      revision: rev(2),
      generations: [rev(1), rev(1)],
    });
    expect(group).toBeUndefined();
    expect(registry.revision).toBe(2);
  });
});

describe('deregister', () => {
  test('removes the instance with the reason of the caller, or `deregistered`', () => {
    const { apply, registry } = sessionOf();
    apply(registerBatch({ instanceId: 'a' }, { instanceId: 'b' }));
    const before = registry.get('default', 'a');
    const { result, group } = apply(deregister('a'), { actor: 'ops' });
    expect(result).toEqual({ kind: 'deregistered', revision: rev(2), existed: true });
    expect(group?.changes).toMatchObject([
      { before, after: undefined, reason: 'deregistered', actor: 'ops' },
    ]);
    expect(apply(deregister('b', 0, 'scaled in')).group?.changes[0]?.reason).toBe('scaled in');
    expect(registry.instanceCount).toBe(0);
    expect([...registry.records()]).toEqual([]);
  });

  test('of what is not there: existed = false, no revision used, whatever generation is named', () => {
    const { apply, registry } = sessionOf();
    const absent = { kind: 'deregistered', revision: NONE, existed: false };
    expect(apply(deregister('a'))).toEqual({ result: absent, group: undefined });
    expect(apply(deregister('a', 4)).result).toEqual(absent);
    expect(registry.revision).toBe(0);
  });

  test('is refused only when another generation lives', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }));
    apply(register({ instanceId: 'a', port: 2 }));
    expect(apply(deregister('a', 1)).result).toEqual({
      kind: 'generationNotCurrent',
      revision: rev(2),
      current: rev(2),
    });
    expect(registry.get('default', 'a')).toBeDefined();
    expect(apply(deregister('a', 2)).result).toMatchObject({ existed: true });
  });
});

describe('set status', () => {
  test.for([
    ['starting', undefined, 'starting'],
    ['draining', undefined, 'draining'],
    [undefined, true, 'unhealthy'],
    ['draining', true, 'draining'],
  ] as const)('lifecycle %s and maintenance %s give %s', ([lifecycle, maintenance, status]) => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }), { unixTimeMs: 1 });
    const fields = {
      ...(lifecycle === undefined ? {} : { lifecycle }),
      ...(maintenance === undefined ? {} : { maintenance }),
    };
    const { result, group } = apply(setStatus('a', { ...fields, reason: 'why' }), {
      unixTimeMs: 2,
      actor: 'ops',
    });
    expect(result).toEqual({ kind: 'statusSet', revision: rev(2) });
    const after = registry.get('default', 'a');
    // Revision moves, generation and registration do not.
    expect(after).toMatchObject({ status, revision: 2, generation: 1, registeredAtMs: 1 });
    expect(after && decodeInstance(after.encoded)).toMatchObject({ status, host: '10.0.0.1' });
    expect(group?.changes).toMatchObject([{ after, reason: 'why', actor: 'ops' }]);
  });

  test('to what it already is, or with neither: nothing is written', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }));
    const same = { result: { kind: 'statusSet', revision: rev(1) }, group: undefined };
    expect(apply(setStatus('a'))).toEqual(same);
    expect(apply(setStatus('a', { lifecycle: 'serving' }))).toEqual(same);
    expect(apply(setStatus('a', { maintenance: false }))).toEqual(same);
    expect(registry.revision).toBe(1);
  });

  test('the client’s own status does not wipe the override, and the override not the lifecycle', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a', lifecycle: 'starting' }));
    apply(setStatus('a', { maintenance: true }));
    apply(setStatus('a', { lifecycle: 'serving' }));
    expect(registry.get('default', 'a')?.status).toBe('unhealthy');
    apply(setStatus('a', { maintenance: false }));
    expect(registry.get('default', 'a')).toMatchObject({ status: 'healthy', lifecycle: 'serving' });
  });

  test('of what is not there is not found, of another generation is refused', () => {
    const { apply } = sessionOf();
    expect(apply(setStatus('a', { maintenance: true })).result).toEqual({
      kind: 'notFound',
      revision: NONE,
    });
    apply(register({ instanceId: 'a' }));
    const stale = setStatus('a', { maintenance: true, generation: 9 });
    expect(apply(stale).result).toMatchObject({ kind: 'generationNotCurrent', current: 1 });
  });
});

describe('expire', () => {
  test('removes the named generations as one group with the reason ttl_expired', () => {
    const { apply, registry } = sessionOf();
    apply(registerBatch({ instanceId: 'a' }, { instanceId: 'b' }, { instanceId: 'c' }));
    const { result, group } = apply(expire(['a', 1], ['b', 1]), { actor: 'node n1' });
    expect(result).toEqual({ kind: 'expired', revision: rev(2), count: 2 });
    expect(group?.changes.map((change) => change.reason)).toEqual(['ttl_expired', 'ttl_expired']);
    expect(group?.changes[0]?.actor).toBe('node n1');
    expect(registry.instanceCount).toBe(1);
  });

  test('passes over what is not current, and writes nothing if nothing is left', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }));
    apply(register({ instanceId: 'a', port: 2 }));
    const nothing = { kind: 'expired', revision: rev(2), count: 0 };
    expect(apply(expire(['a', 1], ['zz', 1], ['a', 0])).result).toEqual(nothing);
    apply(register({ instanceId: 'b' }));
    expect(apply(expire(['a', 1], ['b', 3])).result).toMatchObject({ count: 1, revision: 4 });
    expect(registry.get('default', 'a')?.generation).toBe(2);
  });
});

describe('G10: an old generation can neither revive nor remove a newer one', () => {
  test('nothing that names an old generation changes anything', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }));
    apply(register({ instanceId: 'a', port: 2 }));
    const { hash } = registry.meta();
    for (const body of [
      register({ instanceId: 'a' }, 1),
      deregister('a', 1),
      setStatus('a', { generation: 1, lifecycle: 'draining' }),
      expire(['a', 1]),
    ]) {
      expect(apply(body).group).toBeUndefined();
    }
    expect(registry.meta().hash).toBe(hash);
  });

  test('a generation is never given twice, also across a removal', () => {
    const { apply } = sessionOf();
    const generations: number[] = [];
    for (let round = 0; round < 5; round++) {
      const { result } = apply(register({ instanceId: 'a' }));
      if (result.kind === 'registered') generations.push(...result.generations);
      apply(deregister('a'));
    }
    expect(generations).toEqual([1, 3, 5, 7, 9]);
  });
});

describe('answerIfUnchanged', () => {
  test('gives exactly what apply answers without a write, and undefined where apply writes', () => {
    const { apply, registry } = sessionOf({ maxInstances: 2 });
    apply(registerBatch({ instanceId: 'a' }, { instanceId: 'b' }));
    const silent = [
      register({ instanceId: 'a' }),
      register({ instanceId: 'a', port: 2 }, 9),
      register({ instanceId: 'c' }),
      registerBatch({ instanceId: 'a' }, { instanceId: 'b' }),
      deregister('zz'),
      deregister('a', 9),
      setStatus('a'),
      setStatus('zz', { maintenance: true }),
      setStatus('a', { maintenance: true, generation: 9 }),
      expire(['a', 9]),
    ];
    for (const body of silent) {
      const answer = registry.answerIfUnchanged(body);
      expect(answer).toBeDefined();
      expect(apply(body)).toEqual({ result: answer, group: undefined });
    }
    for (const body of [
      register({ instanceId: 'a', port: 2 }),
      registerBatch({ instanceId: 'a' }, { instanceId: 'b', port: 2 }),
      deregister('a', 1),
      setStatus('a', { maintenance: true }),
      expire(['a', 1], ['a', 9]),
    ]) {
      expect(registry.answerIfUnchanged(body)).toBeUndefined();
    }
    expect(registry.revision).toBe(1);
  });
});
