// The lease rules of ARCHITECTURE.md, one by one.
import { describe, expect, test } from 'vitest';
import { LeaseWorld } from './lease-host.ts';

const acknowledged = expect.objectContaining({ kind: 'acknowledged', failures: [] });

function worldWith(...ids: readonly string[]): LeaseWorld {
  const world = new LeaseWorld();
  for (const id of ids) world.catalogue.register({ id, ttlMs: 3000 });
  world.lead();
  return world;
}

describe('rule 1: a heartbeat is acknowledged only after a round that began after it arrived (G7)', () => {
  test('no answer comes before the round is confirmed', () => {
    const world = worldWith('a');
    const answers = world.beat('a');
    world.clock.rest();
    expect(world.rounds).toHaveLength(1);
    expect(answers).toEqual([]);
    world.decideRounds();
    expect(answers).toEqual([acknowledged]);
  });

  test('a round that began before the heartbeat does not count for it', () => {
    const world = worldWith('a', 'b');
    const first = world.beat('a');
    world.clock.rest();
    const second = world.beat('b');
    world.decideRounds();
    expect(first).toEqual([acknowledged]);
    expect(second).toEqual([]);
    world.clock.pass(100);
    world.decideRounds();
    expect(second).toEqual([acknowledged]);
  });

  test('under load a round begins only every 100 ms, for all calls that came meanwhile', () => {
    const world = worldWith('a', 'b');
    const answers: ReturnType<typeof world.beat>[] = [];
    for (let ms = 0; ms < 250; ms++) {
      answers.push(world.beat(ms % 2 === 0 ? 'a' : 'b'));
      world.clock.rest();
      world.clock.pass(1);
      world.decideRounds();
    }
    expect(world.roundCount).toBe(3);
    world.clock.pass(100);
    world.decideRounds();
    expect(answers.flat()).toEqual(answers.map(() => acknowledged));
  });

  test('all calls of one turn share one round', () => {
    const world = worldWith('a', 'b', 'c');
    const answers = ['a', 'b', 'c', 'a'].map((id) => world.beat(id));
    world.clock.rest();
    expect(world.roundCount).toBe(1);
    world.decideRounds();
    expect(answers.flat()).toHaveLength(4);
  });

  test('a node that does not lead yet acknowledges none', () => {
    const world = new LeaseWorld();
    world.catalogue.register({ id: 'a' });
    expect(world.beat('a')).toEqual([expect.objectContaining({ code: 'notLeader' })]);
    expect(world.roundCount).toBe(0);
  });

  test('a round without a quorum fails the call with noQuorum', () => {
    const world = worldWith('a');
    const answers = world.beat('a');
    world.clock.rest();
    world.decideRounds(false);
    expect(answers).toEqual([expect.objectContaining({ code: 'noQuorum' })]);
  });

  test('a call whose round never ends fails with noQuorum after 2 s, and is answered once', () => {
    const world = worldWith('a');
    const answers = world.beat('a');
    world.pass(1950);
    expect(answers).toEqual([]);
    world.pass(100);
    expect(answers).toEqual([expect.objectContaining({ code: 'noQuorum' })]);
    world.decideRounds();
    expect(answers).toHaveLength(1);
  });

  test('the deadline counts from the arrival, not from the round', () => {
    const world = worldWith('a');
    const answers = world.beat('a');
    world.clock.rest();
    world.clock.pass(1000);
    world.decideRounds();
    expect(answers).toEqual([acknowledged]);
    world.pass(1900);
    expect(world.rounds).toHaveLength(0);
    world.pass(300, true);
    expect(world.has('a')).toBe(false);
  });
});

describe('rule 2: an expiry needs a leadership confirmed after the deadline', () => {
  test('nothing is proposed before a round that began after the deadline is confirmed', () => {
    const world = worldWith('a');
    world.pass(2950);
    expect(world.roundCount).toBe(0);
    world.pass(100);
    expect(world.roundCount).toBe(1);
    expect(world.proposals).toEqual([]);
    world.decideRounds();
    expect(world.proposals.map(({ body }) => body.items)).toEqual([
      [{ namespace: 'default', instanceId: 'a', generation: 1 }],
    ]);
  });

  test('an unconfirmed leadership expires nobody, and asks again', () => {
    const world = worldWith('a');
    world.pass(3100);
    world.decideRounds(false);
    expect(world.proposals).toEqual([]);
    world.pass(100);
    world.decideRounds();
    expect(world.proposals).toHaveLength(1);
  });

  test('an unproposed expiry dies with the leadership', () => {
    const world = worldWith('a');
    world.pass(3100);
    world.leases.stepDown();
    world.decideRounds();
    world.pass(5000, true);
    expect(world.has('a')).toBe(true);
    expect(world.leases.size).toBe(0);
  });

  test('a heartbeat during the round saves the instance (G7)', () => {
    const world = worldWith('a');
    world.pass(3100);
    const answers = world.beat('a');
    world.clock.rest();
    world.decideRounds();
    expect(answers).toEqual([acknowledged]);
    expect(world.proposals).toEqual([]);
    world.pass(2900, true);
    expect(world.has('a')).toBe(true);
    world.pass(400, true);
    expect(world.has('a')).toBe(false);
  });

  test('a silent instance leaves within TTL + 1 s + 1 % (G8), a beating one stays', () => {
    const world = worldWith('silent', 'beating');
    for (let second = 0; second < 3; second++) {
      world.beat('beating');
      world.pass(990, true);
    }
    expect(world.has('silent')).toBe(true);
    world.pass(230, true);
    expect(world.has('silent')).toBe(false);
    expect(world.has('beating')).toBe(true);
  });

  test('3500 overdue leases go in entries of at most 1000', () => {
    const world = new LeaseWorld();
    for (let batch = 0; batch < 7; batch++) {
      const ids = Array.from({ length: 500 }, (_, at) => ({ id: `i${batch}-${at}`, ttlMs: 2000 }));
      world.catalogue.register(...ids);
    }
    world.lead();
    world.pass(2100);
    world.decideRounds();
    expect(world.proposals.map(({ body }) => body.items.length)).toEqual([1000, 1000, 1000, 500]);
    world.applyProposals();
    expect(world.catalogue.registry.instanceCount).toBe(0);
    expect(world.leases.size).toBe(0);
  });

  test('a longer lease than the wheel is round expires at its own time', () => {
    const world = new LeaseWorld();
    world.catalogue.register({ id: 'long', ttlMs: 250_000 });
    world.lead();
    world.pass(249_900, true);
    expect(world.has('long')).toBe(true);
    world.pass(300, true);
    expect(world.has('long')).toBe(false);
  });
});

