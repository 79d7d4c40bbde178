// Leases: who was heard when. They live in the memory of a node that leads, never in the log (rules 1 to 5 of
// ARCHITECTURE.md, "Life of a heartbeat"); what the log gets is the expiry of an instance that was silent for its TTL.
import type { Logger } from 'pino';
import type { Change, Expire, InstanceRecord, Registry } from '../registry/index.ts';
import { HeartbeatRounds } from './heartbeat-rounds.ts';
import { LeaseExpirer } from './lease-expirer.ts';
import { LeaseSlots } from './lease-slots.ts';
import { LeaseWheel } from './lease-wheel.ts';
import type { Beat, HeartbeatOutcome } from './peer-protocol.ts';
import type { Clock } from './ports.ts';

/** What the lease table needs of the node. */
export interface LeaseHost {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly log: Logger;
  /** Calls back true once a quorum round that began after this call has confirmed the leadership and its index is applied; false when none can. */
  confirmRound(done: (confirmed: boolean) => void): void;
  /** Proposes an expiry. `applied`: apply has run, and `Leases.applied` has been told its changes. `lost`: it will certainly
   * not be applied under this leadership; when that is unknown, the leadership is over and `stepDown` says so. */
  proposeExpiry(body: Expire, done: (outcome: 'applied' | 'lost') => void): void;
  /** Beats waiting for an acknowledgement at most; beyond, resourceExhausted. Default 200 000. */
  readonly maxPendingBeats?: number;
}

export interface Leases {
  /** This node leads and has applied its own no-op: every lease gets a full TTL from now (rule 4). Monotonic milliseconds, without
   * a pause that was not told yet. */
  lead(nowMs: number): void;
  /** Fails what waits with notLeader, forgets unproposed expiries (rule 2). Does nothing on a node that does not lead. */
  stepDown(): void;
  readonly leading: boolean;
  /** Every applied change while this node leads, right after apply. A new registration gets a full TTL. */
  applied(change: Change): void;
  /** An unchanged register is about to be answered, after a round: renews the lease. False: an expiry of this very
   * registration is in the log already (rule 3). Then the answer would not hold: propose the register instead. */
  renew(namespace: string, instanceId: string): boolean;
  /** Calls back exactly once, never synchronously except with a failure: within 2 s or at the first tick after that. */
  heartbeat(beats: readonly Beat[], done: (outcome: HeartbeatOutcome) => void): void;
  /** Unix milliseconds at which this leader last heard the instance, or its last change if not since; undefined: no lease here. */
  lastHeartbeat(namespace: string, instanceId: string): number | undefined;
  /** Turns the wheel; at most 100 ms apart, after waiting input was read (rule 5). Monotonic milliseconds: the last moment up to
   * which all pauses have been told. A later one would turn the wheel over a pause, and nobody would be expired until lease
   * time had caught up with it (G8). */
  tick(nowMs: number): void;
  /** The node itself was away for so long: every deadline moves by it, at no cost. Call it before the tick that follows. */
  pause(lengthMs: number): void;
  /** Leases held; 0 on a node that does not lead. */
  readonly size: number;
}

/** All that dies with a leadership. */
interface Leadership {
  readonly slots: LeaseSlots;
  readonly wheel: LeaseWheel;
  readonly rounds: HeartbeatRounds;
  readonly expirer: LeaseExpirer;
}

const DEFAULT_MAX_PENDING_BEATS = 200_000;

export function createLeases(host: LeaseHost): Leases {
  return new LeaseTable(host);
}

/** Longer than this between two ticks is a pause that is about to be noticed. */
export const UNNOTICED_MS = 200;

class LeaseTable implements Leases {
  readonly #host: LeaseHost;
  #pausedMs = 0;
  /** The last moment at which it was known how long this node had been away. */
  #seenMs: number;
  #current: Leadership | undefined;

  constructor(host: LeaseHost) {
    this.#host = host;
    this.#seenMs = host.clock.now();
  }

