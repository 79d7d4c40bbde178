// Quorum rounds: shared within a turn, never reused for who asks later, answered once their index is applied.
import { describe, expect, test } from 'vitest';
import { logIndex } from '../../src/lib/ids.ts';
import { type RoundOutcome, Rounds } from '../../src/node/rounds.ts';

function harness() {
  let token = 0;
  const rounds = new Rounds({
    nextToken: () => ++token,
    wake: () => undefined,
    unansweredMs: 600,
  });
  const join = (): RoundOutcome[] => {
    const outcomes: RoundOutcome[] = [];
    rounds.join((outcome) => outcomes.push(outcome));
    return outcomes;
  };
  return { rounds, join };
}

describe('a round', () => {
  test('answers everyone who asked before it began, and nobody who asked later', () => {
    const { rounds, join } = harness();
    const [first, second] = [join(), join()];
    const token = rounds.begin(100) ?? 0;
    const late = join();
    rounds.confirmed([{ token, index: logIndex(0) }]);
    expect(first).toEqual([{ kind: 'confirmed', begunMs: 100 }]);
    expect(second).toEqual(first);
    expect(late).toEqual([]);
    expect(rounds.begin(200)).toBe(token + 1);
  });

  test('waits until its index is applied here', () => {
    const { rounds, join } = harness();
    const outcomes = join();
    const token = rounds.begin(100) ?? 0;
    rounds.applied(logIndex(4));
    rounds.confirmed([{ token, index: logIndex(5) }]);
    expect(outcomes).toEqual([]);
    expect(rounds.freshMs).toBeUndefined();
    rounds.applied(logIndex(5));
    expect(outcomes).toEqual([{ kind: 'confirmed', begunMs: 100 }]);
    expect(rounds.freshMs).toBe(100);
  });

  test('is answered once, whatever comes later', () => {
    const { rounds, join } = harness();
    const outcomes = join();
    const token = rounds.begin(100) ?? 0;
    rounds.confirmed([{ token, index: logIndex(0) }]);
    rounds.confirmed([{ token, index: logIndex(0) }]);
    rounds.rejected({ token, reason: 'noLeader' });
    rounds.tick(10_000);
    expect(outcomes).toHaveLength(1);
  });

  test('that nobody answers fails after a while, and its late answer means nothing', () => {
    const { rounds, join } = harness();
    const outcomes = join();
    const token = rounds.begin(100) ?? 0;
    rounds.tick(699);
    expect(outcomes).toEqual([]);
    rounds.tick(700);
    expect(outcomes).toEqual([{ kind: 'failed' }]);
    rounds.confirmed([{ token, index: logIndex(0) }]);
    expect(outcomes).toHaveLength(1);
    expect(rounds.freshMs).toBeUndefined();
  });

  test('counts for freshness from when it began, however the answers are ordered', () => {
    const { rounds, join } = harness();
    join();
    const early = rounds.begin(100) ?? 0;
    join();
    const late = rounds.begin(200) ?? 0;
    rounds.confirmed([{ token: late, index: logIndex(0) }]);
    rounds.confirmed([{ token: early, index: logIndex(0) }]);
    expect(rounds.freshMs).toBe(200);
  });

  test('joins those that are under way up to a limit; further callers share the next one', () => {
    const { rounds, join } = harness();
    const tokens: number[] = [];
    for (let asked = 0; asked < 100; asked++) {
      join();
      const token = rounds.begin(asked);
      if (token !== undefined) tokens.push(token);
    }
    expect(tokens).toHaveLength(64);
    const waiting = join();
    rounds.confirmed([{ token: tokens[0] ?? 0, index: logIndex(0) }]);
    const next = rounds.begin(1000) ?? 0;
    rounds.confirmed([{ token: next, index: logIndex(0) }]);
    expect(waiting).toEqual([{ kind: 'confirmed', begunMs: 1000 }]);
  });
});
