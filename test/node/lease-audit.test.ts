// The leases under random schedules, audited from outside: what was acknowledged, what was expired, and when.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { beatOf, LeaseWorld } from './lease-host.ts';

const TTL_MS = 2000;
const IDS = ['a', 'b', 'c'] as const;

type Step =
  | { readonly kind: 'pass'; readonly byMs: number }
  | { readonly kind: 'pause'; readonly byMs: number }
  | { readonly kind: 'beat'; readonly ids: readonly string[]; readonly stale: boolean }
  | { readonly kind: 'register'; readonly id: string }
  | { readonly kind: 'deregister'; readonly id: string }
  | { readonly kind: 'turn' }
  | { readonly kind: 'round'; readonly confirmed: boolean }
  | { readonly kind: 'apply' }
  | { readonly kind: 'lose' }
  | { readonly kind: 'newLeader' };

const kind = <K extends Step['kind']>(name: K) => fc.constant(name);
const id = fc.constantFrom(...IDS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: kind('pass'), byMs: fc.integer({ min: 1, max: 900 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('pause'), byMs: fc.integer({ min: 100, max: 5000 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('beat'),
      ids: fc.subarray([...IDS], { minLength: 1 }),
      stale: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('register'), id }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('deregister'), id }) },
  { weight: 5, arbitrary: fc.record({ kind: kind('turn') }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: kind('round'),
      confirmed: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: kind('apply') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('lose') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('newLeader') }) },
);

/** Keeps its own account of every sign of life and compares each acknowledgement and expiry with it. */
class Audit {
  readonly world = new LeaseWorld();
  /** Time without the node's own pauses. */
  pausedMs = 0;
  /** Per id: the last sign of life that was, or may yet be, acknowledged. */
  readonly alive = new Map<string, number>();
  expired = 0;
  acknowledged = 0;
  port = 1;

  leaseNow(): number {
    return this.world.clock.now() - this.pausedMs;
  }

  register(instance: string): void {
    this.port++;
    this.world.tell(
      this.world.catalogue.register({ id: instance, ttlMs: TTL_MS, port: this.port }),
    );
    this.alive.set(instance, this.leaseNow());
  }

  beat(ids: readonly string[], stale: boolean): void {
    const arrivedMs = this.leaseNow();
    const wantedFrom = this.world.roundCount;
    const beats = ids.map((instance) => beatOf(instance, stale ? 1 : 0));
    this.world.leases.heartbeat(beats, (outcome) => {
      if (outcome.kind === 'failed') return;
      this.acknowledged++;
      // G7, rule 1: there was a round after the arrival.
      expect(this.world.roundCount).toBeGreaterThan(wantedFrom);
      for (const [position, instance] of ids.entries()) {
        if (outcome.failures.some((failure) => failure.position === position)) continue;
        // Rule 3: an acknowledgement is never given to what is gone.
        expect(this.world.has(instance)).toBe(true);
        this.alive.set(instance, Math.max(this.alive.get(instance) ?? 0, arrivedMs));
      }
    });
  }

  /** Applies the oldest proposal. An item that takes effect was silent for a TTL, and a round began after that. */
  apply(): void {
    const proposal = this.world.proposals.shift();
    const group = proposal?.apply().group;
    for (const { before } of group?.changes ?? []) {
      this.expired++;
      const silentMs = this.leaseNow() - (this.alive.get(before?.instanceId ?? '') ?? 0);
      expect(
        silentMs,
        `${before?.instanceId} was heard too recently (G7, G9)`,
      ).toBeGreaterThanOrEqual(TTL_MS);
    }
  }

  newLeader(): void {
    // The old leader's proposals may still be in the log and be applied; a new leader grants everybody a TTL.
    this.world.leases.stepDown();
    for (const proposal of this.world.proposals.splice(0)) {
      this.world.catalogue.apply(proposal.body);
    }
    this.world.rounds = [];
    this.world.lead();
    for (const instance of IDS)
      if (this.world.has(instance)) this.alive.set(instance, this.leaseNow());
  }

  take(move: Step): void {
    const { world } = this;
    switch (move.kind) {
      case 'pass':
        world.clock.pass(move.byMs);
        return world.leases.tick(world.clock.now());
      case 'pause':
        world.clock.pass(move.byMs);
        this.pausedMs += move.byMs;
        world.leases.pause(move.byMs);
        return world.leases.tick(world.clock.now());
      case 'beat':
        return this.beat(move.ids, move.stale);
      case 'register':
        return this.register(move.id);
      case 'deregister':
        world.tell(world.catalogue.deregister(move.id));
        return undefined;
      case 'turn':
        return world.clock.turn();
      case 'round':
        return world.rounds.shift()?.decide(move.confirmed);
      case 'apply':
        return this.apply();
      case 'lose':
        return world.proposals.shift()?.lose();
      case 'newLeader':
        return this.newLeader();
    }
  }
}

test('G7, G9: under any schedule nobody is expired within a TTL of a sign of life that was acknowledged; G8: silence ends in time', () => {
  let expired = 0;
  let acknowledged = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 160 }), (steps) => {
      const audit = new Audit();
      audit.world.lead();
      for (const instance of IDS) audit.register(instance);
      for (const move of steps) audit.take(move);
      expired += audit.expired;
      acknowledged += audit.acknowledged;

      // A quorum again, and silence: everybody leaves by TTL + 1 s + 1 %, and no table keeps a trace.
      audit.world.clock.rest();
      audit.world.decideRounds();
      audit.world.applyProposals();
      audit.world.pass(TTL_MS + 1000 + TTL_MS / 100, true);
      expect(audit.world.catalogue.registry.instanceCount).toBe(0);
      expect(audit.world.leases.size).toBe(0);
    }),
    { numRuns: 1500 },
  );
  // The schedules reach what they are about.
  expect(expired).toBeGreaterThan(200);
  expect(acknowledged).toBeGreaterThan(500);
});
