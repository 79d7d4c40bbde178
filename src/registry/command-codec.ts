// Commands as the log and the peer protocol carry them: positional arrays. A command's array starts with the version of
// the format; whoever appends a field raises it, because a state machine cannot ignore what it does not know.
import { assert, InvariantError } from '../lib/assert.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { revision } from '../lib/ids.ts';
import type { Command, CommandBody, Expire, RegisterItem } from './command.ts';
import { LIFECYCLE_NUMBER, lifecycleFromNumber } from './lifecycle.ts';
import {
  arrayOf,
  bytesAt,
  countAt,
  type Fields,
  fieldsOf,
  MalformedArrayError,
  unknownKind,
  pack,
  packView,
  textAt,
  unpack,
} from './positional.ts';
import { hashRecord, hashText } from './state-hash.ts';

const FORMAT_VERSION = 1;
const KIND = { register: 1, registerBatch: 2, deregister: 3, setStatus: 4, expire: 5 } as const;
const UNCHANGED = 0;
const ON = 1;
const OFF = 2;

/** A log entry's payload. Throws InvariantError for a header whose times are not whole milliseconds. */
export function encodeCommand(command: Command): Uint8Array {
  const { registryTimeMs, unixTimeMs, actor, requestId, limits } = command.header;
  assert(Number.isSafeInteger(registryTimeMs), 'registry time is not a whole number');
  assert(Number.isSafeInteger(unixTimeMs), 'unix time is not a whole number');
  const body = commandBodyToArray(command.body);
  return pack([
    FORMAT_VERSION,
    registryTimeMs,
    unixTimeMs,
    actor,
    requestId,
    command.fingerprint,
    body,
    limits.maxInstances,
    limits.maxRememberedAnswers,
    limits.rememberAnswersMs,
  ]);
}

/** Reads a log entry's payload. Throws UnknownFormatError for what a later version wrote, InvariantError for anything else that this one
 * cannot read: the log is checksummed, so that is no damage. */
export function decodeCommand(bytes: Uint8Array): Command {
  try {
    return commandFromFields(arrayOf(unpack(bytes), 'command'));
  } catch (cause) {
    if (!(cause instanceof MalformedArrayError)) throw cause;
    const error = new InvariantError(`a log entry is no command: ${cause.message}`);
    error.cause = cause;
    throw error;
  }
}

function commandFromFields(array: Fields): Command {
  const version = countAt(array, 0, 'command version');
  if (version !== FORMAT_VERSION) {
    throw new UnknownFormatError(
      'an entry of the log',
      `command format ${version}`,
      `format ${FORMAT_VERSION}`,
    );
  }
  const fields = fieldsOf(array, 'command', 10);
  return {
    header: {
      registryTimeMs: countAt(fields, 1, 'registry time'),
      unixTimeMs: countAt(fields, 2, 'unix time'),
      actor: textAt(fields, 3, 'actor'),
      requestId: textAt(fields, 4, 'request id'),
      limits: {
        maxInstances: countAt(fields, 7, 'limit of instances'),
        maxRememberedAnswers: countAt(fields, 8, 'limit of remembered answers'),
        rememberAnswersMs: countAt(fields, 9, 'time that answers are remembered'),
      },
    },
    fingerprint: textAt(fields, 5, 'fingerprint'),
    body: commandBodyFromArray(fields[6]),
  };
}

/** The body for the log, the peer protocol and the fingerprint. */
export function commandBodyToArray(body: CommandBody): readonly unknown[] {
  switch (body.kind) {
    case 'register':
      return [KIND.register, itemToArray(body.item), body.ifGeneration];
    case 'registerBatch':
      return [KIND.registerBatch, body.items.map(itemToArray)];
    case 'deregister':
      return [KIND.deregister, body.namespace, body.instanceId, body.generation, body.reason];
    case 'setStatus':
      return [
        KIND.setStatus,
        body.namespace,
        body.instanceId,
        body.generation,
        body.lifecycle === undefined ? UNCHANGED : LIFECYCLE_NUMBER[body.lifecycle],
        maintenanceToNumber(body.maintenance),
        body.reason,
      ];
    case 'expire':
      return [
        KIND.expire,
        body.items.map((item) => [item.namespace, item.instanceId, item.generation]),
      ];
  }
}

