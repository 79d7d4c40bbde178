// What a failed call means to its caller: whether it may have happened, and whether trying again can help. The only
// place where a gRPC status is read (error table of the contract).
import { type ServiceError, status } from '@grpc/grpc-js';
import { decodeStatusDetails, STATUS_DETAILS_KEY } from '../rpc/status-details.ts';

/**
 * `final`: the registry refused it, or can never do it; trying again is of no use.
 * `retry`: certainly not applied; another node, or the same one later, may do it.
 * `unknown`: perhaps applied; trying again is safe only with the same request_id.
 */
export type Fate = 'final' | 'retry' | 'unknown';

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly fate: Fate;
  /** Name of the gRPC status, as in `NOT_FOUND`. */
  readonly status: string;
  /** The node never got the call: nothing listens there, or its name does not resolve. */
  readonly unreachable: boolean;
  /** Milliseconds the node asked to wait; undefined: it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    parts: {
      readonly fate: Fate;
      readonly status: string;
      readonly unreachable?: boolean;
      readonly retryAfterMs?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: parts.cause });
    this.fate = parts.fate;
    this.status = parts.status;
    this.unreachable = parts.unreachable ?? false;
    this.retryAfterMs = parts.retryAfterMs;
  }
}

/** Statuses that carry a definite no. UNAVAILABLE is judged by its detail. */
const FATES: Readonly<Record<number, Fate>> = {
  [status.INVALID_ARGUMENT]: 'final',
  [status.NOT_FOUND]: 'final',
  [status.ALREADY_EXISTS]: 'final',
  [status.FAILED_PRECONDITION]: 'final',
  [status.OUT_OF_RANGE]: 'final',
  [status.UNIMPLEMENTED]: 'final',
  [status.UNAUTHENTICATED]: 'final',
  [status.PERMISSION_DENIED]: 'final',
  [status.RESOURCE_EXHAUSTED]: 'retry',
};

/** Details after which a call was certainly not applied. */
const NOT_APPLIED = /^(not_leader|no_quorum|behind|shutting_down)\b/;
/** How grpc-js words a call that never left this process. */
const NEVER_SENT = /^(No connection established|Name resolution failed)/;

export function clientErrorFrom(error: ServiceError, endpoint: string): ClientError {
  const unreachable = error.code === status.UNAVAILABLE && NEVER_SENT.test(error.details);
  const applied = error.code === status.UNAVAILABLE && !NOT_APPLIED.test(error.details);
  const fate = unreachable
    ? 'retry'
    : (FATES[error.code] ?? (error.code === status.UNAVAILABLE && !applied ? 'retry' : 'unknown'));
  return new ClientError(describe(error, endpoint, unreachable), {
    fate,
    status: status[error.code] ?? String(error.code),
    unreachable,
    retryAfterMs: retryAfter(error),
    cause: error,
  });
}

function describe(error: ServiceError, endpoint: string, unreachable: boolean): string {
  if (unreachable) {
    const refused = error.details.includes('ECONNREFUSED');
    return `${endpoint} ${refused ? 'refused the connection' : 'cannot be reached'}`;
  }
  if (error.code === status.DEADLINE_EXCEEDED) return `${endpoint} did not answer in time`;
  return firstLine(error.details === '' ? (status[error.code] ?? 'failed') : error.details);
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

function retryAfter(error: ServiceError): number | undefined {
  const [trailer] = error.metadata?.get(STATUS_DETAILS_KEY) ?? [];
  return trailer instanceof Uint8Array ? decodeStatusDetails(trailer)?.retryAfterMs : undefined;
}
