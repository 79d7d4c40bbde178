// `npm run raft:schedules -- --count N --seed S`: a longer campaign of random schedules, or one failing schedule again.
import { parseArgs } from 'node:util';
import { type CampaignOptions, defaults, runCampaign, runSchedule } from './campaign.ts';
import { createTally, printTally, rarelyTaken } from './tally.ts';

const USAGE = `usage: raft:schedules [--count N] [--seed S] [--actions N] [--path P] [--json]
  --count    schedules to run (default ${defaults.count})
  --seed     seed of the first (default ${defaults.seed})
  --actions  most actions in one (default ${defaults.actions})
  --path     run one failing schedule again, as its replay line says, and print every step of it
  --json     print the outcome as one line of JSON`;

const MIN_TIMES = 50;

function main(): number {
  const { values } = parseArgs({
    options: {
      count: { type: 'string' },
      seed: { type: 'string' },
      actions: { type: 'string' },
      path: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const options: CampaignOptions = {
    count: whole('count', values.count, defaults.count),
    seed: whole('seed', values.seed, defaults.seed),
    actions: whole('actions', values.actions, defaults.actions),
    path: values.path,
  };
  const campaign = runCampaign(options);
  const { failure } = campaign;
  if (values.json) {
    const { schedules, steps } = campaign;
    console.log(
      JSON.stringify({
        schedules,
        steps,
        check: failure?.check,
        message: failure?.message,
        replay: failure?.replay,
      }),
    );
    return failure ? 1 : 0;
  }
  if (!failure) return summarize(options, campaign);
  if (options.path !== undefined) replay(failure.schedule);
  console.log(
    `failed: ${failure.message}\n${failure.schedule.actions.length} actions after ${failure.shrinks} shrinks, schedule ${campaign.schedules}`,
  );
  console.log(`replay: ${failure.replay}`);
  return 1;
}

function whole(name: string, given: string | undefined, usual: number): number {
  const value = given === undefined ? usual : Number(given);
  if (!Number.isSafeInteger(value)) throw new Error(`--${name} is not a whole number: ${given}`);
  return value;
}

function summarize(options: CampaignOptions, campaign: ReturnType<typeof runCampaign>): number {
  console.log(printTally(campaign.tally));
  console.log(
    `${campaign.schedules} schedules, ${campaign.steps} steps, seed ${options.seed}: no check failed; the slowest recovery took ${campaign.slowestRecoveryTicks} ticks`,
  );
  if (options.path !== undefined || options.count < defaults.count) return 0;
  const rare = rarelyTaken(campaign.tally, MIN_TIMES);
  for (const branch of rare) console.log(`taken fewer than ${MIN_TIMES} times: ${branch}`);
  return rare.length === 0 ? 0 : 1;
}

function replay(schedule: Parameters<typeof runSchedule>[0]): void {
  console.log(JSON.stringify({ ...schedule, actions: schedule.actions.length }));
  try {
    runSchedule(schedule, createTally(), (line) => console.log(line));
  } catch (error) {
    console.log(error instanceof Error ? error.message : error);
  }
}

process.exitCode = main();