function itemToArray(item: RegisterItem): readonly unknown[] {
  const { namespace, serviceName, instanceId, ttlMs, body } = item;
  return [namespace, serviceName, instanceId, LIFECYCLE_NUMBER[item.lifecycle], ttlMs, body];
}

function maintenanceToNumber(maintenance: boolean | undefined): number {
  if (maintenance === undefined) return UNCHANGED;
  return maintenance ? ON : OFF;
}

/** The inverse of commandBodyToArray. Throws MalformedArrayError for anything that it did not make. */
export function commandBodyFromArray(array: unknown): CommandBody {
  const fields = arrayOf(array, 'command body');
  switch (fields[0]) {
    case KIND.register:
      return registerFromFields(fieldsOf(fields, 'register', 3));
    case KIND.registerBatch: {
      const items = arrayOf(fieldsOf(fields, 'registerBatch', 2)[1], 'registerBatch items');
      return { kind: 'registerBatch', items: items.map(itemFromArray) };
    }
    case KIND.deregister:
      return deregisterFromFields(fieldsOf(fields, 'deregister', 5));
    case KIND.setStatus:
      return setStatusFromFields(fieldsOf(fields, 'setStatus', 7));
    case KIND.expire: {
      const items = arrayOf(fieldsOf(fields, 'expire', 2)[1], 'expire items');
      return { kind: 'expire', items: items.map(expireItemFromArray) };
    }
    default:
      throw unknownKind(fields, 'command body');
  }
}

function registerFromFields(fields: Fields): CommandBody {
  const ifGeneration = revision(countAt(fields, 2, 'if_generation'));
  return { kind: 'register', item: itemFromArray(fields[1]), ifGeneration };
}

function deregisterFromFields(fields: Fields): CommandBody {
  return {
    kind: 'deregister',
    namespace: textAt(fields, 1, 'namespace'),
    instanceId: textAt(fields, 2, 'instance id'),
    generation: revision(countAt(fields, 3, 'generation')),
    reason: textAt(fields, 4, 'reason'),
  };
}

function setStatusFromFields(fields: Fields): CommandBody {
  const lifecycle = countAt(fields, 4, 'lifecycle');
  return {
    kind: 'setStatus',
    namespace: textAt(fields, 1, 'namespace'),
    instanceId: textAt(fields, 2, 'instance id'),
    generation: revision(countAt(fields, 3, 'generation')),
    lifecycle: lifecycle === UNCHANGED ? undefined : lifecycleFromNumber(lifecycle),
    maintenance: maintenanceFromNumber(countAt(fields, 5, 'maintenance')),
    reason: textAt(fields, 6, 'reason'),
  };
}

function itemFromArray(array: unknown): RegisterItem {
  const fields = fieldsOf(array, 'register item', 6);
  return {
    namespace: textAt(fields, 0, 'namespace'),
    serviceName: textAt(fields, 1, 'service name'),
    instanceId: textAt(fields, 2, 'instance id'),
    lifecycle: lifecycleFromNumber(countAt(fields, 3, 'lifecycle')),
    ttlMs: countAt(fields, 4, 'ttl'),
    body: bytesAt(fields, 5, 'instance body'),
  };
}

function expireItemFromArray(array: unknown): Expire['items'][number] {
  const fields = fieldsOf(array, 'expire item', 3);
  return {
    namespace: textAt(fields, 0, 'namespace'),
    instanceId: textAt(fields, 1, 'instance id'),
    generation: revision(countAt(fields, 2, 'generation')),
  };
}

function maintenanceFromNumber(value: number): boolean | undefined {
  if (value === UNCHANGED) return undefined;
  if (value === ON || value === OFF) return value === ON;
  throw new MalformedArrayError(`maintenance: unknown value ${value}`);
}

/** 16 hex digits over the body as the client sent it; times, actor and request_id are no part of it, so a retry has the same. */
export function fingerprintOf(body: CommandBody): string {
  return hashText(hashRecord('fingerprint', packView(commandBodyToArray(body))));
}
