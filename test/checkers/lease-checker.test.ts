// The expiry audit and the checks of answers, each on a history with one planted violation.
import { describe, expect, test } from 'vitest';
import { checkAnswers } from './answer-checker.ts';
import type { BeatRecord, ChangeRecord, History, LeaseHistory, WriteRecord } from './history.ts';
import { checkLeases } from './lease-checker.ts';

const registered = (generation: number): ChangeRecord => ({
  kind: 'put',
  instanceId: 'a',
  mark: 'm',
  content: 'pay m',
  generation,
  ttlMs: 1000,
});
const expired: ChangeRecord = {
  kind: 'remove',
  instanceId: 'a',
  mark: '',
  content: '',
  expired: true,
};
const beat = (sentAtMs: number, more: Partial<BeatRecord> = {}): BeatRecord => ({
  instanceId: 'a',
  generation: 0,
  sentAtMs,
  endedAtMs: sentAtMs + 5,
  outcome: 'acknowledged',
  ...more,
});

/** Registered at 100 ms; expired, if at all, at `expiredAtMs`. */
function audit(expiredAtMs: number | undefined, more: Partial<LeaseHistory> = {}): string[] {
  const leases: LeaseHistory = {
    beats: [],
    keeps: [],
    appliedAtMs: expiredAtMs === undefined ? [100] : [100, expiredAtMs],
    stable: undefined,
    clockDrift: 0,
    ...more,
  };
  const groups = expiredAtMs === undefined ? [[registered(1)]] : [[registered(1)], [expired]];
  const order = new Map(groups.map((changes, at) => [at + 1, changes]));
  const history: History = { writes: [], watches: [], finals: [], leases };
  return checkLeases(history, order).map(({ guarantee }) => guarantee);
}

describe('the expiry audit', () => {
  test('passes an expiry one TTL after the last acknowledged sign of life', () => {
    expect(audit(1100)).toEqual([]);
    expect(audit(2600, { beats: [beat(1000), beat(1600)] })).toEqual([]);
  });

  test('passes an expiry in spite of heartbeats that were not acknowledged, or for another generation', () => {
    const beats = [beat(1000, { outcome: 'failed' }), beat(1000, { generation: 9 })];
    expect(audit(1150, { beats })).toEqual([]);
  });

  test('finds an expiry before the registration is a TTL old (G7)', () => {
    expect(audit(1050)).toEqual(['G7']);
  });

  test('finds an expiry before a TTL has passed since an acknowledged heartbeat (G7)', () => {
    expect(audit(1900, { beats: [beat(1000)] })).toEqual(['G7']);
  });

  test('finds a heartbeat that was acknowledged although the one it named was known to be gone (G7)', () => {
    expect(audit(1100, { beats: [beat(1101, { generation: 1 })] })).toEqual(['G7']);
    expect(audit(1100, { beats: [beat(1099, { generation: 1, endedAtMs: 1200 })] })).toEqual([
      'G7',
    ]);
    expect(audit(2100, { beats: [beat(1099, { generation: 1, endedAtMs: 2200 })] })).toEqual([]);
    expect(audit(1100, { beats: [beat(1101, { generation: 1, outcome: 'fenced' })] })).toEqual([]);
  });

  test('allows for clocks that run fast, and for no more than that', () => {
    expect(audit(1092, { clockDrift: 0.005 })).toEqual([]);
    expect(audit(1080, { clockDrift: 0.005 })).toEqual(['G7']);
  });

  test('finds that somebody who never stopped sending was expired (G9)', () => {
    const keeps = [{ instanceId: 'a', fromMs: 50, toMs: 5000 }];
    expect(audit(3000, { keeps })).toEqual(['G9']);
    expect(audit(6100, { keeps })).toEqual([]);
  });

  test('finds a silent instance that is still there under a stable leader (G8)', () => {
    expect(audit(undefined, { stable: { fromMs: 0, toMs: 2150 } })).toEqual([]);
    expect(audit(undefined, { stable: { fromMs: 0, toMs: 2300 } })).toEqual(['G8']);
    expect(audit(undefined, { stable: { fromMs: 500, toMs: 2300 } })).toEqual([]);
    const heard = { beats: [beat(400, { outcome: 'failed' })] };
    expect(audit(undefined, { ...heard, stable: { fromMs: 0, toMs: 2300 } })).toEqual([]);
  });
});

const write = (more: Partial<WriteRecord>): WriteRecord => ({
  kind: 'deregister',
  instanceId: 'a',
  mark: 'm2',
  invokedAtMs: 0,
  returnedAtMs: 1,
  outcome: 'acknowledged',
  revision: 3,
  changed: true,
  ...more,
});
const answers = (more: Partial<WriteRecord>): string[] => {
  const removed: ChangeRecord = { kind: 'remove', instanceId: 'a', mark: 'm2', content: '' };
  const groups = [[registered(1)], [registered(2)], [removed]];
  const order = new Map(groups.map((changes, at) => [at + 1, changes]));
  return checkAnswers({ writes: [write(more)], watches: [], finals: [] }, order).map(
    ({ guarantee }) => guarantee,
  );
};

describe('the check of answers', () => {
  test('passes equal answers and a write to the generation that was current', () => {
    expect(answers({ generation: 2, answers: ['x', 'x'] })).toEqual([]);
  });

  test('finds another answer to the same request (G4)', () => {
    expect(answers({ answers: ['x', 'x', 'y'] })).toEqual(['G4']);
  });

  test('finds an old generation that removes a newer one (G10)', () => {
    expect(answers({ generation: 1 })).toEqual(['G10']);
  });
});
