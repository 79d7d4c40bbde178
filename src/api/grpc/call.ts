// What every handler is wrapped in: the caller's deadline and its going away become CallOptions, and whatever a handler
// throws or rejects with becomes an answer. grpc-js itself catches only what is thrown synchronously.
import type { handleUnaryCall, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { RegistryError } from '../../lib/registry-error.ts';
import type { Clock } from '../../node/ports.ts';
import type { CallOptions, RegistryNode } from '../../node/registry-node.ts';
import type { ApiLimits } from '../limits.ts';
import { type CallFailure, PermissionDeniedError, toCallFailure } from './status.ts';

/** What handlers work with; one per server. */
export interface Door {
  readonly node: RegistryNode;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: ApiLimits;
  /** Version of the software, for Cluster.Status. */
  readonly version: string;
  /** Takes calls that change the cluster from other hosts too. */
  readonly allowRemoteAdmin: boolean;
}

/** What a handler needs of a call, whatever its kind. */
type TimedCall = Pick<ServerUnaryCall<Buffer, Buffer>, 'getDeadline' | 'getPath'>;

/** Who waits for the answer of a unary call. */
export interface Caller {
  /** For what the node ends by itself within seconds: a write, a read as of now. A signal for each such call would cost
   * more than the caller that is remembered a little too long. */
  readonly brief: CallOptions;
  /** For what may wait longer: with a signal that is aborted when the caller goes away. */
  patient(): CallOptions;
  /** Address and port of the other end, as the socket has them. */
  peer(): string;
}

export type UnaryHandler = (request: Buffer, caller: Caller) => Promise<Buffer>;

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

/** For streams, which live as long as their caller. */
export function callOptions(call: TimedCall, clock: Clock, signal: AbortSignal): CallOptions {
  const deadline = deadlineOf(call, clock);
  return deadline === undefined ? { signal } : { signal, deadline };
}

/** A unary method over bytes. */
export function unary(door: Door, handler: UnaryHandler): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    void answer(door, handler, call, callback);
  };
}

async function answer(
  door: Door,
  handler: UnaryHandler,
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
): Promise<void> {
  const progress = { answered: false };
  let response: Buffer;
  try {
    response = await handler(admitSize(door, call.request), callerOf(call, door.clock, progress));
  } catch (error) {
    progress.answered = true;
    callback(failureOf(door, call, error));
    return;
  }
  progress.answered = true;
  callback(null, response);
}

function callerOf(
  call: ServerUnaryCall<Buffer, Buffer>,
  clock: Clock,
  progress: { readonly answered: boolean },
): Caller {
  const deadline = deadlineOf(call, clock);
  const brief = deadline === undefined ? {} : { deadline };
  return {
    brief,
    peer: () => call.getPeer(),
    patient() {
      const controller = new AbortController();
      if (call.cancelled) controller.abort();
      // Emitted after each answer too.
      call.on('cancelled', () => {
        if (!progress.answered) controller.abort();
      });
      return { ...brief, signal: controller.signal };
    },
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
  if (!(error instanceof RegistryError) && !(error instanceof PermissionDeniedError)) {
    door.log.error({ event: 'call_failed', method: call.getPath(), err: error });
  }
  return toCallFailure(error);
}
