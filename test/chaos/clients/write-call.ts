// A write as one gRPC call: the same request for every attempt, and the answer in words that are equal where answers are.
import { type ServiceError, status } from '@grpc/grpc-js';
import { type Revision, revision } from '../../../src/lib/ids.ts';
import type { DeregisterResponse__Output } from '../../../src/rpc/gen/rollcall/v1/DeregisterResponse.ts';
import type { Instance } from '../../../src/rpc/gen/rollcall/v1/Instance.ts';
import type { RegisterBatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterBatchResponse.ts';
import type { RegisterResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterResponse.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { SetStatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/SetStatusResponse.ts';
import { unary } from '../../support/grpc-client.ts';
import type { WriteAction } from '../../support/write-action.ts';

/** What the registry said to a write; a refusal that it remembers under the request id is an answer, too. */
export interface WriteAnswer {
  readonly words: string;
  readonly refusal: boolean;
  /** 0 of a refusal. */
  readonly revision: Revision;
  /** Of a registration, in the order of its instances. */
  readonly generations: readonly Revision[];
  /** Of a deregistration. */
  readonly existed: boolean | undefined;
}

/** Rejects with a ServiceError where the registry gave no answer that it would give again. */
export type WriteCall = (client: RegistryClient, timeoutMs: number) => Promise<WriteAnswer>;

const number = (text: string): Revision => revision(Number(text));

/** Refusals by the state machine, which are part of the order. INVALID_ARGUMENT: the request id was used for another request. */
const decided: ReadonlyMap<status, string> = new Map([
  [status.NOT_FOUND, 'NOT_FOUND'],
  [status.FAILED_PRECONDITION, 'FAILED_PRECONDITION'],
  [status.INVALID_ARGUMENT, 'INVALID_ARGUMENT'],
]);

async function answered(call: Promise<Partial<WriteAnswer>>): Promise<WriteAnswer> {
  const none = { refusal: false, revision: revision(0), generations: [], existed: undefined };
  try {
    const answer = { ...none, ...(await call) };
    const { existed, generations } = answer;
    const words = `revision ${answer.revision} generations ${generations.join(',')} existed ${existed ?? '-'}`;
    return { ...answer, words };
  } catch (error) {
    const { code, details } = error as ServiceError;
    const name = decided.get(code);
    if (name === undefined) throw error;
    return { ...none, refusal: true, words: `${name} ${details}` };
  }
}

/** `mark` is the request id, too, where `requestId` is set. */
export function writeCall(
  action: WriteAction,
  mark: string,
  generation: Revision,
  requestId: string,
): WriteCall {
  switch (action.kind) {
    case 'register': {
      const instances = action.ids.map((id) => instanceOf(id, action.service, action.ttlMs, mark));
      const [instance] = instances;
      if (instances.length === 1 && instance !== undefined) {
        return registerCall(instance, generation, requestId);
      }
      return batchCall(instances, requestId);
    }
    case 'deregister': {
      const named = { instance_id: action.id, generation, reason: mark, request_id: requestId };
      return (client, timeoutMs) =>
        answered(
          unary<DeregisterResponse__Output>(
            (options, callback) => client.deregister(named, options, callback),
            timeoutMs,
          ).then((answer) => ({ revision: number(answer.revision), existed: answer.existed })),
        );
    }
    case 'setStatus':
      return statusCall(action, mark, generation, requestId);
  }
}

export function registerCall(
  instance: Instance,
  ifGeneration: Revision,
  requestId: string,
): WriteCall {
  const request = { instance, if_generation: ifGeneration, request_id: requestId };
  return (client, timeoutMs) =>
    answered(
      unary<RegisterResponse__Output>(
        (options, callback) => client.register(request, options, callback),
        timeoutMs,
      ).then((answer) => ({
        revision: number(answer.revision),
        generations: [number(answer.generation)],
      })),
    );
}

function batchCall(instances: Instance[], requestId: string): WriteCall {
  const request = { instances, request_id: requestId };
  return (client, timeoutMs) =>
    answered(
      unary<RegisterBatchResponse__Output>(
        (options, callback) => client.registerBatch(request, options, callback),
        timeoutMs,
      ).then((answer) => ({
        revision: number(answer.revision),
        generations: answer.generations.map(number),
      })),
    );
}

const STATUS_OF = { serving: 'HEALTHY', starting: 'STARTING', draining: 'DRAINING' } as const;

function statusCall(
  action: Extract<WriteAction, { readonly kind: 'setStatus' }>,
  mark: string,
  generation: Revision,
  requestId: string,
): WriteCall {
  const { lifecycle, maintenance, id } = action;
  const request = {
    instance_id: id,
    generation,
    reason: mark,
    request_id: requestId,
    status: lifecycle === undefined ? ('STATUS_UNSPECIFIED' as const) : STATUS_OF[lifecycle],
    maintenance:
      maintenance === undefined ? ('UNCHANGED' as const) : maintenance ? ('ON' as const) : 'OFF',
  } as const;
  return (client, timeoutMs) =>
    answered(
      unary<SetStatusResponse__Output>(
        (options, callback) => client.setStatus(request, options, callback),
        timeoutMs,
      ).then((answer) => ({ revision: number(answer.revision) })),
    );
}

const PADDING_BYTES = 500;

/** Of very different sizes: some entries are one sector of the log, some are several. */
function paddingOf(mark: string): Record<string, string> {
  const count = Number(mark.slice(mark.lastIndexOf('m') + 1));
  let left = count % 2 === 0 ? (count * 197) % 1200 : 0;
  const padding: Record<string, string> = {};
  for (let part = 0; left > 0; part++) {
    padding[`padding${part}`] = '.'.repeat(Math.min(left, PADDING_BYTES));
    left -= PADDING_BYTES;
  }
  return padding;
}

export function instanceOf(
  instanceId: string,
  service: string,
  ttlMs: number,
  mark: string,
): Instance {
  return {
    service_name: service,
    instance_id: instanceId,
    host: '10.0.0.1',
    port: 8080,
    ttl_ms: ttlMs,
    lifecycle: 'SERVING',
    metadata: { mark, ...paddingOf(mark) },
    // A list that selects the tag is a read of this instance alone, of a known revision whether it is there or not.
    tags: [instanceId],
  };
}
