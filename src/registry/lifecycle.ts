// Numbers of the lifecycles, the same in rollcall.v1.Instance.Lifecycle, in commands and in stored records.
import { MalformedArrayError } from './positional.ts';
import type { Lifecycle } from './types.ts';

export const LIFECYCLE_NUMBER = {
  serving: 1,
  starting: 2,
  draining: 3,
} as const satisfies Record<Lifecycle, number>;

const LIFECYCLES: readonly Lifecycle[] = ['serving', 'starting', 'draining'];

/** Throws MalformedArrayError for a number that stands for none. */
export function lifecycleFromNumber(value: number): Lifecycle {
  const lifecycle = LIFECYCLES[value - 1];
  if (lifecycle === undefined) throw new MalformedArrayError(`lifecycle: unknown value ${value}`);
  return lifecycle;
}
