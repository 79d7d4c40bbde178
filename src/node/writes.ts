// Writes on their way to an outcome: through this node's own log while it leads, else through the leader's. The one rule
// (G3): a write is reported as failed only if it certainly never was appended, or was certainly replaced.
import { type NodeId, revision } from '../lib/ids.ts';
import type { ErrorCode } from '../lib/registry-error.ts';
import type { CommandBody, RegisterItem, Registry } from '../registry/index.ts';
import type { PeerFrame, WriteOutcome, WriteRequest, WriteResponse } from './peer-protocol.ts';
import type { Clock } from './ports.ts';
import type { ProposalOutcome } from './proposals.ts';
import { needsRoom } from './room-reports.ts';
import type { RoundOutcome } from './rounds.ts';

/** A write as somebody asked for it: a caller of this node, or a follower for one of its callers. */
export interface WriteCall {
  readonly origin: 'caller' | 'peer';
  readonly body: CommandBody;
  readonly requestId: string;
  readonly fingerprint: string;
  readonly actor: string;
  /** Monotonic milliseconds; Infinity: none. */
  readonly deadlineMs: number;
  readonly done: (outcome: WriteOutcome) => void;
}

export interface WritesHost {
  readonly clock: Clock;
  readonly self: NodeId;
  readonly registry: Pick<Registry, 'answerAgain' | 'answerIfUnchanged'>;
  /** The known leader, this node included. */
  readonly leader: () => NodeId | undefined;
  /** This node leads and has applied its own no-op. */
  readonly leading: () => boolean;
  readonly send: (to: NodeId, frame: PeerFrame) => void;
  readonly joinRound: (done: (outcome: RoundOutcome) => void) => void;
  /** Encodes and proposes the command with the header of now. */
  readonly propose: (call: WriteCall, done: (outcome: ProposalOutcome) => void) => void;
  /** Renews the lease; false: its expiry is already in the log. */
  readonly renew: (item: RegisterItem) => boolean;
  /** Why there is no leader to write through, in plain words. */
  readonly noQuorumReason: () => string;
  /** Why what needs disk space must not enter the log now, in plain words. */
  readonly shortage: () => string | undefined;
  readonly wake: () => void;
  /** First id of requests to peers; a restarted process must not meet answers meant for its former life. */
  readonly firstId: number;
}

interface Pending {
  readonly call: WriteCall;
  readonly id: number;
  /** While it certainly is in no log: when to give up. */
  readonly giveUpMs: number;
  /** Once it may be in one: when to stop waiting, under a leader that lives and as things are. */
  readonly fullMs: number;
  lastMs: number;
  retryAtMs: number;
  stage: 'waiting' | 'checking' | 'proposed' | 'forwarded';
  forwardedTo: NodeId | undefined;
  /** An earlier try may have been appended: from then on the only possible failure is outcomeUnknown. */
  uncertain: boolean;
  refusal: ErrorCode;
}

/** registry.proto: without a quorum the caller hears so within this time. */
const NOT_APPENDED_MS = 2000;
/** With a quorum an appended entry takes as long as the disks take; beyond this its caller is told that it is unknown. */
const APPENDED_MS = 10_000;
/** After the leader was lost, how long its entries may take to show up under the next one. */
const ORPHANED_MS = 1500;
const RETRY_MS = 20;

export class Writes {
  readonly #host: WritesHost;
  readonly #pending = new Map<number, Pending>();
  // Handed to nobody yet, in order of arrival.
  readonly #waiting = new Set<Pending>();
  #nextId: number;
  #callers = 0;
  #callerBytes = 0;

  constructor(host: WritesHost) {
    this.#host = host;
    this.#nextId = host.firstId;
  }

  /** What the instances in the writes of this node's callers take. */
  get callerBytes(): number {
    return this.#callerBytes;
  }

  /** Waiting for an outcome: of this node's callers, and of its peers'. */
  get callers(): number {
    return this.#callers;
  }
  get peers(): number {
    return this.#pending.size - this.#callers;
  }

  /** Returns what makes the node forget the caller (never a write that may be in a log). */
  submit(call: WriteCall): () => void {
    const now = this.#host.clock.now();
    const fullMs = Math.min(call.deadlineMs, now + APPENDED_MS);
    const write: Pending = {
      call,
      id: this.#nextId++,
      giveUpMs: Math.min(call.deadlineMs, now + NOT_APPENDED_MS),
      fullMs,
      lastMs: fullMs,
      retryAtMs: 0,
      stage: 'waiting',
      forwardedTo: undefined,
      uncertain: false,
      refusal: 'noQuorum',
    };
    this.#pending.set(write.id, write);
    this.#waiting.add(write);
    this.#count(write, 1);
    this.#host.wake();
    return () => this.#giveUp(write, 'noQuorum', 'the caller went away');
  }

