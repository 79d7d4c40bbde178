// The error table of the contract, row by row: code, first word, ErrorInfo, RetryInfo, BadRequest.
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { firstMessageLate, toCallFailure } from '../../../src/api/grpc/status.ts';
import { type ErrorCode, invalidArgument, RegistryError } from '../../../src/lib/registry-error.ts';
import { decodeStatusDetails, STATUS_DETAILS_KEY } from '../../../src/rpc/status-details.ts';

function read(error: unknown) {
  const { code, details, metadata } = toCallFailure(error);
  const trailer = metadata.get(STATUS_DETAILS_KEY)[0];
  expect(trailer).toBeInstanceOf(Buffer);
  const rich = decodeStatusDetails(trailer as Buffer);
  expect(rich?.code).toBe(code);
  expect(rich?.message).toBe(details);
  return { code, details, rich };
}

describe('a failure as the client sees it', () => {
  test.for([
    ['notFound', status.NOT_FOUND, 'not_found'],
    ['alreadyExists', status.ALREADY_EXISTS, 'already_exists'],
    ['notLeader', status.UNAVAILABLE, 'not_leader'],
    ['noQuorum', status.UNAVAILABLE, 'no_quorum'],
    ['behind', status.UNAVAILABLE, 'behind'],
    ['shuttingDown', status.UNAVAILABLE, 'shutting_down'],
    ['outcomeUnknown', status.ABORTED, 'outcome_unknown'],
    ['resourceExhausted', status.RESOURCE_EXHAUSTED, 'resource_exhausted'],
  ] as const)('%s starts with its word and carries it as the reason', ([code, wanted, word]) => {
    const { code: got, details, rich } = read(new RegistryError(code satisfies ErrorCode, 'why'));
    expect(got).toBe(wanted);
    expect(details).toBe(`${word}: why`);
    expect(rich?.reason).toBe(word);
    expect(rich?.violations).toBeUndefined();
  });

  test('INVALID_ARGUMENT starts with the field path and carries BadRequest', () => {
    const { code, details, rich } = read(invalidArgument('instances[3].metadata', '65 pairs', 64));
    expect(code).toBe(status.INVALID_ARGUMENT);
    expect(details).toBe('instances[3].metadata: 65 pairs, limit 64');
    expect(rich?.reason).toBe('invalid_argument');
    expect(rich?.violations).toEqual([
      { field: 'instances[3].metadata', description: '65 pairs, limit 64' },
    ]);
  });

  test.for(['generation', 'page_token'])('FAILED_PRECONDITION names %s', (word) => {
    const { code, details, rich } = read(
      new RegistryError('failedPrecondition', `${word}: is not current`),
    );
    expect(code).toBe(status.FAILED_PRECONDITION);
    expect(details).toBe(`${word}: is not current`);
    expect(rich?.reason).toBe(word);
  });

  test('RESOURCE_EXHAUSTED says when to try again', () => {
    const given = new RegistryError('resourceExhausted', 'limit 5', { retryAfterMs: 250 });
    expect(read(given).rich?.retryAfterMs).toBe(250);
    const silent = new RegistryError('resourceExhausted', 'limit 5');
    expect(read(silent).rich?.retryAfterMs).toBe(1000);
  });

  test('a word that the message already starts with is not said twice', () => {
    const error = new RegistryError('noQuorum', 'no_quorum: two of three are away');
    expect(read(error).details).toBe('no_quorum: two of three are away');
  });

  test('UNIMPLEMENTED names what is missing', () => {
    const error = new RegistryError('unimplemented', 'drain: not in this version');
    const { code, details, rich } = read(error);
    expect(code).toBe(status.UNIMPLEMENTED);
    expect(details).toBe('drain: not in this version');
    expect(rich?.reason).toBe('unimplemented');
  });

  test('a defect of ours is INTERNAL and says nothing of itself', () => {
    const { code, details } = read(new TypeError('secret of /etc/passwd'));
    expect(code).toBe(status.INTERNAL);
    expect(details).toBe('internal error');
  });

  test('a stream without a first message is told the limit', () => {
    expect(firstMessageLate(10_000)).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      details: 'deadline_exceeded: no first message in time, limit 10000 ms',
    });
  });
});
