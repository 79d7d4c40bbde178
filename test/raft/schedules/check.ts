// What a schedule can be found guilty of. Each check has a name, so that a planted bug can be shown to be caught by it.

export type CheckName =
  | 'election safety'
  | 'leader append-only'
  | 'log matching'
  | 'leader completeness'
  | 'state machine safety'
  | 'durable majority'
  | 'one durable vote per term'
  | 'term rule'
  | 'terms and commit index never fall'
  | 'commit rule'
  | 'commit follows the leader'
  | 'a promise escapes only when durable'
  | 'own vote counts only when reported durable'
  | 'persisted index is durable'
  | 'batches are consecutive'
  | 'handed out in order'
  | 'stickiness'
  | 'a pre-vote changes nothing'
  | 'election timeout'
  | 'read safety'
  | 'tokens are answered once'
  | 'a rejected proposal is never applied'
  | 'a proposal is applied once'
  | 'limits'
  | 'liveness';

/** A broken property of the algorithm, found from outside. InvariantError is the same found by the core itself. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';
  readonly check: CheckName;

  constructor(failed: CheckName, detail: string) {
    super(`${failed}: ${detail}`);
    this.check = failed;
  }
}

/** Throws CheckFailure unless `condition` holds. The detail is made only then: checks run millions of times. */
export function check(
  condition: boolean,
  name: CheckName,
  detail: () => string,
): asserts condition {
  if (!condition) throw new CheckFailure(name, detail());
}
