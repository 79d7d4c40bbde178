// The way of a heartbeat to the leader, on every node. A leader hands its callers' beats to its own leases; a follower
// puts all calls of one turn of the event loop into one frame to the leader and shares the answer out (ARCHITECTURE.md, "Life of a heartbeat").
//
// Nothing is acknowledged here: an answer comes from the leader's round or not at all, and asking again is harmless. So
// calls wait through an election, but whatever was on its way when the link broke fails with notLeader.
import type { ErrorCode } from '../lib/registry-error.ts';
import type { Registry } from '../registry/index.ts';
import type { Leases } from './lease-table.ts';
import type {
  Beat,
  BeatFailure,
  HeartbeatOutcome,
  HeartbeatRelay,
  HeartbeatRelayResponse,
  PeerFrame,
} from './peer-protocol.ts';
import type { Clock } from './ports.ts';

export interface HeartbeatRelayHost {
  readonly clock: Clock;
  /** Read for the TTLs behind heartbeatIntervalMs when several calls share a frame. */
  readonly registry: Registry;
  readonly leases: Leases;
  /** Queues a frame to the leader. False: none is known or reachable, or its queue is full; the relay keeps the calls and tries again. */
  readonly send: (frame: PeerFrame) => boolean;
  /** Beats of this node's callers waiting for an answer at most; beyond, resourceExhausted. Default 200 000. */
  readonly maxPendingBeats?: number;
}

export interface HeartbeatRouter {
  /** A call of a client of this node, whether it leads or not. Calls back exactly once, within 2 s or at the first tick after that. */
  heartbeat(beats: readonly Beat[], done: (outcome: HeartbeatOutcome) => void): void;
  /** A leader became known or reachable, or this node has begun to lead: sends what waits. */
  flush(): void;
  /** The stream to the leader broke, or another node leads: fails what was sent and not answered. What was not sent goes to the next leader. */
  broken(): void;
  /** A frame from the leader. One that is no longer awaited is passed over. */
  answered(frame: HeartbeatRelayResponse): void;
  /** A frame from a follower: answers it from this node's leases, or says notLeader. */
  serve(frame: HeartbeatRelay, reply: (frame: HeartbeatRelayResponse) => void): void;
  /** Sends again what could not be sent, gives up on what is 2 s old. Monotonic milliseconds, at most 100 ms apart. */
  tick(nowMs: number): void;
  /** Fails all that waits with shuttingDown, and later calls too. */
  stop(): void;
}

export function createHeartbeatRelay(host: HeartbeatRelayHost): HeartbeatRouter {
  return new Relay(host);
}

interface Call {
  readonly beats: readonly Beat[];
  readonly giveUpMs: number;
  readonly done: (outcome: HeartbeatOutcome) => void;
}

const MAX_BEATS_PER_FRAME = 10_000;
const DEFAULT_MAX_PENDING_BEATS = 200_000;
const ANSWER_WITHIN_MS = 2000;
const DEFAULT_INTERVAL_MS = 10_000;

class Relay implements HeartbeatRouter {
  readonly #host: HeartbeatRelayHost;
  readonly #maxPendingBeats: number;
  // Every call not answered yet, in order of arrival; those of them not sent yet; and what went with which frame.
  readonly #pending = new Set<Call>();
  #unsent: Call[] = [];
  readonly #sent = new Map<number, readonly Call[]>();
  #pendingBeats = 0;
  #lastId = 0;
  #flushDeferred = false;
  #stopped = false;

  constructor(host: HeartbeatRelayHost) {
    this.#host = host;
    this.#maxPendingBeats = host.maxPendingBeats ?? DEFAULT_MAX_PENDING_BEATS;
  }

