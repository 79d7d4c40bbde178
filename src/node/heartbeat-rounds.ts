// Heartbeat calls of a leader, each answered only after a quorum round that began after it arrived (lease rule 1). A call
// that comes alone gets its round at once; under load a round begins only every 100 ms, for all calls that came meanwhile:
// nobody waits for a heartbeat, and rounds are what heartbeats cost. A call that meets a proposed expiry waits for it
// (rule 3).
import type { Registry } from '../registry/index.ts';
import type { LeaseHandle, LeaseSlots } from './lease-slots.ts';
import type { Beat, BeatFailure, HeartbeatOutcome } from './peer-protocol.ts';
import type { Clock } from './ports.ts';

export interface HeartbeatRoundsOptions {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly slots: LeaseSlots;
  readonly leaseNow: () => number;
  readonly confirmRound: (done: (confirmed: boolean) => void) => void;
  readonly maxPendingBeats: number;
}

interface Call {
  readonly beats: readonly Beat[];
  /** The lease each beat met on arrival; NONE where there was none to renew. */
  readonly handles: Float64Array;
  /** Lease time and Unix time of the arrival. */
  readonly arrivedMs: number;
  readonly arrivedUnixMs: number;
  /** Monotonic time after which an answer is no longer awaited. */
  readonly giveUpMs: number;
  readonly done: (outcome: HeartbeatOutcome) => void;
}

const NONE: LeaseHandle = -1;
/** Without a quorum the caller hears so within this time (registry.proto). */
const ANSWER_WITHIN_MS = 2000;
/** From the beginning of one round to the next: small beside the shortest TTL, 2 s. */
const ROUND_GAP_MS = 100;
/** What an answer suggests when no beat named a living lease. */
const DEFAULT_INTERVAL_MS = 10_000;

