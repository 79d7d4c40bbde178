// A bug of the server, planted as patches of a copy of the build, and the faults that should bring it to light.
import type { Patch } from '../../planted/bug.ts';
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
