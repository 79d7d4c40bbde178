// Numbers for what a process asks of its peers.
import { seededRandom } from '../lib/random.ts';

/** The first of the ids that a process draws: two lives of a node do not meet in them. Safe up to 2^32 ids a life. */
export function firstId(seed: number): number {
  return seededRandom(seed).integer(1, 1 << 20) * 2 ** 32;
}
