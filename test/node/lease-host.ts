// A node around the leases: its rounds and proposals wait until a test decides them.
import { pino } from 'pino';
import { createLeases, type LeaseHost, type Leases } from '../../src/node/lease-table.ts';
import type { Beat, HeartbeatOutcome } from '../../src/node/peer-protocol.ts';
import { revision } from '../../src/lib/ids.ts';
import type { Applied, Expire } from '../../src/registry/index.ts';
import { type Catalogue, createCatalogue } from './catalogue.ts';
import { TurnClock } from './turn-clock.ts';

export interface Round {
  readonly beganMs: number;
  readonly decide: (confirmed: boolean) => void;
}
export interface Proposal {
  readonly body: Expire;
  /** Applies it, tells the leases of the changes, then of the outcome. */
  readonly apply: () => Applied;
  readonly lose: () => void;
}

export class LeaseWorld {
  readonly clock = new TurnClock();
  readonly catalogue: Catalogue = createCatalogue();
  readonly leases: Leases;
  rounds: Round[] = [];
  proposals: Proposal[] = [];
  /** Every round and proposal there ever was. */
  roundCount = 0;

  constructor(options: Pick<LeaseHost, 'maxPendingBeats'> = {}) {
    this.leases = createLeases({
      ...options,
      clock: this.clock,
      registry: this.catalogue.registry,
      log: pino({ enabled: false }),
      confirmRound: (decide) => {
        this.roundCount++;
        this.rounds.push({ beganMs: this.clock.now(), decide });
      },
      proposeExpiry: (body, done) => {
        this.proposals.push({
          body,
          apply: () => {
            const applied = this.tell(this.catalogue.apply(body));
            done('applied');
            return applied;
          },
          lose: () => done('lost'),
        });
      },
    });
  }

  /** Tells the leases what was applied, as the node's loop does. */
  tell(applied: Applied): Applied {
    for (const change of applied.group?.changes ?? []) this.leases.applied(change);
    return applied;
  }

  lead(): void {
    this.leases.lead(this.clock.now());
  }

  decideRounds(confirmed = true): void {
    const rounds = this.rounds;
    this.rounds = [];
    for (const round of rounds) round.decide(confirmed);
  }

  applyProposals(): void {
    const proposals = this.proposals;
    this.proposals = [];
    for (const proposal of proposals) proposal.apply();
  }

  /** Time passes with the node's rhythm; rounds and proposals stay undecided unless `healthy`. */
  pass(totalMs: number, healthy = false): void {
    for (let passedMs = 0; passedMs < totalMs; passedMs += 50) {
      this.clock.pass(Math.min(50, totalMs - passedMs));
      this.leases.tick(this.clock.now());
      this.clock.rest();
      if (!healthy) continue;
      this.decideRounds();
      this.applyProposals();
    }
  }

  /** Answers arrive in the list. Takes no turn. */
  beat(...ids: readonly (string | Beat)[]): HeartbeatOutcome[] {
    const answers: HeartbeatOutcome[] = [];
    const beats = ids.map((id) => (typeof id === 'string' ? beatOf(id) : id));
    this.leases.heartbeat(beats, (outcome) => answers.push(outcome));
    return answers;
  }

  has(id: string): boolean {
    return this.catalogue.registry.get('default', id) !== undefined;
  }
}

export function beatOf(id: string, generation = 0): Beat {
  return { namespace: 'default', instanceId: id, generation: revision(generation) };
}
