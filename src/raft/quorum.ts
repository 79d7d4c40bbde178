// Majorities (section 5.3). The fast functions are checked at run time against a naive one: a commit index from a wrong
// short cut is the most silent way to lose data.
import { assert } from '../lib/assert.ts';

/** How many of `voters` make a majority. */
export function quorumSize(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** The highest value that a majority of `values` has reached; one value per voter. Sorts `values` in place, so that the
 * caller can keep one scratch array. */
export function majorityValue(values: Float64Array): number {
  values.sort();
  const reached = values[values.length - quorumSize(values.length)];
  assert(reached !== undefined, 'a quorum is counted over at least one voter');
  return reached;
}

/** Whether a majority has reached `value`, counted one by one. The assertion behind every advance of the commit index. */
export function isReachedByMajority(values: Float64Array, value: number): boolean {
  let reached = 0;
  for (const one of values) if (one >= value) reached += 1;
  return reached * 2 > values.length;
}

export type VoteResult = 'won' | 'lost' | 'pending';

/** The state of an election. `lost` once the voters that have not answered can no longer make a majority. */
export function voteResult(voters: number, granted: number, refused: number): VoteResult {
  const quorum = quorumSize(voters);
  if (granted >= quorum) return 'won';
  return voters - refused < quorum ? 'lost' : 'pending';
}
