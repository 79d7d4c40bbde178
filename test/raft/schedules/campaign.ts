// Runs many random schedules and says what came of them. A schedule is a function of seed and path, so a failure is
// repeated by one line.
import { check as checkProperty, property } from 'fast-check';
import { InvariantError } from '../../../src/lib/assert.ts';
import { arbitrarySchedule, type Schedule } from './action.ts';
import { CheckFailure } from './check.ts';
import { perform } from './perform.ts';
import { recover } from './recovery.ts';
import { createTally, type Tally } from './tally.ts';
import { createWorld } from './world.ts';

export interface CampaignOptions {
  readonly count: number;
  readonly seed: number;
  /** Most actions in one schedule. */
  readonly actions: number;
  /** A failing schedule's place, as printed; only that one runs. */
  readonly path?: string | undefined;
}

export interface Campaign {
  readonly schedules: number;
  readonly steps: number;
  /** The longest time any schedule took to recover. */
  readonly slowestRecoveryTicks: number;
  readonly tally: Tally;
  readonly failure: CampaignFailure | undefined;
}

interface CampaignFailure {
  /** The check or assertion that failed; `error` for anything else, which is a defect of the harness or a crash. */
  readonly check: string;
  readonly message: string;
  /** The line that repeats it. */
  readonly replay: string;
  readonly schedule: Schedule;
  readonly shrinks: number;
}

export const defaults = { count: 2500, seed: 20_140_619, actions: 240 } as const;

/** Runs until the first failure, which is shrunk. */
export function runCampaign(options: CampaignOptions): Campaign {
  const tally = createTally();
  let steps = 0;
  let slowestRecoveryTicks = 0;
  const everySchedule = property(arbitrarySchedule(options.actions), (schedule) => {
    const result = runSchedule(schedule, tally);
    steps += result.steps;
    slowestRecoveryTicks = Math.max(slowestRecoveryTicks, result.recoveryTicks);
  });
  const details = checkProperty(everySchedule, {
    seed: options.seed,
    numRuns: options.count,
    ...(options.path === undefined ? {} : { path: options.path }),
  });
  const schedules = details.numRuns;
  const failed = details.counterexample?.[0];
  if (!details.failed || !failed) {
    return { schedules, steps, slowestRecoveryTicks, tally, failure: undefined };
  }
  const failure: CampaignFailure = {
    ...describe(details.errorInstance),
    replay: `npm run raft:schedules -- --seed ${options.seed} --actions ${options.actions} --path ${details.counterexamplePath}`,
    schedule: failed,
    shrinks: details.numShrinks,
  };
  return { schedules, steps, slowestRecoveryTicks, tally, failure };
}

/** One schedule, from a cluster that starts to a cluster that has recovered. Throws when a check fails. */
export function runSchedule(
  schedule: Schedule,
  tally: Tally,
  tell?: (line: string) => void,
): { readonly steps: number; readonly recoveryTicks: number } {
  const world = createWorld(schedule, tally, tell);
  for (const action of schedule.actions) perform(world, action);
  const recoveryTicks = recover(world);
  return { steps: world.ledger.now, recoveryTicks };
}

function describe(error: unknown): { readonly check: string; readonly message: string } {
  if (error instanceof CheckFailure) return { check: error.check, message: error.message };
  if (error instanceof InvariantError) {
    return { check: `assertion in the core (${error.message})`, message: error.message };
  }
  return { check: 'error', message: error instanceof Error ? (error.stack ?? '') : String(error) };
}
