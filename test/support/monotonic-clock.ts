// The one clock that all processes of a host share and that never jumps, for histories recorded in several processes.

/** Milliseconds, with fractions, since some moment of the host's past. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
