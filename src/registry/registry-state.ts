// Everything the state machine holds, and the writes that keep catalogue, records and hash in step.
import { assert } from '../lib/assert.ts';
import { type Revision, revision } from '../lib/ids.ts';
import {
  addInstance,
  type Catalog,
  findInstance,
  findService,
  removeInstance,
  replaceInstance,
  type ServiceEntry,
} from './catalog.ts';
import type { Answers } from './deduplication.ts';
import {
  instanceKey,
  serviceKey,
  storedForm,
  storeInstance,
  storeService,
} from './record-codec.ts';
import { enter, type RecordLedger, replace, strike } from './record-ledger.ts';
import { addHash, stateHash } from './state-hash.ts';
import type { Change, InstanceRecord } from './types.ts';

const NONE = revision(0);

/** One object for the life of a registry; its parts are exchanged when a snapshot takes their place. */
export interface RegistryState {
  catalog: Catalog;
  answers: Answers;
  ledger: RecordLedger;
  revision: Revision;
  registryTimeMs: number;
}

/** RegistryMeta.hash of what memory holds now. */
export function currentHash(state: RegistryState): string {
  const { sum, damage } = state.ledger;
  return stateHash(addHash(sum, damage), state.revision, state.registryTimeMs);
}

/** Why and by whom. */
export interface Cause {
  readonly reason: string;
  readonly actor: string;
}

/** Puts a record in the place of the one with its namespace and id, if there is one. */
export function putRecord(state: RegistryState, record: InstanceRecord, cause: Cause): Change {
  const { catalog, ledger } = state;
  const { namespace, instanceId, serviceName } = record;
  const key = instanceKey(namespace, instanceId);
  const entry = findInstance(catalog, namespace, instanceId);
  const before = entry?.record;
  const service = findService(catalog, namespace, serviceName);
  const left =
    before === undefined || before.serviceName === serviceName
      ? undefined
      : findService(catalog, namespace, before.serviceName);
  const afterServiceRevision = service?.revision ?? NONE;
  const beforeServiceRevision =
    before === undefined ? NONE : (left?.revision ?? afterServiceRevision);
  const after = storeInstance(record);
  const stored = storedForm(after);
  if (entry === undefined) {
    const { hashA, hashB } = enter(ledger, key, stored);
    addInstance(catalog, { record: after, hashA, hashB });
  } else {
    replace(ledger, key, entry, storedForm(entry.record), stored);
    replaceInstance(catalog, entry, after);
  }
  if (left !== undefined) noteDeparture(state, left, after.revision);
  const joined = findService(catalog, namespace, serviceName);
  assert(joined !== undefined, 'a put instance has its service in the catalogue');
  joined.revision = after.revision;
  const { reason, actor } = cause;
  return { before, after, reason, actor, beforeServiceRevision, afterServiceRevision };
}

/** Takes the instance of `before` out. `at` is the revision that does. */
export function removeRecord(
  state: RegistryState,
  before: InstanceRecord,
  at: Revision,
  cause: Cause,
): Change {
  const { catalog, ledger } = state;
  const { namespace, instanceId, serviceName } = before;
  const entry = findInstance(catalog, namespace, instanceId);
  const service = findService(catalog, namespace, serviceName);
  assert(
    entry !== undefined && service !== undefined,
    'what is removed from the catalogue is in it',
  );
  const beforeServiceRevision = service.revision;
  strike(ledger, instanceKey(namespace, instanceId), entry, storedForm(entry.record));
  removeInstance(catalog, entry);
  noteDeparture(state, service, at);
  return { before, after: undefined, ...cause, beforeServiceRevision };
}

/** The revision of a service is the highest of its instances' revisions and of its last departure. Only the latter needs a record of
 * its own, and only while the service has instances: without any it is not listed. */
function noteDeparture(state: RegistryState, service: ServiceEntry, at: Revision): void {
  const key = serviceKey(service.namespace, service.name);
  const { departure } = service;
  service.revision = at;
  if (service.total === 0) {
    if (departure !== undefined)
      strike(state.ledger, key, departure, storeService(departure.revision));
  } else if (departure === undefined) {
    service.departure = { ...enter(state.ledger, key, storeService(at)), revision: at };
  } else if (departure.revision !== at) {
    const before = storeService(departure.revision);
    replace(state.ledger, key, departure, before, storeService(at));
    departure.revision = at;
  }
}
