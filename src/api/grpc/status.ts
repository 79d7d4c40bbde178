// The only place where a failure becomes a gRPC status (registry.proto, at its top). The message starts with the same word that
// ErrorInfo carries as its reason, so that people and programs read one thing.
import { Metadata, status } from '@grpc/grpc-js';
import { type ErrorCode, RegistryError } from '../../lib/registry-error.ts';
import {
  type FieldViolation,
  STATUS_DETAILS_KEY,
  encodeStatusDetails,
} from '../../rpc/status-details.ts';

interface Mapped {
  readonly code: status;
  /** ErrorInfo.reason, and the first word of the message. */
  readonly word: string;
}

const MAPPED = {
  invalidArgument: { code: status.INVALID_ARGUMENT, word: 'invalid_argument' },
  notFound: { code: status.NOT_FOUND, word: 'not_found' },
  alreadyExists: { code: status.ALREADY_EXISTS, word: 'already_exists' },
  failedPrecondition: { code: status.FAILED_PRECONDITION, word: 'failed_precondition' },
  notLeader: { code: status.UNAVAILABLE, word: 'not_leader' },
  noQuorum: { code: status.UNAVAILABLE, word: 'no_quorum' },
  behind: { code: status.UNAVAILABLE, word: 'behind' },
  shuttingDown: { code: status.UNAVAILABLE, word: 'shutting_down' },
  outcomeUnknown: { code: status.ABORTED, word: 'outcome_unknown' },
  resourceExhausted: { code: status.RESOURCE_EXHAUSTED, word: 'resource_exhausted' },
  unimplemented: { code: status.UNIMPLEMENTED, word: 'unimplemented' },
} as const satisfies Record<ErrorCode, Mapped>;

/** What RESOURCE_EXHAUSTED suggests when its cause suggests nothing. */
const DEFAULT_RETRY_MS = 1000;

/** How a call ends without an answer, as grpc-js takes it. No Error: nobody reads its stack. */
export interface CallFailure {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** A call that is not taken from where it comes. Not a RegistryError: the node never heard of it. */
export class PermissionDeniedError extends Error {
  override readonly name = 'PermissionDeniedError';
}

export function toCallFailure(error: unknown): CallFailure {
  if (error instanceof RegistryError) return fromRegistryError(error);
  if (error instanceof PermissionDeniedError) {
    const denied = { code: status.PERMISSION_DENIED, word: 'permission_denied' };
    return callFailure(denied, `permission_denied: ${error.message}`, {});
  }
  // Whatever it was, it is ours: the cause goes to the log, never to the client.
  return callFailure({ code: status.INTERNAL, word: 'internal' }, 'internal error', {});
}

function fromRegistryError(error: RegistryError): CallFailure {
  const mapped = MAPPED[error.code];
  switch (error.code) {
    case 'invalidArgument': {
      const field = error.field ?? '';
      const description = withoutPrefix(error.message, field);
      // INVALID_ARGUMENT starts with the path of the field instead of a word.
      return callFailure(mapped, error.message, { violations: [{ field, description }] });
    }
    case 'unimplemented':
      return callFailure(mapped, error.message, {});
    case 'failedPrecondition': {
      const word = /^(generation|page_token)\b/.exec(error.message)?.[0] ?? mapped.word;
      return callFailure({ ...mapped, word }, prefixed(word, error.message), {});
    }
    case 'resourceExhausted': {
      const retryAfterMs = error.retryAfterMs ?? DEFAULT_RETRY_MS;
      return callFailure(mapped, prefixed(mapped.word, error.message), { retryAfterMs });
    }
    case 'notFound':
    case 'alreadyExists':
    case 'notLeader':
    case 'noQuorum':
    case 'behind':
    case 'shuttingDown':
    case 'outcomeUnknown':
      return callFailure(mapped, prefixed(mapped.word, error.message), {});
  }
}

/** A stream that was opened and never said what it wants. Not a RegistryError: nothing of the node failed. */
export function firstMessageLate(limitMs: number): CallFailure {
  return callFailure(
    { code: status.DEADLINE_EXCEEDED, word: 'deadline_exceeded' },
    `deadline_exceeded: no first message in time, limit ${limitMs} ms`,
    {},
  );
}

function prefixed(word: string, message: string): string {
  return message.startsWith(`${word}:`) ? message : `${word}: ${message}`;
}

function withoutPrefix(message: string, field: string): string {
  return message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
}

interface Extras {
  readonly retryAfterMs?: number;
  readonly violations?: readonly FieldViolation[];
}

function callFailure(mapped: Mapped, message: string, extras: Extras): CallFailure {
  const metadata = new Metadata();
  const { code, word } = mapped;
  metadata.set(STATUS_DETAILS_KEY, encodeStatusDetails({ code, message, reason: word, ...extras }));
  return { code, details: message, metadata };
}
