// createRegistry: the state machine, empty or from an image, behind the interface that the node and the doors use.
import { assert } from '../lib/assert.ts';
import { answerAgain, answerWithoutWriting, applyCommand } from './apply.ts';
import { findInstance } from './catalog.ts';
import type { LoadedRegistry, Registry, RegistryImage, RegistryLimits } from './index.ts';
import { listInstances, listServices, onlyUnhealthy } from './query.ts';
import { takeDirtyRecords } from './record-ledger.ts';
import { createRegistryLoader, emptyState, takeLoaded } from './registry-loader.ts';
import { currentHash, type RegistryState } from './registry-state.ts';
import { scrubber } from './scrub.ts';
import type { InstanceRecord } from './types.ts';

/** The documented limits: 1 000 000 instances in a cluster, 250 000 answers for 10 minutes. */
export const registryDefaults: RegistryLimits = {
  maxInstances: 1_000_000,
  maxRememberedAnswers: 250_000,
  rememberAnswersMs: 600_000,
};

/** A registry, empty or as the image has it. `limits` are this node's own: what answerIfUnchanged and answerAgain go by; apply goes by
 * those in the command. Throws InvariantError when the image's records do not have the hash that its metadata states. */
export function createRegistry(limits: RegistryLimits, image?: RegistryImage): Registry {
  const state = image === undefined ? emptyState() : takeLoaded(loadImage(image));
  const scrub = scrubber(state);
  return {
    apply: (command) => applyCommand(state, command),
    answerIfUnchanged: (body) => answerWithoutWriting(state, body, limits),
    answerAgain: (kind, requestId, fingerprint) =>
      answerAgain(state, kind, { requestId, fingerprint, limits }),
    takeDirty: () => takeDirtyRecords(state.ledger),
    meta: () => ({
      revision: state.revision,
      registryTimeMs: state.registryTimeMs,
      hash: currentHash(state),
    }),
    get revision() {
      return state.revision;
    },
    get instanceCount() {
      return state.catalog.instanceCount;
    },
    get: (namespace, instanceId) => findInstance(state.catalog, namespace, instanceId)?.record,
    records: () => allRecords(state),
    list: (selector, after, limit, undo) =>
      listInstances(state.catalog, selector, after, limit, undo),
    allUnhealthy: (selector, undo) => onlyUnhealthy(state.catalog, selector, undo),
    services: (namespace, after, limit, undo) =>
      listServices(state.catalog, namespace, after, limit, undo),
    scrub: (count) => scrub.scrub(count),
    get scrubWalks() {
      return scrub.walks;
    },
    replace: (loaded) => {
      const { damage } = state.ledger;
      // One object stays and its parts change, so that nothing keeps hold of what was there before.
      Object.assign(state, takeLoaded(loaded));
      // Wrong bytes may have been served before: new content does not undo that.
      state.ledger.damage = damage;
      scrub.restart();
    },
  };
}

function* allRecords(state: RegistryState): Generator<InstanceRecord> {
  for (const namespace of state.catalog.namespaces.values()) {
    for (const entry of namespace.instances.values()) yield entry.record;
  }
}

function loadImage(image: RegistryImage): LoadedRegistry {
  if (image.loaded !== undefined) return image.loaded;
  const loader = createRegistryLoader();
  for (const record of image.records) loader.add([record]);
  const loaded = loader.finish(image.meta);
  assert(loaded !== undefined, 'the records of an image have the hash that its metadata states');
  return loaded;
}
