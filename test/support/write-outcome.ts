// The error table of the contract as a gRPC client applies it (registry.proto, at its top).
import { type ServiceError, status } from '@grpc/grpc-js';

/** The details of the contract, and grpc-js's own words for a call that never left this process. */
const certainlyNot =
  /^(?:(?:not_leader|no_quorum|behind|shutting_down):|No connection established)/;

const certainCodes: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.RESOURCE_EXHAUSTED,
]);

/** May an attempt that ended with this error have happened? `rejected`: certainly not. */
export function outcomeOf(error: unknown): 'rejected' | 'unknown' {
  const { code, details } = error as ServiceError;
  if (code === status.UNAVAILABLE) return certainlyNot.test(details) ? 'rejected' : 'unknown';
  return certainCodes.has(code) ? 'rejected' : 'unknown';
}