/** The heartbeats of one leadership; `stop` ends it. */
export class HeartbeatRounds {
  readonly #options: HeartbeatRoundsOptions;
  readonly #slots: LeaseSlots;
  #arriving: Call[] = [];
  // Every call not answered yet, in order of arrival.
  readonly #pending = new Set<Call>();
  // Those of them whose round is over and that wait for the outcome of an expiry.
  readonly #undecided = new Set<Call>();
  #pendingBeats = 0;
  /** When the last round began. */
  #begunMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: HeartbeatRoundsOptions) {
    this.#options = options;
    this.#slots = options.slots;
  }

  /** Calls back exactly once; synchronously only with a failure. */
  heartbeat(beats: readonly Beat[], done: (outcome: HeartbeatOutcome) => void): void {
    const { clock, leaseNow, maxPendingBeats } = this.#options;
    if (this.#stopped) return done(NOT_LEADER);
    // A call without beats takes its place too.
    if (this.#pendingBeats + beats.length + 1 > maxPendingBeats) {
      return done(tooManyBeats(maxPendingBeats));
    }
    const call: Call = {
      beats,
      handles: new Float64Array(beats.length),
      arrivedMs: leaseNow(),
      arrivedUnixMs: clock.unixNow(),
      giveUpMs: clock.now() + ANSWER_WITHIN_MS,
      done,
    };
    // Deadlines move on arrival, so that no round in flight can expire who has just spoken.
    for (const [position, beat] of beats.entries()) call.handles[position] = this.#meet(beat, call);
    this.#pendingBeats += beats.length + 1;
    this.#pending.add(call);
    this.#arriving.push(call);
    if (this.#arriving.length === 1) this.#scheduleRound();
  }

  /** The outcome of an expiry is known: answers the calls that waited for it. */
  release(): void {
    for (const call of this.#undecided) this.#settle(call);
  }

  /** Gives up on calls without an answer for 2 s. Monotonic milliseconds. */
  tick(nowMs: number): void {
    for (const call of this.#pending) {
      // In order of arrival, all with the same patience: the first that may wait longer ends the walk.
      if (call.giveUpMs > nowMs) break;
      this.#conclude(call, NO_QUORUM);
    }
  }

  /** The leadership is over: fails all that waits with notLeader, and later calls too. */
  stop(): void {
    this.#stopped = true;
    for (const call of this.#pending) this.#conclude(call, NOT_LEADER);
  }

  #scheduleRound(): void {
    const { clock } = this.#options;
    const begin = (): void => this.#beginRound();
    const waitMs = this.#begunMs + ROUND_GAP_MS - clock.now();
    // Never within this turn: what else it brings shares the round.
    if (waitMs > 0) clock.after(waitMs, begin);
    else clock.defer(begin);
  }

  #beginRound(): void {
    const calls = this.#arriving;
    this.#arriving = [];
    if (this.#stopped) return;
    this.#begunMs = this.#options.clock.now();
    this.#options.confirmRound((confirmed) => {
      for (const call of calls) {
        if (confirmed) this.#settle(call);
        else this.#conclude(call, NO_QUORUM);
      }
    });
  }

  #settle(call: Call): void {
    if (!this.#pending.has(call)) return;
    const outcome = this.#judge(call);
    if (outcome === undefined) this.#undecided.add(call);
    else this.#conclude(call, outcome);
  }

  #conclude(call: Call, outcome: HeartbeatOutcome): void {
    if (!this.#pending.delete(call)) return;
    this.#undecided.delete(call);
    this.#pendingBeats -= call.beats.length + 1;
    call.done(outcome);
  }

  /** The answer as of now, or undefined while an expiry that concerns the call is undecided. */
  #judge(call: Call): HeartbeatOutcome | undefined {
    const failures: BeatFailure[] = [];
    let smallestTtlMs = Number.POSITIVE_INFINITY;
    for (const [position, beat] of call.beats.entries()) {
      const slot =
        this.#slots.resolve(call.handles[position] ?? NONE) ??
        this.#slots.find(beat.namespace, beat.instanceId);
      if (slot === undefined) {
        failures.push({ position, reason: 'unknown' });
        continue;
      }
      const { generation, ttlMs } = this.#slots.record(slot);
      if (beat.generation !== 0 && beat.generation !== generation) {
        // A generation that is still to come was given by a cluster whose state was lost since: its client registers again.
        failures.push({ position, reason: beat.generation > generation ? 'unknown' : 'fenced' });
        continue;
      }
      if (this.#slots.condemned(slot)) return undefined;
      this.#renew(slot, ttlMs, call);
      if (ttlMs > 0 && ttlMs < smallestTtlMs) smallestTtlMs = ttlMs;
    }
    const known = smallestTtlMs < Number.POSITIVE_INFINITY;
    return {
      kind: 'acknowledged',
      revision: this.#options.registry.revision,
      failures,
      heartbeatIntervalMs: known ? Math.floor(smallestTtlMs / 3) : DEFAULT_INTERVAL_MS,
    };
  }

  #meet(beat: Beat, call: Call): LeaseHandle {
    const slot = this.#slots.find(beat.namespace, beat.instanceId);
    if (slot === undefined) return NONE;
    const { generation, ttlMs } = this.#slots.record(slot);
    if (beat.generation !== 0 && beat.generation !== generation) return NONE;
    this.#renew(slot, ttlMs, call);
    return this.#slots.handle(slot);
  }

  /** What is acknowledged lives for a TTL from its arrival (G7), also where the lease appeared only after it. */
  #renew(slot: number, ttlMs: number, call: Call): void {
    const deadlineMs = call.arrivedMs + ttlMs;
    if (ttlMs > 0 && this.#slots.deadline(slot) < deadlineMs) {
      this.#slots.setDeadline(slot, deadlineMs);
    }
    if (this.#slots.lastHeartbeat(slot) < call.arrivedUnixMs) {
      this.#slots.setLastHeartbeat(slot, call.arrivedUnixMs);
    }
  }
}

const NOT_LEADER: HeartbeatOutcome = {
  kind: 'failed',
  code: 'notLeader',
  message: 'the leader changed on the way; nothing was acknowledged',
};
const NO_QUORUM: HeartbeatOutcome = {
  kind: 'failed',
  code: 'noQuorum',
  message: 'the leader could not reach a majority in time; nothing was acknowledged',
};

function tooManyBeats(limit: number): HeartbeatOutcome {
  return {
    kind: 'failed',
    code: 'resourceExhausted',
    message: `heartbeats waiting for an acknowledgement, limit ${limit}`,
  };
}
