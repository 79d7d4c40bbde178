// The error table of the contract as a client reads it: may it have happened, and does trying again help?
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { clientErrorFrom } from '../../src/client/client-error.ts';
import { encodeStatusDetails, STATUS_DETAILS_KEY } from '../../src/rpc/status-details.ts';

function serviceError(code: status, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata });
}

describe('a status', () => {
  test.for([
    [status.INVALID_ARGUMENT, 'port: 0, limit 1', 'final'],
    [status.NOT_FOUND, 'not_found: no such instance', 'final'],
    [status.ALREADY_EXISTS, '', 'final'],
    [status.FAILED_PRECONDITION, 'generation', 'final'],
    [status.UNIMPLEMENTED, 'drain', 'final'],
    [status.PERMISSION_DENIED, '', 'final'],
    [status.RESOURCE_EXHAUSTED, 'resource_exhausted: writes', 'retry'],
    [status.UNAVAILABLE, 'not_leader: moved', 'retry'],
    [status.UNAVAILABLE, 'no_quorum: no leader', 'retry'],
    [status.UNAVAILABLE, 'behind: revision 7', 'retry'],
    [status.UNAVAILABLE, 'shutting_down: bye', 'retry'],
    [
      status.UNAVAILABLE,
      'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1',
      'retry',
    ],
    [status.UNAVAILABLE, 'Connection dropped', 'unknown'],
    [status.ABORTED, 'outcome_unknown: appended', 'unknown'],
    [status.DEADLINE_EXCEEDED, 'Deadline exceeded', 'unknown'],
    [status.CANCELLED, 'Call cancelled', 'unknown'],
    [status.INTERNAL, 'internal error', 'unknown'],
    [status.UNKNOWN, '', 'unknown'],
  ] as const)('%i "%s" is %s', ([code, details, fate]) => {
    expect(clientErrorFrom(serviceError(code, details), 'a:1').fate).toBe(fate);
  });

  test('of a node that nobody runs says so in words', () => {
    const refused = serviceError(
      status.UNAVAILABLE,
      'No connection established. Last error: connect ECONNREFUSED',
    );
    const error = clientErrorFrom(refused, 'a:1');
    expect(error).toMatchObject({ message: 'a:1 refused the connection', unreachable: true });
  });

  test('carries the delay the node asked for', () => {
    const metadata = new Metadata();
    const details = { code: 8, message: '', reason: 'resource_exhausted', retryAfterMs: 1250 };
    metadata.set(STATUS_DETAILS_KEY, encodeStatusDetails(details));
    const error = clientErrorFrom(serviceError(status.RESOURCE_EXHAUSTED, 'busy', metadata), 'a:1');
    expect(error.retryAfterMs).toBe(1250);
  });
});