  lead(nowMs: number): void {
    this.stepDown();
    this.#seenMs = nowMs;
    const leadership = this.#assume(nowMs - this.#pausedMs);
    for (const record of this.#host.registry.records()) {
      grant(leadership, record, nowMs - this.#pausedMs);
    }
    this.#current = leadership;
    this.#host.log.info({ event: 'leases_granted', leases: leadership.slots.size });
  }

  stepDown(): void {
    const ended = this.#current;
    // First of all, so that whoever is called back finds a node that does not lead.
    this.#current = undefined;
    ended?.expirer.stop();
    ended?.rounds.stop();
  }

  get leading(): boolean {
    return this.#current !== undefined;
  }

  get size(): number {
    return this.#current?.slots.size ?? 0;
  }

  applied({ before, after }: Change): void {
    const current = this.#current;
    if (current === undefined) return;
    if (after === undefined) {
      if (before !== undefined) revoke(current, before);
    } else if (before?.generation === after.generation) {
      // A change of status is no sign of life: the record is newer, the deadline is not.
      current.slots.put(after);
    } else {
      grant(current, after, this.#leaseNow());
    }
  }

  renew(namespace: string, instanceId: string): boolean {
    const slots = this.#current?.slots;
    const slot = slots?.find(namespace, instanceId);
    if (slots === undefined || slot === undefined) return true;
    if (slots.condemned(slot)) return false;
    extend(slots, slot, this.#leaseNow(), this.#host.clock.unixNow());
    return true;
  }

  heartbeat(beats: readonly Beat[], done: (outcome: HeartbeatOutcome) => void): void {
    if (this.#current === undefined) done(NOT_LEADING);
    else this.#current.rounds.heartbeat(beats, done);
  }

  lastHeartbeat(namespace: string, instanceId: string): number | undefined {
    const slots = this.#current?.slots;
    const slot = slots?.find(namespace, instanceId);
    return slot === undefined ? undefined : slots?.lastHeartbeat(slot);
  }

  tick(nowMs: number): void {
    this.#seenMs = nowMs;
    if (this.#current === undefined) return;
    const { slots, wheel, rounds, expirer } = this.#current;
    const nowLeaseMs = nowMs - this.#pausedMs;
    wheel.advance(nowLeaseMs, (slot) => {
      // A heartbeat only writes the deadline; the wheel follows when the slot comes up (lazy re-arming).
      if (slots.deadline(slot) > nowLeaseMs) wheel.arm(slot, slots.deadline(slot));
      else expirer.suspect(slot);
    });
    expirer.tick();
    rounds.tick(nowMs);
  }

  pause(lengthMs: number): void {
    this.#pausedMs += lengthMs;
    this.#seenMs += lengthMs;
  }

  /** What arrives when a stopped process goes on is handled before the pause is noticed. That pause is no lease time either:
   * with it, deadlines would lie as far in the future as the pause was long (G8). */
  #leaseNow(): number {
    return Math.min(this.#host.clock.now(), this.#seenMs + UNNOTICED_MS) - this.#pausedMs;
  }

  #assume(startMs: number): Leadership {
    const { clock, registry, maxPendingBeats } = this.#host;
    const leaseNow = (): number => this.#leaseNow();
    const confirmRound = (done: (confirmed: boolean) => void): void =>
      this.#host.confirmRound(done);
    const capacity = Math.max(1024, registry.instanceCount * 2);
    const wheel = new LeaseWheel({ startMs, capacity });
    const slots = new LeaseSlots(capacity, (grown) => wheel.grow(grown));
    const rounds = new HeartbeatRounds({
      clock,
      registry,
      slots,
      leaseNow,
      confirmRound,
      maxPendingBeats: maxPendingBeats ?? DEFAULT_MAX_PENDING_BEATS,
    });
    const expirer = new LeaseExpirer({
      clock,
      slots,
      leaseNow,
      confirmRound,
      proposeExpiry: (body, done) => this.#host.proposeExpiry(body, done),
      rearm: (slot) => wheel.arm(slot, slots.deadline(slot)),
      settled: () => rounds.release(),
    });
    return { slots, wheel, rounds, expirer };
  }
}

const NOT_LEADING: HeartbeatOutcome = {
  kind: 'failed',
  code: 'notLeader',
  message: 'this node does not lead; nothing was acknowledged',
};

/** Gives a registration its full TTL. Without a TTL it has a lease that never falls due. */
function grant(leadership: Leadership, record: InstanceRecord, fromMs: number): void {
  const { slots, wheel } = leadership;
  const slot = slots.put(record);
  slots.setCondemned(slot, false);
  extend(slots, slot, fromMs, record.lastHeartbeatMs);
  if (record.ttlMs > 0) wheel.arm(slot, slots.deadline(slot));
  else wheel.disarm(slot);
}

function revoke(leadership: Leadership, record: InstanceRecord): void {
  const slot = leadership.slots.find(record.namespace, record.instanceId);
  if (slot === undefined) return;
  leadership.wheel.disarm(slot);
  leadership.slots.remove(slot);
}

/** Sets the deadline one TTL after `fromMs` (lease time). */
function extend(slots: LeaseSlots, slot: number, fromMs: number, unixMs: number): void {
  const { ttlMs } = slots.record(slot);
  const deadlineMs = ttlMs > 0 ? fromMs + ttlMs : Number.POSITIVE_INFINITY;
  slots.setDeadline(slot, deadlineMs);
  slots.setLastHeartbeat(slot, unixMs);
}
