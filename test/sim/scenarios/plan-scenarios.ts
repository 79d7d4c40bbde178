// Clocks, the state on disk and the size of the log, in the whole system: failures 9, 13 and 14 of the list in
// docs/testing.md.
import type { Planned } from '../plan.ts';
import { ofPlan } from './plan-scenario.ts';
import type { Scenario } from './scenario.ts';

type Action = Planned['action'];

const register = (id: string, ttlMs: number): Action => ({
  kind: 'register',
  ids: [id],
  service: 'orders',
  ttlMs,
  generation: 'any',
  retries: true,
});

const LONG_TTL_MS = 3_600_000;

/** A write each `everyMs`. */
function writes(fromMs: number, toMs: number, everyMs: number): (readonly [number, Action])[] {
  return Array.from({ length: Math.floor((toMs - fromMs) / everyMs) }, (_, at) => {
    return [fromMs + at * everyMs, register(`c${at % 3}`, LONG_TTL_MS)] as const;
  });
}

const wholeLease = ofPlan(
  'a new leader gives every lease its whole time again, whatever the clocks say',
  'tikv#964, tikv#1127, openraft#1651',
  {
    forMs: 4000,
    steps: [
      ...['t1', 't2', 't3'].map((id) => [1000, register(id, 2000)] as const),
      ...['n1', 'n2', 'n3'].map((node, at) => {
        const byMs = [90_000, -90_000, 5000][at] ?? 0;
        return [1050, { kind: 'fault', fault: { kind: 'wallJump', node, byMs } }] as const;
      }),
      [
        1100,
        {
          kind: 'fault',
          fault: { kind: 'crash', node: 'leader', power: false, inWrite: false, downMs: 500 },
        },
      ],
      [2200, { kind: 'fault', fault: { kind: 'pause', node: 'leader', forMs: 250 } }],
    ],
  },
);

/** Heartbeats wait at a leader that stands still, until long after another one has begun to count. */
const staleWord = ofPlan(
  'a leader that was deposed while it stood still acknowledges no heartbeat',
  'tikv#1127, etcd#20418',
  {
    forMs: 4500,
    steps: [
      [900, register('t1', 1200)],
      [1000, { kind: 'keep', id: 't1', to: 'leader', forMs: 1050 }],
      [1200, { kind: 'fault', fault: { kind: 'pause', node: 'leader', forMs: 900 } }],
    ],
  },
);

const appliedOnce = ofPlan(
  'the state on disk and its index move together, so that nothing is applied twice',
  'etcd#13766 and its postmortem',
  {
    forMs: 4000,
    steps: [
      ...writes(500, 3500, 40),
      ...[1200, 1900, 2600, 3300].map((atMs) => {
        const fault = { kind: 'crashAll', power: false, downMs: 100 } as const;
        return [atMs, { kind: 'fault', fault }] as const;
      }),
    ],
  },
);

const cutByBytes = ofPlan(
  'a log that is never cut by count is cut by its bytes, again and again',
  'arcadedb#5345, openbao#3381, openraft#1828, #1829',
  {
    forMs: 5000,
    parameters: {
      segmentBytes: 8 << 10,
      maxFrameBytes: 4 << 10,
      retention: { logEntries: 200_000, logBytes: 48 << 10, logBytesForTransfer: 1 << 20 },
    },
    steps: writes(300, 4800, 15),
    demand: ({ coverage }) =>
      coverage.of('floorsRaised') >= 6
        ? []
        : [{ guarantee: 'G17', evidence: `logs were cut ${coverage.of('floorsRaised')} times` }],
  },
);

export const planScenarios: readonly Scenario[] = [wholeLease, staleWord, appliedOnce, cutByBytes];
