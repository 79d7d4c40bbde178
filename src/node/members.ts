// Changes of who belongs to the cluster, and of who leads, on their way to an outcome: through this node's own log while it
// leads, else through the leader. Each is safe to ask again, so one whose answer was lost is.
import type { NodeId } from '../lib/ids.ts';
import type { ErrorCode } from '../lib/registry-error.ts';
import type { PeerView, RaftView, RejectReason } from '../raft/index.ts';
import { encodeMembership } from './cluster-record.ts';
import { planChange } from './member-plan.ts';
import type {
  ClusterRecord,
  Member,
  MemberChange,
  MemberOutcome,
  MemberRequest,
  MemberResponse,
  PeerFrame,
} from './peer-protocol.ts';
import type { Clock } from './ports.ts';
import type { MembershipOutcome } from './proposals.ts';

export interface MembersHost {
  readonly clock: Clock;
  readonly self: NodeId;
  /** The configuration in effect here. */
  readonly record: () => ClusterRecord | undefined;
  /** Of that configuration, with the addresses they announce now. */
  readonly members: () => readonly Member[];
  /** undefined until the log is replayed. */
  readonly view: () => RaftView | undefined;
  readonly peerViews: () => readonly PeerView[];
  /** This node leads and has applied its own no-op. */
  readonly leading: () => boolean;
  readonly propose: (payload: Uint8Array, done: (outcome: MembershipOutcome) => void) => void;
  readonly transfer: (target: NodeId | undefined) => void;
  readonly send: (to: NodeId, frame: PeerFrame) => void;
  readonly noQuorumReason: () => string;
  readonly firstId: number;
}

type Failure = Extract<MemberOutcome, { readonly kind: 'failed' }>;

interface Pending {
  readonly origin: 'caller' | 'peer';
  readonly id: number;
  readonly change: MemberChange;
  /** Whom to ask while no leader is known here. */
  readonly via: NodeId | undefined;
  /** While it certainly is in no log: when to give up. */
  readonly giveUpMs: number;
  /** Once it may be in one. */
  readonly lastMs: number;
  stage: 'waiting' | 'appending' | 'forwarded' | 'handingOver';
  forwardedTo: NodeId | undefined;
  retryAtMs: number;
  sinceMs: number;
  /** An earlier try may have been appended. */
  uncertain: boolean;
  /** What to say when the time is up and nothing was appended. */
  refusal: Failure | undefined;
  readonly done: (outcome: MemberOutcome) => void;
}

/** As for writes (writes.ts). */
const NOT_APPENDED_MS = 2000;
const APPENDED_MS = 10_000;
const RETRY_MS = 20;
/** The core has had its turn with the request by then, so that nobody being handed to means that it is over. */
const HANDED_IN_MS = 50;
const MAX_PENDING = 64;

export class Members {
  readonly #host: MembersHost;
  readonly #pending = new Map<number, Pending>();
  #nextId: number;

  constructor(host: MembersHost) {
    this.#host = host;
    this.#nextId = host.firstId;
  }

  /** Calls back exactly once. Returns what makes this node forget the caller, never the change. */
  submit(
    change: MemberChange,
    options: {
      readonly origin: 'caller' | 'peer';
      /** Monotonic milliseconds; Infinity: none. */
      readonly deadlineMs: number;
      /** Whom to ask while no leader is known here; undefined: nobody. */
      readonly via?: NodeId;
    },
    done: (outcome: MemberOutcome) => void,
  ): () => void {
    if (this.#pending.size >= MAX_PENDING) {
      done(failed('resourceExhausted', `changes of the members waiting, limit ${MAX_PENDING}`));
      return () => undefined;
    }
    const now = this.#host.clock.now();
    const pending: Pending = {
      origin: options.origin,
      id: this.#nextId++,
      change,
      via: options.via,
      giveUpMs: Math.min(options.deadlineMs, now + NOT_APPENDED_MS),
      lastMs: Math.min(options.deadlineMs, now + APPENDED_MS),
      stage: 'waiting',
      forwardedTo: undefined,
      retryAtMs: now,
      sinceMs: now,
      uncertain: false,
      refusal: undefined,
      done,
    };
    this.#pending.set(pending.id, pending);
    this.#route(pending);
    return () => this.#giveUp(pending, failed('noQuorum', 'the caller went away'));
  }

  /** A member asks on behalf of one of its callers. */
  serve(request: MemberRequest, reply: (frame: MemberResponse) => void): void {
    const options = { origin: 'peer', deadlineMs: Number.POSITIVE_INFINITY } as const;
    this.submit(request.change, options, (outcome) =>
      reply({ kind: 'memberResponse', id: request.id, outcome }),
    );
  }

