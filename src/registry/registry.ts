// createRegistry: the state machine, empty or from an image, behind the interface that the node and the doors use.
import { assert } from '../lib/assert.ts';
import { revision } from '../lib/ids.ts';
import { answerWithoutWriting, applyCommand } from './apply.ts';
import { addInstance, emptyCatalog, findInstance, findService } from './catalog.ts';
import { emptyAnswers, enterAnswers } from './deduplication.ts';
import type { Registry, RegistryImage, RegistryLimits } from './index.ts';
import { listInstances, listServices, onlyUnhealthy } from './query.ts';
import { loadInstance, loadService, parseKey, type RecordKey, storedForm } from './record-codec.ts';
import { emptyLedger, enterStored, takeDirtyRecords } from './record-ledger.ts';
import type { RegistryState } from './registry-state.ts';
import { scrubber } from './scrub.ts';
import { addHash, stateHash } from './state-hash.ts';
import type { InstanceRecord } from './types.ts';

/** The documented limits: 1 000 000 instances in a cluster, 250 000 answers for 10 minutes. */
export const registryDefaults: RegistryLimits = {
  maxInstances: 1_000_000,
  maxRememberedAnswers: 250_000,
  rememberAnswersMs: 600_000,
};

/** A registry, empty or as the image has it. `limits` are this node's own: what answerIfUnchanged goes by; apply goes by
 * those in the command. Throws InvariantError when the image's records do not have the hash that its metadata states. */
export function createRegistry(limits: RegistryLimits, image?: RegistryImage): Registry {
  const state: RegistryState = {
    catalog: emptyCatalog(),
    answers: emptyAnswers(),
    ledger: emptyLedger(),
    revision: revision(0),
    registryTimeMs: 0,
  };
  if (image !== undefined) loadImage(state, image);
  const scrub = scrubber(state);
  const { catalog, ledger } = state;
  return {
    apply: (command) => applyCommand(state, command),
    answerIfUnchanged: (body) => answerWithoutWriting(state, body, limits),
    takeDirty: () => takeDirtyRecords(ledger),
    meta: () => ({
      revision: state.revision,
      registryTimeMs: state.registryTimeMs,
      hash: currentHash(state),
    }),
    get revision() {
      return state.revision;
    },
    get instanceCount() {
      return catalog.instanceCount;
    },
    get: (namespace, instanceId) => findInstance(catalog, namespace, instanceId)?.record,
    records: () => allRecords(state),
    list: (selector, after, limit, undo) => listInstances(catalog, selector, after, limit, undo),
    allUnhealthy: (selector, undo) => onlyUnhealthy(catalog, selector, undo),
    services: (namespace, after, limit, undo) =>
      listServices(catalog, namespace, after, limit, undo),
    scrub,
  };
}

function currentHash(state: RegistryState): string {
  const { sum, damage } = state.ledger;
  return stateHash(addHash(sum, damage), state.revision, state.registryTimeMs);
}

function* allRecords(state: RegistryState): Generator<InstanceRecord> {
  for (const namespace of state.catalog.namespaces.values()) {
    for (const entry of namespace.instances.values()) yield entry.record;
  }
}

function loadImage(state: RegistryState, image: RegistryImage): void {
  state.revision = image.meta.revision;
  state.registryTimeMs = image.meta.registryTimeMs;
  const intern = interner();
  const answers: { key: string; value: Uint8Array }[] = [];
  const departures: { key: RecordKey; text: string; value: Uint8Array }[] = [];
  for (const { key: text, value } of image.records) {
    assert(value !== undefined, 'an image holds no deletions');
    const key = parseKey(text);
    if (key.type === 'i') loadRecord(state, text, key, value, intern);
    else if (key.type === 'd') answers.push({ key: text, value });
    else if (key.type === 's') departures.push({ key, text, value });
    else assert(false, `an image has a record with the key ${text}`);
  }
  for (const { key, text, value } of departures) loadDeparture(state, text, key, value);
  enterAnswers(state.answers, state.ledger, answers);
  assert(
    currentHash(state) === image.meta.hash,
    'the records of an image have the hash that its metadata states',
  );
}

function loadRecord(
  state: RegistryState,
  text: string,
  key: RecordKey,
  value: Uint8Array,
  intern: (name: string) => string,
): void {
  const record = loadInstance(key, value, intern);
  const { hashA, hashB } = enterStored(state.ledger, text, storedForm(record));
  addInstance(state.catalog, { record, hashA, hashB });
  const service = findService(state.catalog, record.namespace, record.serviceName);
  if (service !== undefined && service.revision < record.revision) {
    service.revision = record.revision;
  }
}

function loadDeparture(
  state: RegistryState,
  text: string,
  key: RecordKey,
  value: Uint8Array,
): void {
  const service = findService(state.catalog, key.scope, key.name);
  assert(service !== undefined, 'an image has a departure only for a service with instances');
  const at = loadService(value);
  service.departure = { ...enterStored(state.ledger, text, value), revision: at };
  if (service.revision < at) service.revision = at;
}

/** Gives the same string for equal names, so that a namespace is in memory once and not once for each instance. */
function interner(): (name: string) => string {
  const names = new Map<string, string>();
  return (name) => {
    const known = names.get(name);
    if (known !== undefined) return known;
    names.set(name, name);
    return name;
  };
}
