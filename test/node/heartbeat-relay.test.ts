// A follower's heartbeats on their way to the leader, and the leader's answer on its way back.
import { describe, expect, test } from 'vitest';
import { createHeartbeatRelay, type HeartbeatRouter } from '../../src/node/heartbeat-relay.ts';
import type {
  HeartbeatOutcome,
  HeartbeatRelay,
  HeartbeatRelayResponse,
  PeerFrame,
} from '../../src/node/peer-protocol.ts';
import { beatOf, LeaseWorld } from './lease-host.ts';

/** A leader and a follower; frames lie on the link until they are delivered. */
class Pair {
  readonly leader = new LeaseWorld();
  readonly follower = new LeaseWorld();
  readonly relay: HeartbeatRouter;
  readonly atLeader: HeartbeatRouter;
  link: HeartbeatRelay[] = [];
  responses: HeartbeatRelayResponse[] = [];
  connected = true;

  constructor(maxPendingBeats = 100_000) {
    for (const world of [this.leader, this.follower]) {
      world.catalogue.register({ id: 'a', ttlMs: 3000 });
      world.catalogue.register({ id: 'long', ttlMs: 60_000 });
    }
    const send = (frame: PeerFrame): boolean => {
      if (this.connected && frame.kind === 'heartbeatRelay') this.link.push(frame);
      return this.connected;
    };
    this.relay = this.#router(this.follower, send, maxPendingBeats);
    this.atLeader = this.#router(this.leader, () => false, maxPendingBeats);
    this.leader.lead();
  }

  #router(world: LeaseWorld, send: (frame: PeerFrame) => boolean, maxPendingBeats: number) {
    const { clock, leases, catalogue } = world;
    return createHeartbeatRelay({
      clock,
      leases,
      registry: catalogue.registry,
      send,
      maxPendingBeats,
    });
  }

  beat(...ids: readonly string[]): HeartbeatOutcome[] {
    const answers: HeartbeatOutcome[] = [];
    this.relay.heartbeat(
      ids.map((id) => beatOf(id)),
      (outcome) => answers.push(outcome),
    );
    return answers;
  }

  /** What lies on the link reaches the leader; its answers lie on the way back. */
  deliver(): void {
    for (const frame of this.link.splice(0)) {
      this.atLeader.serve(frame, (response) => this.responses.push(response));
    }
    this.leader.clock.rest();
    this.leader.decideRounds();
  }

  answer(): void {
    for (const response of this.responses.splice(0)) this.relay.answered(response);
  }

  run(): void {
    this.follower.clock.rest();
    this.deliver();
    this.answer();
  }

  pass(ms: number): void {
    this.follower.clock.pass(ms);
    this.relay.tick(this.follower.clock.now());
  }
}

const failedWith = (code: string) => [expect.objectContaining({ kind: 'failed', code })];

const acknowledgedWith = (failures: readonly number[], heartbeatIntervalMs: number) => [
  {
    kind: 'acknowledged',
    revision: 2,
    failures: failures.map((position) => ({ position, reason: 'unknown' })),
    heartbeatIntervalMs,
  },
];

