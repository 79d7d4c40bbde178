// Bugs of leases: who is expired although it shows life, who is never expired, and who is told that it lives when it does not.
import { patch } from '../../sim/planted/planted.ts';
import { bug, type ServerBug, simulated } from './server-bug.ts';

export const leaseBugs: readonly ServerBug[] = [
  simulated('a heartbeat is acknowledged without a confirmed round', ['wakeCutOff'], 40),
  bug(
    'leases go by the wall clock',
    ['wallClock'],
    [
      patch(
        'node/assembly.ts',
        'return createLeases({\n    clock,',
        'return createLeases({\n    clock: { ...clock, now: () => clock.unixNow() },',
      ),
      patch(
        'node/engine.ts',
        'leases.lead(Math.min(options.clock.now(), this.#noticedMs + UNNOTICED_MS));',
        'leases.lead(options.clock.unixNow());',
      ),
      patch(
        'node/engine.ts',
        'leases.tick(this.#noticedMs);',
        'leases.tick(options.clock.unixNow());',
      ),
    ],
  ),
  bug(
    'a new leader takes whom it has not heard itself for silent',
    ['killLeader', 'pauseLeader'],
    patch(
      'node/lease-table.ts',
      'grant(leadership, record, nowMs - this.#pausedMs);',
      'grant(leadership, record, nowMs - this.#pausedMs - record.ttlMs);',
    ),
  ),
  bug(
    'a new leader knows no lease of those who registered before it',
    ['pauseLeader'],
    patch(
      'node/lease-table.ts',
      'for (const record of this.#host.registry.records()) {',
      'for (const record of [...this.#host.registry.records()].slice(0, 0)) {',
    ),
  ),
];
