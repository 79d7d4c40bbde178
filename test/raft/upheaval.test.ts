// Seeded upheaval: members come and go, logs are cut, states are lost, messages are lost, late and twice. Whatever happens,
// what was applied agrees, and once peace returns the cluster comes to rest with all its members equal.
import { describe, expect, test } from 'vitest';
import { type NodeId, nodeId } from '../../src/lib/ids.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import type { Envelope, Membership } from '../../src/raft/index.ts';
import { type Cluster, createCluster } from './cluster.ts';

const SEEDS = 80;
const ROUNDS = 120;
const ids = ['n1', 'n2', 'n3', 'n4', 'n5'].map(nodeId);

interface Upheaval {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly running: Set<NodeId>;
  readonly leaders: Map<number, NodeId>;
  late: { readonly from: NodeId; readonly envelope: Envelope }[];
  troubled: boolean;
  written: number;
}

function pick<T>(random: Random, from: readonly T[]): T | undefined {
  return from[random.integer(0, from.length)];
}

function begin(seed: number): Upheaval {
  const random = seededRandom(seed);
  const voters = ids.slice(0, 1 + random.integer(0, 3));
  const limits = { maxCachedBytes: 200, maxAppendBytes: 100, maxInflightMessages: 2 };
  const cluster = createCluster({ voters, learners: [] }, { ...limits, maxPromotionLag: 4 });
  for (const id of ids) if (!voters.includes(id)) cluster.addEmpty(id);
  const upheaval: Upheaval = {
    cluster,
    random,
    running: new Set(ids),
    leaders: new Map(),
    late: [],
    troubled: true,
    written: 0,
  };
  cluster.filter = (from, envelope) => {
    if (!upheaval.troubled) return true;
    const fate = random.integer(0, 20);
    if (fate < 3) upheaval.late.push({ from, envelope });
    return fate > 1;
  };
  return upheaval;
}

/** One node becomes something else, as the rules allow it or not. */
function anotherMembership(random: Random, { voters, learners }: Membership): Membership {
  const id = pick(random, ids) ?? nodeId('n1');
  const without = (list: readonly NodeId[]): readonly NodeId[] => list.filter((one) => one !== id);
  const place = random.integer(0, 3);
  return {
    voters: place === 0 ? [...without(voters), id].toSorted() : without(voters),
    learners: place === 1 ? [...without(learners), id].toSorted() : without(learners),
  };
}

function disturb(upheaval: Upheaval): void {
  const { cluster, random, running } = upheaval;
  const id = pick(random, ids) ?? nodeId('n1');
  const leader = cluster.someLeader();
  switch (random.integer(0, 11)) {
    case 0:
      if (running.delete(id)) cluster.stop(id);
      return;
    case 1:
      if (!running.has(id)) {
        if (random.integer(0, 3) === 0 && maySpareState(upheaval)) cluster.loseState(id);
        running.add(id);
        cluster.start(id);
      }
      return;
    case 2:
      if (running.has(id)) cluster.compact(id);
      return;
    case 3:
    case 4:
    case 5:
      if (leader) cluster.change(anotherMembership(random, cluster.view(leader).membership));
      return;
    case 6:
      if (leader) cluster.step(leader, { kind: 'transferLeadership', target: undefined });
      return;
    case 7:
      if (leader) cluster.step(leader, { kind: 'peerUnreachable', peer: id });
      return;
    case 8:
      if (running.has(id)) cluster.cut(id);
      return;
    case 9:
      cluster.heal(id);
      return;
    default:
      if (leader) cluster.propose(`w${++upheaval.written}`);
  }
}

/** A majority without its state elects nobody, as one without its log would not; the runbook is to restore it. */
function maySpareState({ cluster, running }: Upheaval): boolean {
  const leader = cluster.someLeader();
  const voters = leader === undefined ? [] : cluster.view(leader).membership.voters;
  const spared = [...running].every((id) => !cluster.view(id).awaitsSnapshot);
  return running.size === ids.length - 1 && spared && voters.length > 2;
}

function deliverLate({ cluster, running, late, random }: Upheaval): void {
  for (const { from, envelope } of late.splice(0, random.integer(0, 4))) {
    const { to, message } = envelope;
    if (running.has(to)) cluster.step(to, { kind: 'message', from, message });
  }
}

function check({ cluster, running, leaders }: Upheaval): void {
  let longest: readonly string[] = [];
  for (const id of ids) {
    const applied = cluster.applied(id);
    const shared = Math.min(applied.length, longest.length);
    for (let at = 0; at < shared; at++) {
      if (applied[at] !== longest[at]) expect(applied).toEqual(longest);
    }
    if (applied.length > longest.length) longest = applied;
    if (!running.has(id)) continue;
    const { role, term } = cluster.view(id);
    if (role !== 'leader') continue;
    expect(leaders.get(term) ?? id).toBe(id);
    leaders.set(term, id);
  }
}

function makePeace(upheaval: Upheaval): void {
  const { cluster, running } = upheaval;
  upheaval.troubled = false;
  upheaval.late = [];
  for (const id of ids) {
    cluster.heal(id);
    if (!running.has(id)) cluster.start(id);
    running.add(id);
  }
}

describe('upheaval', () => {
  test(`G1, G2: ${SEEDS} seeds of it end in agreement`, () => {
    const seen = { changes: 0, pulls: 0, terms: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const upheaval = begin(seed);
      const { cluster } = upheaval;
      for (let round = 0; round < ROUNDS; round++) {
        disturb(upheaval);
        deliverLate(upheaval);
        cluster.run(upheaval.random.integer(0, 12));
        check(upheaval);
      }
      makePeace(upheaval);
      cluster.run(400);
      const leader = cluster.someLeader();
      if (leader === undefined) throw new Error(`seed ${seed}: nobody leads`);
      cluster.propose('peace');
      cluster.run(100);
      check(upheaval);
      const { membership, configurationIndex, term } = cluster.view(cluster.leader());
      for (const id of [...membership.voters, ...membership.learners]) {
        const view = cluster.view(id);
        expect([seed, id, cluster.applied(id).at(-1)]).toEqual([seed, id, 'peace']);
        expect([seed, id, view.membership, view.awaitsSnapshot]).toEqual([
          seed,
          id,
          membership,
          false,
        ]);
      }
      if (configurationIndex > 0) seen.changes += 1;
      for (const id of ids) seen.pulls += cluster.pulls(id);
      seen.terms += term;
    }
    expect(seen.changes).toBeGreaterThan(SEEDS / 2);
    expect(seen.pulls).toBeGreaterThan(SEEDS / 2);
  });
});