  answered({ id, outcome }: MemberResponse): void {
    const pending = this.#pending.get(id);
    if (pending?.stage !== 'forwarded') return;
    const elsewhere =
      outcome.kind === 'failed' &&
      (outcome.code === 'notLeader' || outcome.code === 'shuttingDown');
    // Whoever was asked for want of a leader leaves it to the caller to ask another.
    if (elsewhere && pending.via === undefined) this.#wait(pending, outcome);
    else this.#settle(pending, this.#asAskedOnce(pending, outcome));
  }

  /** The stream to the peer broke: what was sent on it may or may not have arrived. */
  peerBroken(peer: NodeId): void {
    for (const pending of this.#pending.values()) {
      if (pending.forwardedTo !== peer) continue;
      pending.uncertain = true;
      this.#wait(pending, undefined);
    }
  }

  /** A request never left this node. */
  notSent({ id }: MemberRequest): void {
    const pending = this.#pending.get(id);
    if (pending?.stage === 'forwarded') this.#wait(pending, undefined);
  }

  tick(nowMs: number): void {
    for (const pending of this.#pending.values()) {
      if (pending.stage === 'forwarded') this.#followLeader(pending);
      if (pending.stage === 'handingOver') this.#handedOver(pending, nowMs);
      if (pending.stage === 'waiting' && pending.retryAtMs <= nowMs) this.#route(pending);
      const handedIn = pending.stage === 'appending' || pending.stage === 'forwarded';
      if (nowMs >= (handedIn ? pending.lastMs : pending.giveUpMs)) {
        this.#giveUp(pending, pending.refusal ?? failed('noQuorum', this.#host.noQuorumReason()));
      }
    }
  }

  failAll(code: ErrorCode, message: string): void {
    for (const pending of this.#pending.values()) this.#giveUp(pending, failed(code, message));
  }

  /** Another node leads than the one that was asked, which may be stopped without its streams breaking. */
  #followLeader(pending: Pending): void {
    const leader = this.#host.view()?.leader;
    if (leader === undefined || leader === pending.forwardedTo) return;
    const { change } = pending;
    if (change.kind === 'transfer' && (change.nodeId === '' || change.nodeId === leader)) {
      // That another one leads is what was asked for: a second try would hand over once more.
      return this.#settle(pending, this.#done());
    }
    pending.uncertain = true;
    this.#wait(pending, undefined);
  }

  #route(pending: Pending): void {
    if (this.#host.leading()) return this.#lead(pending);
    const leader = this.#host.view()?.leader ?? pending.via;
    if (leader === this.#host.self) return this.#wait(pending, undefined);
    if (pending.origin === 'peer') return this.#settle(pending, CHANGED);
    if (leader === undefined) return this.#wait(pending, undefined);
    pending.stage = 'forwarded';
    pending.forwardedTo = leader;
    this.#host.send(leader, { kind: 'memberRequest', id: pending.id, change: pending.change });
  }

  #lead(pending: Pending): void {
    const { change } = pending;
    if (change.kind === 'transfer') return this.#handOver(pending, change.nodeId);
    const record = this.#host.record();
    if (record === undefined) return this.#wait(pending, undefined);
    const plan = planChange(record, change);
    switch (plan.kind) {
      case 'done':
        return this.#confirm(pending, this.#done());
      case 'refused':
        return this.#confirm(pending, failed(plan.code, plan.message));
      case 'propose':
        return this.#propose(pending, plan.record);
    }
  }