describe('heartbeats on a follower', () => {
  test('all calls of one turn travel in one frame, and each gets its own share of the answer', () => {
    const pair = new Pair();
    const answers = [
      pair.beat('none', 'a'),
      pair.beat(),
      pair.beat('long', 'gone'),
      pair.beat('none'),
    ];
    pair.follower.clock.rest();
    expect(pair.link).toHaveLength(1);
    pair.run();
    expect(answers).toEqual([
      acknowledgedWith([0], 1000),
      acknowledgedWith([], 10_000),
      acknowledgedWith([1], 20_000),
      acknowledgedWith([0], 10_000),
    ]);
  });

  test('nothing is acknowledged before the leader answers (G7)', () => {
    const pair = new Pair();
    const answers = pair.beat('a');
    pair.follower.clock.rest();
    pair.deliver();
    expect(answers).toEqual([]);
    pair.answer();
    expect(answers).toMatchObject([{ kind: 'acknowledged', failures: [] }]);
  });

  test('a frame holds 10 000 beats at most, and a call is never split', () => {
    const pair = new Pair();
    const call = Array.from({ length: 4000 }, () => 'a');
    const answers = [1, 2, 3, 4, 5].map(() => pair.beat(...call));
    pair.follower.clock.rest();
    expect(pair.link.map(({ beats }) => beats.length)).toEqual([8000, 8000, 4000]);
    pair.run();
    expect(answers.flat()).toHaveLength(5);
  });

  test('what was sent when the link broke fails with notLeader; a late answer changes nothing', () => {
    const pair = new Pair();
    const sent = pair.beat('a');
    pair.follower.clock.rest();
    const unsent = pair.beat('a');
    pair.relay.broken();
    expect([sent, unsent]).toEqual([failedWith('notLeader'), []]);
    pair.run();
    expect(sent).toHaveLength(1);
    expect(unsent).toMatchObject([{ kind: 'acknowledged' }]);
  });

  test('without a reachable leader calls wait for the next one', () => {
    const pair = new Pair();
    pair.connected = false;
    const answers = pair.beat('a');
    pair.run();
    pair.pass(500);
    expect(answers).toEqual([]);
    pair.connected = true;
    pair.relay.flush();
    pair.run();
    expect(answers).toMatchObject([{ kind: 'acknowledged' }]);
  });

  test('a call fails with noQuorum after 2 s, sent or not, and is not sent any more', () => {
    const pair = new Pair();
    const sent = pair.beat('a');
    pair.follower.clock.rest();
    pair.connected = false;
    const unsent = pair.beat('a');
    pair.follower.clock.rest();
    pair.pass(1999);
    expect([...sent, ...unsent]).toEqual([]);
    pair.pass(1);
    expect([sent, unsent]).toEqual([failedWith('noQuorum'), failedWith('noQuorum')]);
    pair.connected = true;
    pair.relay.flush();
    pair.run();
    expect(sent).toHaveLength(1);
    expect(pair.link).toEqual([]);
  });

  test('a node that has begun to lead answers what waited from its own leases', () => {
    const pair = new Pair();
    pair.connected = false;
    const answers = pair.beat('a');
    pair.follower.clock.rest();
    pair.follower.lead();
    pair.relay.flush();
    pair.follower.clock.rest();
    pair.follower.decideRounds();
    expect(answers).toMatchObject([{ kind: 'acknowledged', failures: [] }]);
    const direct = pair.beat('a');
    pair.follower.clock.pass(100);
    pair.follower.decideRounds();
    expect(direct).toMatchObject([{ kind: 'acknowledged', failures: [] }]);
  });

  test('a node that does not lead answers a relayed frame with notLeader', () => {
    const pair = new Pair();
    const answers = pair.beat('a');
    pair.leader.leases.stepDown();
    pair.run();
    expect(answers).toEqual(failedWith('notLeader'));
  });

  test('beats that wait are bounded: the limit is taken, one more is refused by name (G17)', () => {
    const pair = new Pair(4);
    const taken = pair.beat('a', 'a', 'a');
    const refused = pair.beat();
    expect(refused).toEqual([
      expect.objectContaining({ code: 'resourceExhausted', message: expect.stringMatching(/4$/) }),
    ]);
    pair.run();
    expect(taken).toHaveLength(1);
    expect(pair.beat('a')).toEqual([]);
  });

  test('a stopping node fails what waits, and later calls', () => {
    const pair = new Pair();
    const answers = pair.beat('a');
    pair.relay.stop();
    expect([answers, pair.beat('a')]).toEqual([
      failedWith('shuttingDown'),
      failedWith('shuttingDown'),
    ]);
  });
});
