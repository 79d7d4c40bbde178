// A bug of the server, planted as patches of a copy of the build, and the faults that should bring it to light.
import { present } from '../../../src/lib/assert.ts';
import type { Patch } from '../../planted/bug.ts';
import { simulatedBugs } from '../../sim/planted/bugs.ts';
import type { FaultKind } from '../faults/fault.ts';

export interface ServerBug {
  readonly name: string;
  readonly patches: readonly Patch[];
  readonly kinds: readonly FaultKind[];
  /** How long faults strike in one run. */
  readonly seconds: number;
}

const QUICK_SECONDS = 25;

/** One bug. Without `seconds` its runs are as short as most. */
export function bug(
  name: string,
  kinds: readonly FaultKind[],
  patches: Patch | readonly Patch[],
  seconds = QUICK_SECONDS,
): ServerBug {
  const all = Array.isArray(patches) ? (patches as readonly Patch[]) : [patches as Patch];
  return { name, kinds, patches: all, seconds };
}

/** A bug that the simulator hunts, too: what it finds must be found on real processes as well. */
export function simulated(
  name: string,
  kinds: readonly FaultKind[],
  seconds = QUICK_SECONDS,
): ServerBug {
  const same = simulatedBugs.find((one) => one.name === name);
  const { patches } = present(same, `there is a simulated bug "${name}"`);
  return { name, kinds, patches, seconds };
}
