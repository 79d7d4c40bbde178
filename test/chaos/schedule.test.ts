// Schedules are the same for the same seed, use every fault they were given, and leave a majority.
import { describe, expect, test } from 'vitest';
import { faultKinds, faults } from './faults/catalog.ts';
import type { FaultKind } from './faults/fault.ts';
import { composes, type Round, rounds } from './schedule.ts';

function firstRounds(seed: number, count: number, nodes = 3, kinds = faultKinds): Round[] {
  const drawn: Round[] = [];
  for (const round of rounds({ seed, nodes, kinds })) {
    drawn.push(round);
    if (drawn.length === count) break;
  }
  return drawn;
}

const kindsOf = (round: Round): readonly FaultKind[] => round.faults.map(({ kind }) => kind);

describe('a schedule', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(firstRounds(7, 100)).toEqual(firstRounds(7, 100));
    expect(firstRounds(8, 100)).not.toEqual(firstRounds(7, 100));
  });

  test('strikes with every kind once before it strikes with one again', () => {
    const drawn: FaultKind[] = [];
    for (const round of firstRounds(3, 200)) drawn.push(...kindsOf(round));
    for (let from = 0; from + faultKinds.length <= drawn.length; from += faultKinds.length) {
      const cycle = drawn.slice(from, from + faultKinds.length);
      expect(new Set(cycle).size).toBe(faultKinds.length);
    }
  });

  test('draws from the kinds it was given alone', () => {
    const drawn = firstRounds(1, 50, 3, ['herd', 'killLeader']).flatMap(kindsOf);
    expect(new Set(drawn)).toEqual(new Set(['herd', 'killLeader']));
  });

  test.for([3, 5])('of %i nodes leaves a majority, but for faults that strike alone', (nodes) => {
    for (const round of firstRounds(11, 400, nodes)) {
      const kinds = kindsOf(round);
      if (kinds.some((kind) => faults[kind].alone)) {
        expect(kinds).toHaveLength(1);
        continue;
      }
      const taken = kinds.reduce((sum, kind) => sum + faults[kind].takes(nodes), 0);
      expect(nodes - taken, kinds.join(', ')).toBeGreaterThan(nodes / 2);
    }
  });

  test.for([3, 5])('of %i nodes has rounds of one, two and three faults', (nodes) => {
    const sizes = firstRounds(5, 200, nodes).map((round) => round.faults.length);
    expect(new Set(sizes)).toEqual(new Set([1, 2, 3]));
  });

  test('lets the faults of a round overlap', () => {
    for (const round of firstRounds(2, 300)) {
      const begins = round.faults.map(({ afterMs }) => afterMs);
      expect(begins).toEqual(begins.toSorted((one, two) => one - two));
      expect(Math.max(...begins)).toBeLessThan(1500);
    }
  });
});

describe('faults compose', () => {
  const cases = [
    { others: [], kind: 'killAll', nodes: 3, expected: true },
    { others: ['killLeader'], kind: 'killFollower', nodes: 3, expected: false },
    { others: ['killLeader'], kind: 'killFollower', nodes: 5, expected: true },
    { others: ['killLeader'], kind: 'loss', nodes: 3, expected: true },
    { others: ['killLeader', 'killFollower'], kind: 'isolateLeader', nodes: 5, expected: false },
    { others: ['herd'], kind: 'pauseAll', nodes: 5, expected: false },
    { others: ['rollingRestart'], kind: 'herd', nodes: 5, expected: false },
    { others: ['wipe'], kind: 'changeMembers', nodes: 5, expected: false },
    { others: ['split'], kind: 'changeMembers', nodes: 3, expected: true },
    { others: ['killLeader'], kind: 'killLeader', nodes: 5, expected: false },
  ] as const;

  test.for(cases)('$others with $kind on $nodes nodes: $expected', (one) => {
    expect(composes(one.others, one.kind, one.nodes)).toBe(one.expected);
  });
});
