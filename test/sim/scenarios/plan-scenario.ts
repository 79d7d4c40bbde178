// How scenarios of the whole system are written down: a calm cluster of three, and what is done to it and when.
import type { Violation } from '../../checkers/history.ts';
import { drawParameters, type Parameters } from '../parameters.ts';
import type { Planned } from '../plan.ts';
import { type RunReport, runPlan } from '../run-plan.ts';
import type { Scenario } from './scenario.ts';

export interface Script {
  readonly forMs: number;
  readonly parameters?: Partial<Parameters>;
  readonly steps: readonly (readonly [atMs: number, action: Planned['action']])[];
  /** What has to be so at the end, beside every guarantee. */
  readonly demand?: (report: RunReport) => readonly Violation[];
}

/** Nothing is lost, late or small. */
function calm(chaosMs: number): Parameters {
  const drawn = drawParameters(1, chaosMs);
  return {
    ...drawn,
    nodes: ['n1', 'n2', 'n3'],
    spares: [],
    faults: [],
    operations: [],
    network: {
      minDelayMs: 0.5,
      meanExtraMs: 0.2,
      retransmitted: 0,
      retransmitMs: 30,
      lost: 0,
      duplicated: 0,
      pingTimeoutMs: 800,
    },
    writeMs: 1,
    stateWriteMs: 10,
    maxDrift: 0,
    limits: { ...drawn.limits, maxInstances: 1000, maxPendingWrites: 1000, ringChanges: 10_000 },
    raftLimits: {},
    retention: {},
  };
}

export function ofPlan(name: string, seenIn: string, script: Script): Scenario {
  const { forMs, parameters = {}, steps, demand } = script;
  return {
    name,
    seenIn,
    run: async () => {
      const watch: Planned['action'] = { kind: 'watch', slowMs: 0, service: '' };
      const all = [[0, watch] as const, ...steps];
      const actions = all.map(([atMs, action], number) => {
        return { atMs, number, client: action.kind === 'fault' ? '' : `c${number}`, action };
      });
      const report = await runPlan({
        seed: 1,
        parameters: { ...calm(forMs), ...parameters },
        actions: actions.toSorted((a, b) => a.atMs - b.atMs),
      });
      return [...report.violations, ...(demand?.(report) ?? [])];
    },
  };
}
