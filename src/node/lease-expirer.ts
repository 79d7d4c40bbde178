// From "this lease is overdue" to an expiry in the log (lease rule 2): only after a quorum round that began after the
// deadline, in entries of at most 1000, a few at a time. All of it is the leadership's and dies with it.
import { assert } from '../lib/assert.ts';
import type { Revision } from '../lib/ids.ts';
import type { Expire } from '../registry/index.ts';
import type { LeaseHandle, LeaseSlots } from './lease-slots.ts';
import type { Clock } from './ports.ts';

export interface LeaseExpirerOptions {
  readonly clock: Clock;
  readonly slots: LeaseSlots;
  readonly leaseNow: () => number;
  readonly confirmRound: (done: (confirmed: boolean) => void) => void;
  readonly proposeExpiry: (body: Expire, done: (outcome: 'applied' | 'lost') => void) => void;
  /** Puts a slot that turned out to be alive back into the wheel, at its present deadline. */
  readonly rearm: (slot: number) => void;
  /** The outcome of a proposal is known. */
  readonly settled: () => void;
}

/** An overdue lease, and when the round began that confirmed the leadership after that. */
interface Confirmed {
  readonly handle: LeaseHandle;
  readonly roundBeganMs: number;
}
interface Proposed {
  readonly handle: LeaseHandle;
  readonly generation: Revision;
}

const MAX_ITEMS_PER_ENTRY = 1000;
const MAX_ENTRIES_IN_FLIGHT = 4;

/** The expiries of one leadership; `stop` ends it. Every suspect is a lease, so the lists are bounded by the table. */
export class LeaseExpirer {
  readonly #options: LeaseExpirerOptions;
  readonly #slots: LeaseSlots;
  #suspects: LeaseHandle[] = [];
  #confirmed: Confirmed[] = [];
  #roundUnderWay = false;
  #entriesInFlight = 0;
  #stopped = false;

  constructor(options: LeaseExpirerOptions) {
    this.#options = options;
    this.#slots = options.slots;
  }

  /** The deadline of this slot has passed and the wheel no longer holds it; it goes back by `rearm` if it was renewed. */
  suspect(slot: number): void {
    this.#suspects.push(this.#slots.handle(slot));
  }

  /** Starts what can be started. */
  tick(): void {
    if (this.#suspects.length === 0 || this.#roundUnderWay) return;
    this.#roundUnderWay = true;
    // Not at once: heartbeats that already wait in the sockets are read first (rule 5).
    this.#options.clock.defer(() => this.#beginRound());
  }

  stop(): void {
    this.#stopped = true;
    this.#suspects = [];
    this.#confirmed = [];
  }

  #beginRound(): void {
    if (this.#stopped) return;
    const roundBeganMs = this.#options.leaseNow();
    const asked = this.#suspects.filter(
      (handle) => this.#overdue(handle, roundBeganMs) !== undefined,
    );
    this.#suspects = [];
    this.#roundUnderWay = asked.length > 0;
    if (!this.#roundUnderWay) return;
    this.#options.confirmRound((isConfirmed) => {
      if (this.#stopped) return;
      this.#roundUnderWay = false;
      if (isConfirmed) {
        for (const handle of asked) this.#confirmed.push({ handle, roundBeganMs });
        this.#propose();
      } else {
        this.#suspects = this.#suspects.concat(asked);
      }
    });
  }

  /** The slot if its deadline had passed by `byMs`; one that was renewed goes back into the wheel. */
  #overdue(handle: LeaseHandle, byMs: number): number | undefined {
    const slot = this.#slots.resolve(handle);
    if (slot === undefined || this.#slots.deadline(slot) <= byMs) return slot;
    this.#options.rearm(slot);
    return undefined;
  }

  #propose(): void {
    while (this.#confirmed.length > 0 && this.#entriesInFlight < MAX_ENTRIES_IN_FLIGHT) {
      const items: Expire['items'][number][] = [];
      const proposed: Proposed[] = [];
      const taken = this.#confirmed.slice(0, MAX_ITEMS_PER_ENTRY);
      this.#confirmed = this.#confirmed.slice(MAX_ITEMS_PER_ENTRY);
      for (const { handle, roundBeganMs } of taken) {
        // A pause that was noticed meanwhile has moved the deadline back into the future.
        const byMs = Math.min(roundBeganMs, this.#options.leaseNow());
        const slot = this.#overdue(handle, byMs);
        if (slot === undefined) continue;
        const { namespace, instanceId, generation } = this.#slots.record(slot);
        this.#slots.setCondemned(slot, true);
        items.push({ namespace, instanceId, generation });
        proposed.push({ handle, generation });
      }
      if (items.length === 0) continue;
      this.#entriesInFlight++;
      this.#options.proposeExpiry({ kind: 'expire', items }, (outcome) => {
        this.#conclude(proposed, outcome);
      });
    }
  }

  #conclude(proposed: readonly Proposed[], outcome: 'applied' | 'lost'): void {
    if (this.#stopped) return;
    this.#entriesInFlight--;
    for (const { handle, generation } of proposed) {
      const slot = this.#slots.resolve(handle);
      // Gone, or registered anew meanwhile and passed over by the expiry (G10).
      if (slot === undefined || this.#slots.record(slot).generation !== generation) continue;
      assert(
        outcome === 'lost',
        'an applied expiry has removed what is current of its generations',
      );
      this.#slots.setCondemned(slot, false);
      this.#suspects.push(handle);
    }
    this.#options.settled();
    this.#propose();
  }
}
