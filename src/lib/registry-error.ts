// The one error type that callers of the node see. The code says whether the operation may have happened; doors map it
// to a gRPC status or an HTTP status in exactly one place each.

/** Closed list. `outcomeUnknown` is the only one after which a write may have happened. */
export type ErrorCode =
  | 'invalidArgument' // names the field and the limit
  | 'notFound'
  | 'alreadyExists'
  | 'failedPrecondition' // the generation is not current, or a page token whose revision is gone
  | 'notLeader' // the leader changed on the way: certainly not applied
  | 'noQuorum' // no leader, or one that cannot reach a majority: certainly not applied
  | 'behind' // min_revision was not reached in time
  | 'shuttingDown' // this node is stopping: certainly not applied
  | 'outcomeUnknown' // appended, fate unknown: retry only with the same request_id
  | 'resourceExhausted' // a limit, named in the message
  | 'unimplemented'; // exists in the contract, not in this version

export interface RegistryErrorOptions {
  /** Path of the offending field, as in `instances[3].metadata`; for invalidArgument only. */
  readonly field?: string;
  /** Suggested wait before the next try, in milliseconds; for resourceExhausted. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** An operating error with a typed reason. `message` is for people and carries no client input beyond field paths. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: RegistryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** `<field path>: <what is wrong>`; pass the limit where there is one and it is appended as `, limit <number>`. */
export function invalidArgument(field: string, problem: string, limit?: number): RegistryError {
  const suffix = limit === undefined ? '' : `, limit ${limit}`;
  return new RegistryError('invalidArgument', `${field}: ${problem}${suffix}`, { field });
}