  heartbeat(beats: readonly Beat[], done: (outcome: HeartbeatOutcome) => void): void {
    if (this.#stopped) return done(SHUTTING_DOWN);
    if (this.#host.leases.leading) return this.#host.leases.heartbeat(beats, done);
    if (this.#pendingBeats + beats.length + 1 > this.#maxPendingBeats) {
      const message = `heartbeats waiting for the leader, limit ${this.#maxPendingBeats}`;
      return done(failed('resourceExhausted', message));
    }
    const call = { beats, giveUpMs: this.#host.clock.now() + ANSWER_WITHIN_MS, done };
    this.#pending.add(call);
    this.#pendingBeats += beats.length + 1;
    this.#unsent.push(call);
    if (this.#flushDeferred) return;
    this.#flushDeferred = true;
    this.#host.clock.defer(() => {
      this.#flushDeferred = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#stopped || this.#unsent.length === 0) return;
    const waiting = this.#unsent.filter((call) => this.#pending.has(call));
    this.#unsent = [];
    if (this.#host.leases.leading) {
      for (const call of waiting) {
        this.#host.leases.heartbeat(call.beats, (outcome) => this.#conclude(call, outcome));
      }
      return;
    }
    for (let from = 0; from < waiting.length; ) {
      const calls = oneFrame(waiting, from);
      const id = ++this.#lastId;
      const beats = calls.flatMap((call) => call.beats);
      if (!this.#host.send({ kind: 'heartbeatRelay', id, beats })) {
        this.#unsent = waiting.slice(from);
        return;
      }
      this.#sent.set(id, calls);
      from += calls.length;
    }
  }

  broken(): void {
    const lost = [...this.#sent.values()].flat();
    this.#sent.clear();
    for (const call of lost) this.#conclude(call, LEADER_CHANGED);
  }

  answered({ id, outcome }: HeartbeatRelayResponse): void {
    const calls = this.#sent.get(id);
    if (calls === undefined) return;
    this.#sent.delete(id);
    let from = 0;
    for (const call of calls) {
      this.#conclude(call, calls.length === 1 ? outcome : this.#share(call, from, outcome));
      from += call.beats.length;
    }
  }

  serve(frame: HeartbeatRelay, reply: (frame: HeartbeatRelayResponse) => void): void {
    this.#host.leases.heartbeat(frame.beats, (outcome) => {
      reply({ kind: 'heartbeatRelayResponse', id: frame.id, outcome });
    });
  }

  tick(nowMs: number): void {
    this.flush();
    for (const call of this.#pending) {
      if (call.giveUpMs > nowMs) break;
      this.#conclude(call, NO_QUORUM);
    }
    // A frame whose callers have all gone is no longer awaited.
    for (const [id, calls] of this.#sent) {
      if (calls.some((call) => this.#pending.has(call))) break;
      this.#sent.delete(id);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#unsent = [];
    this.#sent.clear();
    for (const call of this.#pending) this.#conclude(call, SHUTTING_DOWN);
  }

  #conclude(call: Call, outcome: HeartbeatOutcome): void {
    if (!this.#pending.delete(call)) return;
    this.#pendingBeats -= call.beats.length + 1;
    call.done(outcome);
  }

  /** One call's share of a frame's answer. The frame's interval follows the smallest TTL of all its calls, so each call's own is worked out here. */
  #share(call: Call, from: number, outcome: HeartbeatOutcome): HeartbeatOutcome {
    if (outcome.kind === 'failed') return outcome;
    const to = from + call.beats.length;
    const failures: BeatFailure[] = outcome.failures
      .filter(({ position }) => position >= from && position < to)
      .map(({ position, reason }) => ({ position: position - from, reason }));
    const failedAt = new Set(failures.map(({ position }) => position));
    let smallestTtlMs = Number.POSITIVE_INFINITY;
    for (const [position, { namespace, instanceId }] of call.beats.entries()) {
      const ttlMs = this.#host.registry.get(namespace, instanceId)?.ttlMs ?? 0;
      if (ttlMs > 0 && !failedAt.has(position)) smallestTtlMs = Math.min(smallestTtlMs, ttlMs);
    }
    const known = smallestTtlMs < Number.POSITIVE_INFINITY;
    const heartbeatIntervalMs = known ? Math.floor(smallestTtlMs / 3) : DEFAULT_INTERVAL_MS;
    return { ...outcome, failures, heartbeatIntervalMs };
  }
}

/** The calls from position `from` on that fit into one frame; at least one. */
function oneFrame(calls: readonly Call[], from: number): readonly Call[] {
  let to = from;
  let beats = 0;
  for (const call of calls.slice(from)) {
    beats += call.beats.length;
    if (to > from && beats > MAX_BEATS_PER_FRAME) break;
    to++;
  }
  return calls.slice(from, to);
}

function failed(code: ErrorCode, message: string): HeartbeatOutcome {
  return { kind: 'failed', code, message };
}

const LEADER_CHANGED = failed(
  'notLeader',
  'the link to the leader broke; nothing was acknowledged',
);
const NO_QUORUM = failed('noQuorum', 'no leader answered in time; nothing was acknowledged');
const SHUTTING_DOWN = failed('shuttingDown', 'this node is stopping; nothing was acknowledged');
