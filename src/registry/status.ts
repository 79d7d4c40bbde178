// The one place where status is derived, from the four things that are kept apart: lifecycle, the operator's override,
// check verdicts and lease liveness.
import type { Lifecycle, Status } from './types.ts';

/**
 * The first row that applies decides:
 *
 * | what holds                       | status    |
 * |----------------------------------|-----------|
 * | lifecycle is draining            | draining  |
 * | the operator's override is on    | unhealthy |
 * | lifecycle is starting            | starting  |
 * | otherwise                        | healthy   |
 *
 * Check verdicts come between the third row and the last: without a first verdict `starting`, with a failed one `unhealthy`. An
 * instance whose lease ran out is removed, so liveness adds no row.
 */
export function deriveStatus(lifecycle: Lifecycle, maintenance: boolean): Status {
  if (lifecycle === 'draining') return 'draining';
  if (maintenance) return 'unhealthy';
  return lifecycle === 'starting' ? 'starting' : 'healthy';
}
