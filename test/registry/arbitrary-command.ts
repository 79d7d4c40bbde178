// Random commands over few names, so that they meet each other: the same ids, generations and request ids come again.
import * as fc from 'fast-check';
import { revision } from '../../src/lib/ids.ts';
import type { Command, CommandBody, RegistryLimits } from '../../src/registry/index.ts';
import { commandOf, itemOf } from './fixtures.ts';

export const NAMESPACES = ['blue', 'green'] as const;
export const SERVICES = ['a', 'b', 'c-1'] as const;
export const INSTANCES = ['1', '10', '2', 'X', 'x:y', 'z.z'] as const;
const TAGS = ['t', 'u', 'ü'] as const;

const namespace = fc.constantFrom(...NAMESPACES);
const instanceId = fc.constantFrom(...INSTANCES);
const lifecycle = fc.constantFrom('serving', 'serving', 'starting', 'draining');
/** Often 0, often one that was given in a short history, sometimes neither. */
const generation = fc
  .oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat({ max: 12 }), weight: 2 })
  .map(revision);
const item = fc
  .record({
    namespace,
    serviceName: fc.constantFrom(...SERVICES),
    instanceId,
    port: fc.constantFrom(1, 2),
    tags: fc.constantFrom([], ['t'], ['u', 't'], [...TAGS]),
    lifecycle,
  })
  .map(itemOf);

const register = fc.record({
  kind: fc.constant('register' as const),
  item,
  ifGeneration: generation,
});
const registerBatch = fc.record({
  kind: fc.constant('registerBatch' as const),
  items: fc.uniqueArray(item, {
    minLength: 1,
    maxLength: 5,
    selector: (one) => `${one.namespace}/${one.instanceId}`,
  }),
});
const deregister = fc.record({
  kind: fc.constant('deregister' as const),
  namespace,
  instanceId,
  generation,
  reason: fc.constantFrom('', 'why'),
});
const setStatus = fc.record({
  kind: fc.constant('setStatus' as const),
  namespace,
  instanceId,
  generation,
  lifecycle: fc.option(lifecycle, { nil: undefined }),
  maintenance: fc.option(fc.boolean(), { nil: undefined }),
  reason: fc.constantFrom('', 'why'),
});
const expire = fc.record({
  kind: fc.constant('expire' as const),
  items: fc.uniqueArray(
    fc.record({ namespace, instanceId, generation: fc.nat({ max: 12 }).map(revision) }),
    {
      maxLength: 4,
      selector: (one) => `${one.namespace}/${one.instanceId}`,
    },
  ),
});
const body: fc.Arbitrary<CommandBody> = fc.oneof(
  { arbitrary: register, weight: 4 },
  { arbitrary: registerBatch, weight: 2 },
  { arbitrary: deregister, weight: 2 },
  { arbitrary: setStatus, weight: 2 },
  { arbitrary: expire, weight: 1 },
);

/** Window for which answers are remembered in a history of these commands, and how far time goes at a step. */
export const WINDOW_MS = 1_000;

/** Small, so that histories meet them. */
export const HISTORY_LIMITS: RegistryLimits = {
  maxInstances: 9,
  maxRememberedAnswers: 3,
  rememberAnswersMs: WINDOW_MS,
};

const step = fc.record({
  body,
  requestId: fc.oneof(fc.constant(''), fc.constantFrom('r1', 'r2', 'r3', 'r4', 'r5')),
  // Time also goes back, as a new leader's header may; and now and then a whole window passes.
  forwardMs: fc.constantFrom(0, 0, 1, 100, 300, -50, WINDOW_MS),
});

/** A history of commands with their registry times. */
export const history: fc.Arbitrary<readonly Command[]> = fc
  .array(step, { minLength: 1, maxLength: 40, size: 'max' })
  .map((steps) => {
    let nowMs = 0;
    return steps.map(({ body: given, requestId, forwardMs }, index) => {
      nowMs = Math.max(0, nowMs + forwardMs);
      const times = { registryTimeMs: nowMs, unixTimeMs: index };
      return commandOf(given, { ...times, requestId, limits: HISTORY_LIMITS });
    });
  });
