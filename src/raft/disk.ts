// Patience with the own disk: a node whose writes have stopped neither leads nor campaigns, because its log falls behind
// while its heartbeats still flow.
import { otherVoters } from './membership.ts';
import { becomeFollower } from './role.ts';
import type { RaftState } from './state.ts';

/** One tick of every role. A lone voter has nobody to hand over to. */
export function tickDisk(state: RaftState): void {
  state.ticks += 1;
  const oldest = state.outstanding[0];
  if (!oldest || state.ticks - oldest.issuedAtTick < state.config.diskPatienceTicks) return;
  if (otherVoters(state).length === 0) return;
  state.diskInDoubt = true;
  if (state.role.kind !== 'leader') return;
  becomeFollower(state, state.term, undefined, 'its disk has stopped persisting');
}

/** While the host stood still nobody reported that a write had finished: its age is counted anew. Once for each write, because
 * what makes a disk hang may make the host stand still every now and then, and a dead disk would be forgiven for ever. */
export function forgiveDisk(state: RaftState): void {
  for (const batch of state.outstanding) {
    if (batch.forgiven) continue;
    batch.forgiven = true;
    batch.issuedAtTick = state.ticks;
  }
}
