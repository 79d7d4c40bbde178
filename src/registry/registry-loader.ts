// Builds a registry's content from stored records, piece by piece, so that a million of them can be loaded without holding
// up the node that loads them. A node's start and a snapshot from a peer go through here alike.
import { assert } from '../lib/assert.ts';
import { revision } from '../lib/ids.ts';
import { answersLoader, emptyAnswers } from './deduplication.ts';
import { addInstance, emptyCatalog, findService } from './catalog.ts';
import type { LoadedRegistry, RegistryLoader, RegistryMeta, StoredRecord } from './index.ts';
import { loadInstance, loadService, parseKey, type RecordKey } from './record-codec.ts';
import { emptyLedger, enterStored } from './record-ledger.ts';
import { currentHash, type RegistryState } from './registry-state.ts';

interface Departure {
  readonly text: string;
  readonly key: RecordKey;
  readonly value: Uint8Array;
}

/** What each handed out content is, until it is taken. */
const contents = new WeakMap<LoadedRegistry, RegistryState>();

export function emptyState(): RegistryState {
  return {
    catalog: emptyCatalog(),
    answers: emptyAnswers(),
    ledger: emptyLedger(),
    revision: revision(0),
    registryTimeMs: 0,
  };
}

/** A loader for the content of one registry. The state store hands records over in the order of their keys: then each costs
 * the same, and `finish` only links the remembered answers. */
export function createRegistryLoader(): RegistryLoader {
  const state = emptyState();
  const intern = interner();
  const answers = answersLoader(state.answers, state.ledger);
  /** Of services that have no instance yet: none when records come in the order of their keys. */
  const departures: Departure[] = [];
  let finished = false;

  const loadRecord = ({ key: text, value }: StoredRecord): void => {
    assert(value !== undefined, 'an image holds no deletions');
    const key = parseKey(text);
    if (key.type === 'i') loadInstanceRecord(state, text, key, value, intern);
    else if (key.type === 'd') answers.add(text, value);
    else if (key.type === 's') {
      if (!loadDeparture(state, text, key, value)) departures.push({ text, key, value });
    } else assert(false, `an image has a record with the key ${text}`);
  };

  return {
    add(records) {
      assert(!finished, 'a finished loader takes no more records');
      for (const record of records) loadRecord(record);
    },
    finish(meta: RegistryMeta) {
      assert(!finished, 'a loader finishes once');
      finished = true;
      for (const { text, key, value } of departures) {
        const known = loadDeparture(state, text, key, value);
        assert(known, 'an image has a departure only for a service with instances');
      }
      answers.link();
      state.revision = meta.revision;
      state.registryTimeMs = meta.registryTimeMs;
      if (currentHash(state) !== meta.hash) return undefined;
      const loaded = { instanceCount: state.catalog.instanceCount } as LoadedRegistry;
      contents.set(loaded, state);
      return loaded;
    },
  };
}

/** The content behind it, once. */
export function takeLoaded(loaded: LoadedRegistry): RegistryState {
  const state = contents.get(loaded);
  assert(state !== undefined, 'the content of a loader is taken once');
  contents.delete(loaded);
  return state;
}

function loadInstanceRecord(
  state: RegistryState,
  text: string,
  key: RecordKey,
  value: Uint8Array,
  intern: (name: string) => string,
): void {
  const record = loadInstance(key, value, intern);
  // The record holds exactly these bytes; a key that comes twice shows in the sum.
  const { hashA, hashB } = enterStored(state.ledger, text, value);
  const service = addInstance(state.catalog, { record, hashA, hashB });
  if (service.revision < record.revision) service.revision = record.revision;
}

/** False when the service has no instances, or none yet. */
function loadDeparture(
  state: RegistryState,
  text: string,
  key: RecordKey,
  value: Uint8Array,
): boolean {
  const service = findService(state.catalog, key.scope, key.name);
  if (service === undefined) return false;
  assert(service.departure === undefined, 'an image holds each record once');
  const at = loadService(value);
  service.departure = { ...enterStored(state.ledger, text, value), revision: at };
  if (service.revision < at) service.revision = at;
  return true;
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
