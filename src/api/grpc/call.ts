// What every handler is wrapped in: the caller's deadline and its going away become CallOptions, and whatever a handler
// throws or rejects with becomes an answer. grpc-js itself catches only what is thrown synchronously.
import type { handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { RegistryError } from '../../lib/registry-error.ts';
import type { Clock } from '../../node/ports.ts';
import type { CallOptions, RegistryNode } from '../../node/registry-node.ts';
import type { ApiLimits } from '../limits.ts';
import { type CallFailure, toCallFailure } from './status.ts';

/** What handlers work with; one per server. */
export interface Door {
  readonly node: RegistryNode;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: ApiLimits;
  /** Version of the software, for Cluster.Status. */
  readonly version: string;
}

/** What a handler needs of a call, whatever its kind. */
type TimedCall = Pick<ServerUnaryCall<Buffer, Buffer>, 'getDeadline' | 'getPath'>;

export type UnaryHandler = (request: Buffer, options: CallOptions) => Promise<Buffer>;

/** The part of the time left that is kept back, so that the node's typed answer reaches the caller before its own timer. */
const ANSWER_SHARE = 0.2;
const ANSWER_MS = 100;

/** Monotonic milliseconds by which to answer; undefined when the caller set no deadline. */
export function deadlineOf(call: TimedCall, clock: Clock): number | undefined {
  const deadline = call.getDeadline();
  const unixMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  if (!Number.isFinite(unixMs)) return undefined;
  const leftMs = Math.max(0, unixMs - clock.unixNow());
  return clock.now() + leftMs - Math.min(ANSWER_MS, leftMs * ANSWER_SHARE);
}

export function callOptions(call: TimedCall, clock: Clock, signal: AbortSignal): CallOptions {
  const deadline = deadlineOf(call, clock);
  return deadline === undefined ? { signal } : { signal, deadline };
}

/** A unary method over bytes. */
export function unary(door: Door, handler: UnaryHandler): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const controller = new AbortController();
    let answered = false;
    // Emitted after each answer too, so an answered call is not aborted.
    call.on('cancelled', () => {
      if (!answered) controller.abort();
    });
    const options = callOptions(call, door.clock, controller.signal);
    // The call of the handler is inside the promise, so that what it throws at once is caught as well.
    void Promise.resolve(call.request)
      .then((request) => handler(admitSize(door, request), options))
      .then(
        (response) => {
          answered = true;
          callback(null, response);
        },
        (error: unknown) => {
          answered = true;
          callback(failureOf(door, call, error));
        },
      );
  };
}

/** grpc-js takes somewhat more (see server.ts), so that a message beyond the limit gets an answer of ours. */
export function admitSize(door: Door, message: Buffer): Buffer {
  const limit = door.limits.messageInBytes;
  if (message.length <= limit) return message;
  throw new RegistryError(
    'resourceExhausted',
    `message of ${message.length} bytes, limit ${limit}: send less at once`,
  );
}

/** The status of a failed call. A failure that is no RegistryError is a defect, and logged: without anything the client sent. */
export function failureOf(door: Door, call: TimedCall, error: unknown): CallFailure {
  if (!(error instanceof RegistryError)) {
    door.log.error({ event: 'call_failed', method: call.getPath(), err: error });
  }
  return toCallFailure(error);
}
