// How long a forwarded write waits while its leader is lost from sight, and found again.
import { describe, expect, test } from 'vitest';
import { nodeId, type NodeId, revision } from '../../src/lib/ids.ts';
import type { PeerFrame, WriteOutcome } from '../../src/node/peer-protocol.ts';
import { Writes } from '../../src/node/writes.ts';
import { registration } from '../support/memory-cluster.ts';
import { TurnClock } from './turn-clock.ts';

const leaderId = nodeId('n1');

/** One write of a follower, handed to the leader n1. */
class Follower {
  readonly clock = new TurnClock();
  readonly outcomes: WriteOutcome[] = [];
  readonly sent: PeerFrame[] = [];
  readonly writes: Writes;
  leader: NodeId | undefined = leaderId;

  constructor() {
    this.writes = new Writes({
      clock: this.clock,
      self: nodeId('n2'),
      registry: { answerIfUnchanged: () => undefined, answerAgain: () => undefined },
      leader: () => this.leader,
      leading: () => false,
      send: (_to, frame) => this.sent.push(frame),
      joinRound: () => undefined,
      propose: () => undefined,
      renew: () => true,
      noQuorumReason: () => 'nobody leads',
      shortage: () => undefined,
      wake: () => undefined,
      firstId: 1,
    });
    this.writes.submit({
      origin: 'caller',
      body: registration('a'),
      requestId: '',
      fingerprint: '',
      actor: '',
      deadlineMs: Number.POSITIVE_INFINITY,
      done: (outcome) => this.outcomes.push(outcome),
    });
    this.writes.turn();
  }

  lead(leader: NodeId | undefined): void {
    this.leader = leader;
    this.writes.leaderChanged(leader);
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10) {
      this.clock.pass(10);
      this.writes.tick();
    }
  }
}

describe('a forwarded write', () => {
  test('is given up as unknown 1.5 s after its leader was lost (G3)', () => {
    const follower = new Follower();
    follower.lead(undefined);
    follower.pass(1400);
    expect(follower.outcomes).toEqual([]);
    follower.pass(200);
    expect(follower.outcomes).toMatchObject([{ kind: 'failed', code: 'outcomeUnknown' }]);
  });

  test('waits on when the same leader was only not heard for a moment', () => {
    const follower = new Follower();
    follower.lead(undefined);
    follower.pass(100);
    follower.lead(leaderId);
    follower.pass(5000);
    expect(follower.outcomes).toEqual([]);
    const result = { kind: 'registered', revision: revision(1), generations: [] } as const;
    follower.writes.answered({
      kind: 'writeResponse',
      id: 1,
      outcome: { kind: 'applied', result },
    });
    expect(follower.outcomes).toEqual([{ kind: 'applied', result }]);
  });
});
