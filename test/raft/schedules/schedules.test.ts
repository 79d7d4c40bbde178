// Random schedules against real cores. Every step is followed by every check; see action.ts for what can happen and
// check.ts for what is looked at.
import { expect, test } from 'vitest';
import { defaults, runCampaign } from './campaign.ts';
import { printTally, rarelyTaken } from './tally.ts';

/** A generous bound for a loaded machine; alone it takes a tenth of that. */
const TIMEOUT_MS = 120_000;
const MIN_TIMES = 50;

/** ROLLCALL_SEED moves the run to other schedules; the default keeps runs alike. */
const seed = Number(process.env['ROLLCALL_SEED'] ?? defaults.seed);

test(`G1 and G2: no random schedule of ${defaults.count} breaks safety or hinders recovery, and every branch of Figure 2 is taken`, {
  timeout: TIMEOUT_MS,
}, () => {
  const campaign = runCampaign({ ...defaults, seed });
  const { failure, schedules, steps, slowestRecoveryTicks } = campaign;
  expect(failure && `${failure.message}\nreplay: ${failure.replay}`).toBeUndefined();
  console.log(
    `${printTally(campaign.tally)}\n${schedules} schedules, ${steps} steps, seed ${seed}; slowest recovery ${slowestRecoveryTicks} ticks`,
  );
  expect(rarelyTaken(campaign.tally, MIN_TIMES)).toEqual([]);
});

test('the same seed gives the same schedules, step by step', () => {
  const once = runCampaign({ ...defaults, count: 30, seed });
  const again = runCampaign({ ...defaults, count: 30, seed });
  expect(again).toEqual(once);
});
