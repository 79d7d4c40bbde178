// The positional array of a request that failed at another node: [outcome number, code, message].
import type { ErrorCode } from '../lib/registry-error.ts';
import { type Fields, fieldsOf, numbering, textAt } from './fields.ts';

export const errorCodes = numbering<ErrorCode>({
  invalidArgument: 0,
  notFound: 1,
  alreadyExists: 2,
  failedPrecondition: 3,
  notLeader: 4,
  noQuorum: 5,
  behind: 6,
  shuttingDown: 7,
  outcomeUnknown: 8,
  resourceExhausted: 9,
  unimplemented: 10,
});

export function failureFromFields(fields: Fields): {
  readonly kind: 'failed';
  readonly code: ErrorCode;
  readonly message: string;
} {
  fieldsOf(fields, 3, 'failed');
  return {
    kind: 'failed',
    code: errorCodes.nameAt(fields, 1, 'failed.code'),
    message: textAt(fields, 2, 'failed.message'),
  };
}
