// The replicated records as the state store keeps them: `i/<namespace>/<instance id>`, `d/<kind>/<request id>` and
// `s/<namespace>/<service>`. Namespaces and kinds hold no slash, so a key is read from the left without ambiguity.
import { assert, InvariantError } from '../lib/assert.ts';
import { type Revision, revision } from '../lib/ids.ts';
import type { ApplyResult, CommandKind } from './command.ts';
import {
  type Fields,
  countAt,
  fieldsOf,
  flagAt,
  lengthAt,
  pack,
  textAt,
  unpack,
} from './positional.ts';
import { applyResultFromArray, applyResultToArray } from './result-codec.ts';
import { deriveStatus } from './status.ts';
import { LIFECYCLE_NUMBER, lifecycleFromNumber } from './lifecycle.ts';
import { readStoredInstance, type StoredInstance } from './stored-instance.ts';
import type { InstanceRecord } from './types.ts';

const FORMAT_VERSION = 1;

export function instanceKey(namespace: string, instanceId: string): string {
  return `i/${namespace}/${instanceId}`;
}

export function serviceKey(namespace: string, serviceName: string): string {
  return `s/${namespace}/${serviceName}`;
}

export function answerKey(kind: CommandKind, requestId: string): string {
  return `d/${kind}/${requestId}`;
}

export interface RecordKey {
  readonly type: string;
  /** Namespace, or kind of command. */
  readonly scope: string;
  /** Instance id, service name or request id. */
  readonly name: string;
}

export function parseKey(key: string): RecordKey {
  const slash = key.indexOf('/', 2);
  assert(key[1] === '/' && slash > 2, `a stored record has the key ${key}`);
  return { type: key.slice(0, 1), scope: key.slice(2, slash), name: key.slice(slash + 1) };
}

/** The stored form of a catalogue's record. Its `encoded` is a view on the end of that form, so the bytes are in memory once and
 * a hash of the stored form covers what readers get. */
export function storedForm(record: InstanceRecord): Uint8Array {
  return new Uint8Array(record.encoded.buffer);
}

/** The same record with its `encoded` moved into a stored form of its own. */
export function storeInstance(record: InstanceRecord): InstanceRecord {
  const stored = pack([
    FORMAT_VERSION,
    record.serviceName,
    LIFECYCLE_NUMBER[record.lifecycle],
    record.maintenance,
    record.ttlMs,
    record.generation,
    record.revision,
    record.registeredAtMs,
    record.lastHeartbeatMs,
    record.bodyLength,
    record.encoded,
  ]);
  // Field by field: every write comes through here, and a spread costs several times as much.
  return {
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
    encoded: stored.subarray(stored.length - record.encoded.length),
    bodyLength: record.bodyLength,
  };
}

/** Reads a stored instance. Throws MalformedArrayError or InvariantError. It keeps the bytes themselves if they have their memory to
 * themselves, as LevelDB hands them over: nobody may change them afterwards. */
export function loadInstance(
  key: RecordKey,
  value: Uint8Array,
  intern: (text: string) => string,
): InstanceRecord {
  const isAlone = value.length === value.buffer.byteLength;
  const buffer = isAlone ? value.buffer : new Uint8Array(value).buffer;
  const stored = readStoredInstance(value);
  const fields = stored?.version === FORMAT_VERSION ? stored : unpackInstance(value);
  const lifecycle = lifecycleFromNumber(fields.lifecycle);
  return {
    namespace: intern(key.scope),
    serviceName: intern(fields.serviceName),
    instanceId: key.name,
    lifecycle,
    maintenance: fields.maintenance,
    status: deriveStatus(lifecycle, fields.maintenance),
    ttlMs: fields.ttlMs,
    generation: revision(fields.generation),
    revision: revision(fields.revision),
    registeredAtMs: fields.registeredAtMs,
    lastHeartbeatMs: fields.lastHeartbeatMs,
    encoded: new Uint8Array(buffer, value.length - fields.encodedLength),
    bodyLength: fields.bodyLength,
  };
}

/** What `readStoredInstance` leaves to msgpackr, and every error. */
function unpackInstance(value: Uint8Array): StoredInstance {
  const fields = versioned(value, 'instance', 11);
  return {
    version: FORMAT_VERSION,
    serviceName: textAt(fields, 1, 'service name'),
    lifecycle: countAt(fields, 2, 'lifecycle'),
    maintenance: flagAt(fields, 3, 'maintenance'),
    ttlMs: countAt(fields, 4, 'ttl'),
    generation: countAt(fields, 5, 'generation'),
    revision: countAt(fields, 6, 'revision'),
    registeredAtMs: countAt(fields, 7, 'registered at'),
    lastHeartbeatMs: countAt(fields, 8, 'last heartbeat'),
    bodyLength: countAt(fields, 9, 'body length'),
    encodedLength: lengthAt(fields, 10, 'encoded instance'),
  };
}

/** What a service still needs to know when an instance left it: kept while it has others. */
export function storeService(lastRemoval: Revision): Uint8Array {
  return pack([FORMAT_VERSION, lastRemoval]);
}

export function loadService(value: Uint8Array): Revision {
  return revision(countAt(versioned(value, 'service', 2), 1, 'last removal'));
}

/** The first answer to a request_id. */
export interface RememberedAnswer {
  readonly fingerprint: string;
  readonly result: ApplyResult;
  /** When it was given. */
  readonly registryTimeMs: number;
  /** Position in the order of forgetting. */
  readonly sequence: number;
}

export function storeAnswer(answer: RememberedAnswer): Uint8Array {
  return pack([
    FORMAT_VERSION,
    answer.fingerprint,
    answer.registryTimeMs,
    answer.sequence,
    applyResultToArray(answer.result),
  ]);
}

export function loadAnswer(value: Uint8Array): RememberedAnswer {
  const fields = versioned(value, 'answer', 5);
  return {
    fingerprint: textAt(fields, 1, 'fingerprint'),
    registryTimeMs: countAt(fields, 2, 'registry time'),
    sequence: countAt(fields, 3, 'sequence'),
    result: applyResultFromArray(fields[4]),
  };
}

function versioned(value: Uint8Array, what: string, length: number): Fields {
  const array = unpack(value);
  const version = Array.isArray(array) ? countAt(array, 0, `${what} version`) : undefined;
  if (version !== FORMAT_VERSION) {
    throw new InvariantError(
      `a stored ${what} has format ${version}, this version reads ${FORMAT_VERSION}`,
    );
  }
  return fieldsOf(array, what, length);
}
