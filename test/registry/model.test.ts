// The registry against its plain description: same commands, same answers, same state; on every node and after every
// restart the same hash (G4, G10, G12).
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeInstance,
  hashOfImage,
  type InstanceRecord,
  type Registry,
} from '../../src/registry/index.ts';
import { HISTORY_LIMITS as limits, history, INSTANCES, NAMESPACES } from './arbitrary-command.ts';
import { hex, selectorOf, sessionOf, WHOLE } from './fixtures.ts';
import { type NaiveInstance, NaiveRegistry } from './naive-registry.ts';

function plain(record: InstanceRecord): NaiveInstance {
  const { namespace, serviceName, instanceId, lifecycle, maintenance, status } = record;
  const { generation, revision, registeredAtMs } = record;
  return {
    namespace,
    serviceName,
    instanceId,
    body: hex(record.encoded.subarray(0, record.bodyLength)),
    lifecycle,
    maintenance,
    status,
    generation,
    revision,
    registeredAtMs,
  };
}

/** Everything a reader can see agrees with the model, in every way of looking. */
function expectSameState(registry: Registry, model: NaiveRegistry): void {
  expect(registry.revision).toBe(model.revision);
  expect(registry.meta().registryTimeMs).toBe(model.timeMs);
  expect(registry.instanceCount).toBe(model.instances.size);
  const seen = [...registry.records()];
  expect(seen).toHaveLength(model.instances.size);
  for (const namespace of NAMESPACES) {
    for (const instanceId of INSTANCES) {
      const record = registry.get(namespace, instanceId);
      expect(record && plain(record)).toEqual(model.instances.get(`${namespace}/${instanceId}`));
    }
  }
  const listed = registry.list(selectorOf({ namespace: '*' }), undefined, WHOLE).records;
  expect(listed.map(plain)).toEqual(
    [...model.instances.values()].toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1)),
  );
  const { services } = registry.services('*', undefined, 100);
  expect(
    new Map(services.map((one) => [`${one.namespace}/${one.serviceName}`, one.revision])),
  ).toEqual(model.services);
}

function keyOf(one: NaiveInstance): string {
  return `${one.namespace} ${one.serviceName} ${one.instanceId}`;
}

describe('the state machine', () => {
  test('answers and looks like its plain description after each command', () => {
    const answers = new Map<string, number>();
    fc.assert(
      fc.property(history, (commands) => {
        const { registry } = sessionOf(limits);
        const model = new NaiveRegistry(limits);
        for (const command of commands) {
          const before = model.revision;
          const silent = registry.answerIfUnchanged(command.body);
          const { result, group } = registry.apply(command);
          expect(result).toEqual(model.apply(command));
          answers.set(result.kind, (answers.get(result.kind) ?? 0) + 1);
          expect(group?.revision).toBe(model.revision === before ? undefined : model.revision);
          if (command.header.requestId === '') {
            expect(silent).toEqual(group === undefined ? result : undefined);
          }
        }
        expectSameState(registry, model);
      }),
      { numRuns: 200 },
    );
    // Each answer was met often enough for the comparison to mean something.
    expect(answers.size).toBe(8);
    for (const [kind, count] of answers) expect(count, kind).toBeGreaterThan(20);
  });

  test('decides by the limits in the command, whatever a node is configured with (G12)', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const configured = sessionOf(limits).registry;
        const otherwise = sessionOf({ maxInstances: 1, rememberAnswersMs: 1 }).registry;
        for (const command of commands) {
          expect(otherwise.apply(command).result).toEqual(configured.apply(command).result);
        }
        expect(otherwise.meta()).toEqual(configured.meta());
      }),
      { numRuns: 50 },
    );
  });

  test('a group tells exactly the difference between two states, each instance once', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const { registry } = sessionOf(limits);
        const model = new NaiveRegistry(limits);
        for (const command of commands) {
          const before = new Map(model.instances);
          model.apply(command);
          const { group } = registry.apply(command);
          const told = new Map(before);
          for (const change of group?.changes ?? []) {
            const record = change.after ?? change.before;
            if (record === undefined) throw new Error('a change has a record');
            const key = `${record.namespace}/${record.instanceId}`;
            expect(change.before && plain(change.before)).toEqual(before.get(key));
            expect(change.actor).toBe('');
            if (change.after === undefined) told.delete(key);
            else told.set(key, plain(change.after));
          }
          expect(told).toEqual(model.instances);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('what readers get encoded says the same as the record', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const { registry } = sessionOf(limits);
        for (const command of commands) registry.apply(command);
        for (const record of registry.records()) {
          expect(decodeInstance(record.encoded)).toMatchObject({
            namespace: record.namespace,
            serviceName: record.serviceName,
            instanceId: record.instanceId,
            lifecycle: record.lifecycle,
            maintenance: record.maintenance,
            status: record.status,
            ttlMs: record.ttlMs,
            generation: record.generation,
            revision: record.revision,
            registeredAtMs: record.registeredAtMs,
            lastHeartbeatMs: record.lastHeartbeatMs,
          });
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('G12: convergence', () => {
  test('nodes that restart at any time and flush at any time keep the hash of one that never does', () => {
    fc.assert(
      fc.property(history, fc.array(fc.nat({ max: 3 })), (commands, whims) => {
        const steady = sessionOf(limits);
        let restless = sessionOf(limits);
        for (const [index, command] of commands.entries()) {
          const expected = steady.registry.apply(command);
          const whim = whims[index % Math.max(1, whims.length)] ?? 0;
          expect(restless.registry.apply(command)).toEqual(expected);
          expect(restless.registry.meta()).toEqual(steady.registry.meta());
          if (whim === 1) restless.image();
          if (whim === 2) restless = sessionOf(limits, restless.image());
          if (whim === 3) expect(restless.registry.scrub(4)).toBe(0);
        }
        // Byte for byte the same records, however often the one has restarted.
        const { records, meta } = steady.image();
        expect(restless.image().records).toEqual(records);
        expect(hashOfImage(records, meta.revision, meta.registryTimeMs)).toBe(meta.hash);
        expect(restless.registry.services('*', undefined, 100)).toEqual(
          steady.registry.services('*', undefined, 100),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('the dirty list holds each changed record once with its latest value, then is empty', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const { registry } = sessionOf(limits);
        for (const command of commands) registry.apply(command);
        const dirty = registry.takeDirty();
        expect(new Set(dirty.map((record) => record.key)).size).toBe(dirty.length);
        const meta = registry.meta();
        const records = dirty.filter((record) => record.value !== undefined);
        expect(hashOfImage(records, meta.revision, meta.registryTimeMs)).toBe(meta.hash);
        expect(registry.takeDirty()).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