  /** Hands on what waits: called in each turn, so that a new leader gets it at once. */
  turn(): void {
    if (this.#waiting.size === 0) return;
    const now = this.#host.clock.now();
    for (const write of this.#waiting) if (write.retryAtMs <= now) this.#route(write);
  }

  /** Time-outs. */
  tick(): void {
    const now = this.#host.clock.now();
    for (const write of this.#pending.values()) {
      if (now < (handedIn(write) ? write.lastMs : write.giveUpMs)) continue;
      const moved = write.refusal === 'notLeader';
      this.#giveUp(write, write.refusal, moved ? CHANGED : this.#host.noQuorumReason());
    }
  }

  /** Another node leads, or none: what the former one was sent is uncertain. What can be asked again is asked of the new one
   * at once, because the former may be stopped without its streams breaking. One that was only not heard for a moment
   * goes on with what it has, so its callers' patience is restored. */
  leaderChanged(leader: NodeId | undefined): void {
    // Whoever leads now is asked at once.
    if (leader !== undefined) for (const write of this.#waiting) write.retryAtMs = 0;
    for (const write of this.#pending.values()) {
      if (write.stage !== 'forwarded') continue;
      if (write.forwardedTo === leader) write.lastMs = write.fullMs;
      else if (leader !== undefined && write.call.requestId !== '') this.#adrift(write);
      else this.#orphan(write);
    }
  }

  /** This node led and no longer does. */
  steppedDown(): void {
    for (const write of this.#pending.values()) {
      if (write.stage === 'proposed') this.#orphan(write);
    }
  }

  /** The stream to the peer broke: what was sent on it may or may not have arrived. */
  peerBroken(peer: NodeId): void {
    for (const write of this.#pending.values()) {
      if (write.forwardedTo === peer) this.#adrift(write);
    }
  }

  /** A request never left this node. */
  notSent(request: WriteRequest): void {
    const write = this.#pending.get(request.id);
    if (write?.stage === 'forwarded') this.#wait(write, RETRY_MS);
  }

  answered({ id, outcome }: WriteResponse): void {
    const write = this.#pending.get(id);
    // Nobody waits any more.
    if (write?.stage !== 'forwarded') return;
    if (outcome.kind === 'applied') return this.#settle(write, outcome);
    const elsewhere = outcome.code === 'notLeader' || outcome.code === 'shuttingDown';
    if (!elsewhere) return this.#fail(write, outcome.code, outcome.message, outcome.lacks);
    write.refusal = 'notLeader';
    // Refused by a former leader: whoever leads now is asked at once.
    const leader = this.#host.leader();
    this.#wait(write, leader === undefined || leader === write.forwardedTo ? RETRY_MS : 0);
  }

  /** Fails what was not handed in; what may be in a log is still awaited. */
  refuseWaiting(code: ErrorCode, message: string): void {
    for (const write of this.#pending.values()) {
      if (!handedIn(write)) this.#fail(write, code, message);
    }
  }

  /** Ends the wait for everything. */
  abandonAll(): void {
    for (const write of this.#pending.values()) this.#giveUp(write, 'shuttingDown', STOPPED);
  }

  #settle(write: Pending, outcome: WriteOutcome): void {
    if (!this.#pending.delete(write.id)) return;
    this.#waiting.delete(write);
    this.#count(write, -1);
    write.call.done(outcome);
  }

  #count({ call }: Pending, by: 1 | -1): void {
    if (call.origin !== 'caller') return;
    this.#callers += by;
    this.#callerBytes += by * writeBytes(call.body);
  }

  #fail(write: Pending, code: ErrorCode, message: string, lacks?: 'diskSpace'): void {
    if (write.uncertain) {
      this.#settle(write, { kind: 'failed', code: 'outcomeUnknown', message: UNKNOWN });
      return;
    }
    const failed = { kind: 'failed', code, message } as const;
    this.#settle(write, lacks === undefined ? failed : { ...failed, lacks });
  }

  /** Stops waiting: a failure if the write certainly is in no log, else unknown. */
  #giveUp(write: Pending, code: ErrorCode, message: string): void {
    if (handedIn(write)) write.uncertain = true;
    this.#fail(write, code, message);
  }

  #wait(write: Pending, delayMs: number): void {
    if (!this.#pending.has(write.id)) return;
    write.stage = 'waiting';
    write.forwardedTo = undefined;
    write.retryAtMs = delayMs === 0 ? 0 : this.#host.clock.now() + delayMs;
    this.#waiting.add(write);
    if (delayMs === 0) this.#host.wake();
  }

  #orphan(write: Pending): void {
    write.lastMs = Math.min(write.lastMs, this.#host.clock.now() + ORPHANED_MS);
  }

  /** What was sent may have arrived. With a request_id it can be asked again: it is applied once however often it is sent. */
  #adrift(write: Pending): void {
    write.uncertain = true;
    if (write.call.requestId === '') this.#fail(write, 'outcomeUnknown', UNKNOWN);
    else this.#wait(write, RETRY_MS);
  }

