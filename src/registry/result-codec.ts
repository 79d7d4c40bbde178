// Answers of the state machine as positional arrays: remembered under a request_id, and sent to the follower that asked.
import { type Revision, revision } from '../lib/ids.ts';
import type { ApplyResult } from './command.ts';
import { arrayOf, countAt, type Fields, fieldsOf, flagAt, unknownKind } from './positional.ts';

const KIND = {
  registered: 1,
  deregistered: 2,
  statusSet: 3,
  expired: 4,
  notFound: 5,
  generationNotCurrent: 6,
  requestIdReused: 7,
  tooManyInstances: 8,
} as const satisfies Record<ApplyResult['kind'], number>;

/** [kind, revision, further fields of the kind]. */
export function applyResultToArray(result: ApplyResult): readonly unknown[] {
  const kind = KIND[result.kind];
  switch (result.kind) {
    case 'registered':
      return [kind, result.revision, result.generations];
    case 'deregistered':
      return [kind, result.revision, result.existed];
    case 'expired':
      return [kind, result.revision, result.count];
    case 'generationNotCurrent':
      return [kind, result.revision, result.current];
    case 'tooManyInstances':
      return [kind, result.revision, result.limit];
    case 'statusSet':
    case 'notFound':
    case 'requestIdReused':
      return [kind, result.revision];
  }
}

/** The inverse. Throws MalformedArrayError for anything that applyResultToArray did not make. */
export function applyResultFromArray(array: unknown): ApplyResult {
  const fields = arrayOf(array, 'result');
  const at = revision(countAt(fields, 1, 'result revision'));
  switch (fields[0]) {
    case KIND.registered:
      return { kind: 'registered', revision: at, generations: generationsOf(fields) };
    case KIND.deregistered:
      return { kind: 'deregistered', revision: at, existed: flagAt(three(fields), 2, 'existed') };
    case KIND.expired:
      return { kind: 'expired', revision: at, count: countAt(three(fields), 2, 'count') };
    case KIND.generationNotCurrent: {
      const current = revision(countAt(three(fields), 2, 'current generation'));
      return { kind: 'generationNotCurrent', revision: at, current };
    }
    case KIND.tooManyInstances:
      return { kind: 'tooManyInstances', revision: at, limit: countAt(three(fields), 2, 'limit') };
    case KIND.statusSet:
      return two(fields, { kind: 'statusSet', revision: at });
    case KIND.notFound:
      return two(fields, { kind: 'notFound', revision: at });
    case KIND.requestIdReused:
      return two(fields, { kind: 'requestIdReused', revision: at });
    default:
      throw unknownKind(fields, 'result');
  }
}

function two(fields: Fields, result: ApplyResult): ApplyResult {
  fieldsOf(fields, 'result', 2);
  return result;
}

function three(fields: Fields): Fields {
  return fieldsOf(fields, 'result', 3);
}

function generationsOf(fields: Fields): readonly Revision[] {
  const generations = arrayOf(three(fields)[2], 'generations');
  return generations.map((_, position) => revision(countAt(generations, position, 'generation')));
}
