// Bugs of leases: who is expired too early, too late, or although the registry itself was away.
import type { PlantedBug } from '../../planted/bug.ts';
import { inArea, patch } from './planted.ts';

const leases = inArea('leases');

export const leaseBugs: readonly PlantedBug[] = [
  leases(
    'a heartbeat is acknowledged without a confirmed round',
    patch(
      'node/heartbeat-rounds.ts',
      'this.#begunMs = this.#options.clock.now();',
      'this.#begunMs = this.#options.clock.now();\n    for (const call of calls) this.#settle(call);',
    ),
    'a leader that was deposed while it stood still acknowledges no heartbeat',
  ),
  leases(
    'a new leader gives a lease only what is left of it',
    patch(
      'node/lease-table.ts',
      'grant(leadership, record, nowMs - this.#pausedMs);',
      'grant(leadership, record, nowMs - this.#pausedMs - record.ttlMs / 2);',
    ),
    'a new leader gives every lease its whole time again, whatever the clocks say',
  ),
  leases(
    'a heartbeat is acknowledged while its expiry is in the log',
    patch('node/heartbeat-rounds.ts', 'if (this.#slots.condemned(slot)) return undefined;', ''),
  ),
  leases(
    'a pause of the leader is counted twice',
    patch('node/lease-table.ts', 'this.#pausedMs += lengthMs;', 'this.#pausedMs += 2 * lengthMs;'),
  ),
];