  #route(write: Pending): void {
    if (this.#host.leading()) return this.#lead(write);
    const leader = this.#host.leader();
    // A leader that has not applied its own no-op keeps what it gets for the moment that takes.
    if (leader === this.#host.self) return;
    if (write.call.origin === 'peer') return this.#fail(write, 'notLeader', CHANGED);
    if (leader !== undefined) this.#forward(write, leader);
  }

  #forward(write: Pending, to: NodeId): void {
    write.stage = 'forwarded';
    write.forwardedTo = to;
    this.#waiting.delete(write);
    const { body, requestId, fingerprint, actor } = write.call;
    const { id } = write;
    this.#host.send(to, { kind: 'writeRequest', id, body, requestId, fingerprint, actor });
  }

  #lead(write: Pending): void {
    const { body, requestId } = write.call;
    // A register is a sign of life as of its arrival; an answer follows only after a quorum round, or through the log.
    const alive = this.#renew(body);
    const { registry } = this.#host;
    const shortcut = requestId === '' && alive && registry.answerIfUnchanged(body) !== undefined;
    if (!shortcut) return this.#propose(write);
    write.stage = 'checking';
    this.#waiting.delete(write);
    this.#host.joinRound((outcome) => this.#checked(write, outcome));
  }

  /** The round is over and its index applied: what was unchanged then is asked again. */
  #checked(write: Pending, outcome: RoundOutcome): void {
    if (!this.#pending.has(write.id)) return;
    if (outcome.kind === 'failed' || !this.#host.leading()) return this.#wait(write, RETRY_MS);
    const answer = this.#host.registry.answerIfUnchanged(write.call.body);
    if (answer === undefined || !this.#renew(write.call.body)) this.#propose(write);
    else this.#settle(write, { kind: 'applied', result: answer });
  }

  #propose(write: Pending): void {
    const shortage = needsRoom(write.call.body) ? this.#host.shortage() : undefined;
    if (shortage !== undefined) return this.#withoutRoom(write, shortage);
    write.stage = 'proposed';
    this.#waiting.delete(write);
    this.#host.propose(write.call, (outcome) => this.#proposed(write, outcome));
  }

  /** It must not enter the log for lack of disk space. What was answered before is answered again from memory: that nothing was written would
   * not be true of it (G3, G4), and in the log it would take what is kept for votes, however often it is repeated. */
  #withoutRoom(write: Pending, shortage: string): void {
    const { body, requestId, fingerprint } = write.call;
    const { registry } = this.#host;
    const first =
      requestId === '' ? undefined : registry.answerAgain(body.kind, requestId, fingerprint);
    if (first === undefined) this.#fail(write, 'resourceExhausted', shortage, 'diskSpace');
    else this.#settle(write, { kind: 'applied', result: first });
  }

  #proposed(write: Pending, outcome: ProposalOutcome): void {
    switch (outcome.kind) {
      case 'applied':
        return this.#settle(write, outcome);
      case 'lost':
        return this.#refused(write);
      case 'rejected':
        if (outcome.reason === 'overloaded') this.#fail(write, 'resourceExhausted', OVERLOADED);
        else this.#refused(write, outcome.reason === 'transferring' ? RETRY_MS : 0);
    }
  }

  /** Certainly in no log: for a caller it is tried again, a peer does that itself. */
  #refused(write: Pending, delayMs = 0): void {
    write.refusal = 'notLeader';
    if (write.call.origin === 'peer') this.#fail(write, 'notLeader', CHANGED);
    else this.#wait(write, delayMs);
  }

  /** False if the expiry of any of them is in the log already; the others are renewed all the same. What is refused, or
   * states something else than what is there, is no sign of life of the registration that is there (G10). */
  #renew(body: CommandBody): boolean {
    const { registry, renew } = this.#host;
    const ifGeneration = body.kind === 'register' ? body.ifGeneration : NO_GENERATION;
    return registered(body).reduce((all, item) => {
      const answer = registry.answerIfUnchanged({ kind: 'register', item, ifGeneration });
      return (answer?.kind !== 'registered' || renew(item)) && all;
    }, true);
  }
}

/** It may be in a log. */
function handedIn(write: Pending): boolean {
  return write.stage === 'proposed' || write.stage === 'forwarded';
}

/** In a register: whichever is current. */
const NO_GENERATION = revision(0);

const UNKNOWN =
  'the write may or may not have been applied: retry it with the same request_id, or read before trying again';
const CHANGED = 'the leader changed on the way; nothing was written, try again';
const OVERLOADED = 'the leader has too many bytes of entries that are not committed yet, try later';
const STOPPED = 'this node is stopping; nothing was written, try another node';

/** What a waiting write holds in memory, but for a few hundred bytes. */
export function writeBytes(body: CommandBody): number {
  return registered(body).reduce((sum, item) => sum + item.body.length, 0);
}

/** The registrations that a command states, each of them a sign of life. */
export function registered(body: CommandBody): readonly RegisterItem[] {
  switch (body.kind) {
    case 'register':
      return [body.item];
    case 'registerBatch':
      return body.items;
    case 'deregister':
    case 'setStatus':
    case 'expire':
      return [];
  }
}
