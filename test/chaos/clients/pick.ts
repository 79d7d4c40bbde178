// Drawing from choices, weighted or not.
import { present } from '../../../src/lib/assert.ts';
import type { Random } from '../../../src/lib/random.ts';

export const pick = <T>(random: Random, choices: readonly T[]): T =>
  present(choices[random.integer(0, choices.length)], 'there is something to choose from');

export function pickWeighted<T>(random: Random, choices: readonly (readonly [number, T])[]): T {
  let left = random.next() * choices.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, choice] of choices) {
    left -= weight;
    if (left < 0) return choice;
  }
  return present(choices.at(-1), 'there is something to choose from')[1];
}