/** `a` is overdue and its expiry proposed; `b` was heard in time. */
function condemned(): LeaseWorld {
  const world = worldWith('a', 'b');
  world.beat('b');
  world.pass(1000, true);
  world.beat('b');
  world.pass(2100);
  world.decideRounds();
  expect(world.proposals).toHaveLength(1);
  return world;
}

describe('rule 3: a heartbeat that meets a proposed expiry waits for its outcome', () => {
  test('it answers unknown when the instance was expired', () => {
    const world = condemned();
    const answers = world.beat('b', 'a');
    world.clock.rest();
    world.decideRounds();
    expect(answers).toEqual([]);
    world.applyProposals();
    expect(answers).toEqual([
      expect.objectContaining({ failures: [{ position: 1, reason: 'unknown' }] }),
    ]);
  });

  test('it is acknowledged when the expiry was lost, and the lease runs from its arrival', () => {
    const world = condemned();
    const answers = world.beat('a');
    world.clock.rest();
    world.decideRounds();
    for (const proposal of world.proposals.splice(0)) proposal.lose();
    expect(answers).toEqual([acknowledged]);
    world.pass(2900, true);
    expect(world.has('a')).toBe(true);
  });

  test('a lost expiry of a silent instance is confirmed and proposed again', () => {
    const world = condemned();
    for (const proposal of world.proposals.splice(0)) proposal.lose();
    world.pass(100, true);
    expect(world.has('a')).toBe(false);
  });

  test('calls without the condemned instance do not wait', () => {
    const world = condemned();
    const answers = world.beat('b');
    world.clock.rest();
    world.decideRounds();
    expect(answers).toEqual([acknowledged]);
  });

  test('an unchanged register is not answered over a proposed expiry', () => {
    const world = condemned();
    expect(world.leases.renew('default', 'a')).toBe(false);
    expect(world.leases.renew('default', 'b')).toBe(true);
  });

  test('a registration in front of the expiry in the log survives it (G10)', () => {
    const world = condemned();
    world.tell(world.catalogue.register({ id: 'a', ttlMs: 3000, port: 81 }));
    world.applyProposals();
    expect(world.has('a')).toBe(true);
    const answers = world.beat('a');
    world.clock.rest();
    world.decideRounds();
    expect(answers).toEqual([acknowledged]);
  });
});

describe('rule 4: a new leader grants every lease a full TTL (G9)', () => {
  test('nobody is expired for silence before the election', () => {
    const world = worldWith('a');
    world.pass(2900, true);
    world.leases.stepDown();
    world.clock.pass(60_000);
    world.lead();
    world.pass(2900, true);
    expect(world.has('a')).toBe(true);
    world.pass(300, true);
    expect(world.has('a')).toBe(false);
  });

  test('calls in flight at the end of a leadership fail with notLeader, once', () => {
    const world = worldWith('a');
    const inRound = world.beat('a');
    world.clock.rest();
    const arriving = world.beat('a');
    world.leases.stepDown();
    world.clock.rest();
    world.decideRounds();
    const failed = [expect.objectContaining({ code: 'notLeader' })];
    expect([inRound, arriving, world.beat('a')]).toEqual([failed, failed, failed]);
    expect(world.leases.leading).toBe(false);
  });
});

describe('rule 5: a pause of the node shifts every deadline (G9)', () => {
  test('nobody is expired for a pause, and everybody by its length later', () => {
    const world = worldWith('a');
    world.pass(2900, true);
    world.clock.pass(60_000);
    world.leases.pause(60_000);
    world.leases.tick(world.clock.now());
    world.clock.rest();
    expect(world.roundCount).toBe(0);
    world.pass(50, true);
    expect(world.has('a')).toBe(true);
    world.pass(300, true);
    expect(world.has('a')).toBe(false);
  });

  test('a heartbeat handled before the pause is noticed renews for one TTL, not for the pause as well (G8)', () => {
    const world = worldWith('a');
    world.pass(100, true);
    world.clock.pass(60_000);
    const answers = world.beat('a');
    world.leases.pause(60_000);
    world.leases.tick(world.clock.now());
    world.clock.rest();
    world.decideRounds();
    expect(answers).toEqual([acknowledged]);
    world.pass(2900, true);
    expect(world.has('a')).toBe(true);
    world.pass(500, true);
    expect(world.has('a')).toBe(false);
  });

  test('input that waited is read before an overdue lease is condemned', () => {
    const world = worldWith('a');
    world.clock.pass(3050);
    world.leases.tick(world.clock.now());
    // A leader that is its own quorum would confirm the round on the spot.
    expect(world.roundCount).toBe(0);
    world.beat('a');
    world.clock.rest();
    world.decideRounds();
    expect(world.proposals).toEqual([]);
  });
});
