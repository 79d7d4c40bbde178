// Members on their way back after their log was lost (docs/adr/0018). The record in the log says who they are, so whoever leads takes
// the next step of each: adds it as a learner, gives it its vote. And a node that is back says so to its data-dir.
import type { RaftView } from '../raft/index.ts';
import { encodeMembership } from './cluster-record.ts';
import { planReturn } from './member-plan.ts';
import type { MemberIdentity, Replacing } from './peer-protocol.ts';
import type { MembershipOutcome } from './proposals.ts';
import type { NodeOptions } from './registry-node.ts';
import type { Roster } from './roster.ts';

export interface ReturnsHost {
  readonly self: MemberIdentity;
  readonly roster: Roster;
  /** undefined until the log is replayed. */
  readonly view: () => RaftView | undefined;
  /** This node leads and has applied its own no-op. */
  readonly leading: () => boolean;
  readonly propose: (payload: Uint8Array, done: (outcome: MembershipOutcome) => void) => void;
  /** This node has its place in the cluster, by a configuration that is committed. */
  readonly restored: () => void;
  readonly log: NodeOptions['log'];
}

/** A learner that has not caught up yet is tried again after so long. */
const STEP_MS = 200;
/** An outcome that does not come by then never will: the engine has ended with what it had in hand. */
const OUTCOME_MS = 30_000;

export class Returns {
  readonly #host: ReturnsHost;
  #nextMs = Number.NEGATIVE_INFINITY;
  #turn = 0;
  #restored = false;

  constructor(host: ReturnsHost) {
    this.#host = host;
  }

  tick(nowMs: number): void {
    this.#noteRestored();
    if (nowMs < this.#nextMs || !this.#host.leading()) return;
    this.#nextMs = nowMs + STEP_MS;
    const returning = this.#host.roster.record?.replacing ?? [];
    const view = this.#host.view();
    const one = returning[this.#turn++ % Math.max(1, returning.length)];
    if (one === undefined || view === undefined) return;
    if (view.configurationIndex <= view.commitIndex) this.#step(one, nowMs);
  }

  /** One sentence for each of them. */
  problems(): readonly string[] {
    const { roster, self } = this.#host;
    return (roster.record?.replacing ?? []).map(({ member: { nodeId, incarnation }, voter }) => {
      const what = nodeId === self.nodeId ? 'this node' : nodeId;
      const there = roster.member(nodeId, incarnation) !== undefined;
      if (!there) return `${what} lost its log and is about to be added as a learner again`;
      return `${what} lost its log and ${voter ? 'gets its vote back' : 'is back'} once it has caught up`;
    });
  }

  #step(one: Replacing, nowMs: number): void {
    const { roster, log, propose } = this.#host;
    const { record } = roster;
    if (record === undefined) return;
    const plan = planReturn(record, one);
    if (plan.kind !== 'propose') return;
    this.#nextMs = nowMs + OUTCOME_MS;
    propose(encodeMembership(plan.record), ({ kind }) => {
      this.#nextMs = nowMs + STEP_MS;
      if (kind !== 'applied') return;
      const back = plan.record.replacing?.some(({ member }) => member.nodeId === one.member.nodeId);
      log.info({ event: back === true ? 'return_begun' : 'returned', member: one.member.nodeId });
    });
  }

  #noteRestored(): void {
    const { roster, self, restored } = this.#host;
    if (this.#restored || !roster.hasPlace(self)) return;
    this.#restored = true;
    restored();
  }
}
