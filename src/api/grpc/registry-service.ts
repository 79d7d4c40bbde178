// The writing half of the Registry service: validate, hand one command to the node, answer what came of it.
import { RegistryError, invalidArgument } from '../../lib/registry-error.ts';
import type { CallOptions, WriteOptions } from '../../node/registry-node.ts';
import type { ApplyResult } from '../../registry/index.ts';
import {
  heartbeatInterval,
  parseDeregister,
  parseRegister,
  parseRegisterBatch,
  parseSetStatus,
} from '../rules-request.ts';
import { type Door, unary } from './call.ts';
import {
  decodeDeregister,
  decodeRegister,
  decodeRegisterBatch,
  decodeSetStatus,
} from './decode.ts';
import {
  encodeDeregisterResponse,
  encodeRegisterBatchResponse,
  encodeRegisterResponse,
  encodeSetStatusResponse,
} from './encode.ts';

/** Nobody is known by name until access control exists. */
const ACTOR = '';

export function writeHandlers(door: Door) {
  const { node, limits } = door;
  return {
    Register: unary(door, async (bytes, { brief }) => {
      const request = decodeRegister(bytes, limits);
      const command = parseRegister(request, limits);
      const result = await node.write(command, writeOptions(brief, request.requestId));
      if (result.kind !== 'registered') throw refusal(result);
      const { revision, generations } = result;
      return encodeRegisterResponse(
        revision,
        generations[0] ?? revision,
        heartbeatInterval([command.item]),
      );
    }),
    RegisterBatch: unary(door, async (bytes, { brief }) => {
      const request = decodeRegisterBatch(bytes, limits);
      const command = parseRegisterBatch(request, limits);
      const result = await node.write(command, writeOptions(brief, request.requestId));
      if (result.kind !== 'registered') throw refusal(result);
      const { revision, generations } = result;
      return encodeRegisterBatchResponse(revision, generations, heartbeatInterval(command.items));
    }),
    Deregister: unary(door, async (bytes, { brief }) => {
      const request = decodeDeregister(bytes);
      const command = parseDeregister(request, limits);
      const result = await node.write(command, writeOptions(brief, request.requestId));
      if (result.kind !== 'deregistered') throw refusal(result);
      return encodeDeregisterResponse(result.revision, result.existed);
    }),
    SetStatus: unary(door, async (bytes, { brief }) => {
      const request = decodeSetStatus(bytes);
      const command = parseSetStatus(request, limits);
      const result = await node.write(command, writeOptions(brief, request.requestId));
      if (result.kind !== 'statusSet') throw refusal(result);
      return encodeSetStatusResponse(result.revision);
    }),
  };
}

function writeOptions(options: CallOptions, requestId: string): WriteOptions {
  return { ...options, requestId, actor: ACTOR };
}

/** The state machine's refusals; remembered under the request_id like any other answer. */
function refusal(result: ApplyResult): Error {
  switch (result.kind) {
    case 'notFound':
      return new RegistryError('notFound', 'no such instance');
    case 'generationNotCurrent':
      return new RegistryError('failedPrecondition', 'generation: is not the current one');
    case 'requestIdReused':
      return invalidArgument('request_id', 'was used for another request');
    case 'tooManyInstances':
      return new RegistryError(
        'resourceExhausted',
        `instances of the cluster, limit ${result.limit}`,
        { retryAfterMs: TOO_MANY_INSTANCES_RETRY_MS },
      );
    case 'registered':
    case 'deregistered':
    case 'statusSet':
    case 'expired':
      return new Error(`a write was answered with ${result.kind}`);
  }
}

/** Instances leave at the pace of their TTLs. */
const TOO_MANY_INSTANCES_RETRY_MS = 10_000;