  /** Settles what is so already, once what made it so is committed: until then it may still be rolled back. */
  #confirm(pending: Pending, outcome: MemberOutcome): void {
    const view = this.#host.view();
    if (view === undefined || view.configurationIndex > view.commitIndex) {
      return this.#wait(pending, PENDING);
    }
    this.#settle(pending, this.#asAskedOnce(pending, outcome));
  }

  #done(): MemberOutcome {
    return { kind: 'done', members: this.#host.members() };
  }

  /** The answer to the first try was lost: if the member is gone now, that try has removed it. */
  #asAskedOnce({ change, uncertain }: Pending, outcome: MemberOutcome): MemberOutcome {
    const missing = outcome.kind === 'failed' && outcome.code === 'notFound';
    if (!missing || !uncertain || change.kind !== 'remove') return outcome;
    const members = this.#host.members().filter(({ nodeId }) => nodeId !== change.nodeId);
    return { kind: 'done', members };
  }

  #propose(pending: Pending, record: ClusterRecord): void {
    pending.stage = 'appending';
    this.#host.propose(encodeMembership(record), (outcome) => {
      switch (outcome.kind) {
        case 'applied':
          return this.#settle(pending, this.#done());
        case 'lost':
          return this.#wait(pending, CHANGED);
        case 'rejected':
          return this.#rejected(pending, outcome.reason);
      }
    });
  }

  /** Certainly not appended. What passes by itself is waited for. */
  #rejected(pending: Pending, reason: RejectReason): void {
    switch (reason) {
      case 'notLeader':
      case 'noLeader':
      case 'transferring':
        return this.#wait(pending, CHANGED);
      case 'termNotCommitted':
        return this.#wait(pending, NOT_SETTLED);
      case 'changePending':
        return this.#settle(pending, PENDING);
      case 'notCaughtUp':
        return this.#settle(pending, failed('failedPrecondition', this.#behind(pending.change)));
      case 'wouldLoseQuorum':
        return this.#wait(pending, WOULD_LOSE_QUORUM);
      case 'invalidChange':
        return this.#settle(pending, INVALID);
      case 'overloaded':
        return this.#settle(pending, OVERLOADED);
    }
  }

  #behind(change: MemberChange): string {
    const name = change.kind === 'promote' ? change.nodeId : 'the member';
    const lastIndex = this.#host.view()?.lastIndex ?? 0;
    const peer = this.#host.peerViews().find((view) => view.peer === name);
    if (peer === undefined || !peer.active) {
      return `${name} does not answer: see that it runs, and promote it once it has caught up`;
    }
    return `${name} has the log up to ${peer.matchIndex} of ${lastIndex}: promote it once it has caught up`;
  }

  #handOver(pending: Pending, target: NodeId | ''): void {
    const { self } = this.#host;
    if (target === self) return this.#confirm(pending, this.#done());
    const member = this.#host.record()?.members.find(({ nodeId }) => nodeId === target);
    if (target !== '' && member === undefined) {
      return this.#settle(pending, failed('notFound', `${target} is not a member of the cluster`));
    }
    const voters = this.#host.view()?.membership.voters ?? [];
    if (member?.learner === true) {
      return this.#settle(
        pending,
        failed('failedPrecondition', `${target} has no vote: promote it first`),
      );
    }
    if (!voters.some((voter) => voter !== self)) {
      return this.#settle(
        pending,
        failed('failedPrecondition', `${self} is the only member with a vote`),
      );
    }
    pending.stage = 'handingOver';
    pending.sinceMs = this.#host.clock.now();
    this.#host.transfer(target === '' ? undefined : target);
  }

  #handedOver(pending: Pending, nowMs: number): void {
    const view = this.#host.view();
    if (view === undefined) return;
    const { self } = this.#host;
    if (view.leader !== undefined && view.leader !== self) {
      return this.#settle(pending, this.#done());
    }
    const over = view.transferTarget === undefined && nowMs >= pending.sinceMs + HANDED_IN_MS;
    if (view.role !== 'leader' || !over) return;
    const target = pending.change.kind === 'transfer' ? pending.change.nodeId : '';
    const name = target === '' ? 'no other member took over' : `${target} did not take over`;
    this.#settle(pending, failed('failedPrecondition', `${name} in time: ${self} goes on leading`));
  }

  #wait(pending: Pending, refusal: Failure | undefined): void {
    if (!this.#pending.has(pending.id)) return;
    // A peer that asks for its caller asks again itself, and whoever leads by then.
    if (pending.origin === 'peer' && refusal === CHANGED) return this.#settle(pending, CHANGED);
    pending.stage = 'waiting';
    pending.forwardedTo = undefined;
    pending.refusal = refusal;
    pending.retryAtMs = this.#host.clock.now() + RETRY_MS;
  }

  #giveUp(pending: Pending, failure: Failure): void {
    const handedIn = pending.stage === 'appending' || pending.stage === 'forwarded';
    this.#settle(pending, handedIn || pending.uncertain ? UNKNOWN : failure);
  }

  #settle(pending: Pending, outcome: MemberOutcome): void {
    if (this.#pending.delete(pending.id)) pending.done(outcome);
  }
}

function failed(code: ErrorCode, message: string): Failure {
  return { kind: 'failed', code, message };
}

const CHANGED = failed(
  'notLeader',
  'the leader changed on the way; nothing was changed, try again',
);
const UNKNOWN = failed(
  'outcomeUnknown',
  'the change may or may not have been made: look at the members before trying again',
);
const PENDING = failed(
  'failedPrecondition',
  'another change of the members is not committed yet: try again when it is',
);
const NOT_SETTLED = failed(
  'failedPrecondition',
  'the leader has not committed anything in its term yet: try again in a moment',
);
const WOULD_LOSE_QUORUM = failed(
  'failedPrecondition',
  'a majority of the voters there would be after the change has not been heard lately: bring them back first',
);
const INVALID = failed('failedPrecondition', 'members are changed one at a time');
const OVERLOADED = failed(
  'resourceExhausted',
  'the leader has too many bytes of entries that are not committed yet, try later',
);
