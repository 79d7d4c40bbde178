// npm run sim -- --seed N: one seeded run of the whole system on simulated time, judged by every checker.
import { Command } from 'commander';
import { drawPlan } from './plan.ts';
import { runPlan } from './run-plan.ts';

function tell(atMs: number, who: string, what: string): void {
  process.stdout.write(`${atMs.toFixed(3).padStart(10)} ${who.padEnd(6)} ${what}\n`);
}

await new Command('sim')
  .option('--seed <n>', 'which run', '1')
  .option('--count <n>', 'how many seeds from there on', '1')
  .option('--chaos-ms <n>', 'simulated milliseconds of faults', '7000')
  .option('--trace', 'what happened, line by line')
  .action(async (options: { seed: string; count: string; chaosMs: string; trace?: boolean }) => {
    const first = Number(options.seed);
    for (let seed = first; seed < first + Number(options.count); seed++) {
      const began = performance.now();
      const traced = options.trace === true ? { tell } : {};
      const report = await runPlan(drawPlan(seed, Number(options.chaosMs)), traced);
      const wallMs = performance.now() - began;
      const { violations, hash, events, simulatedMs, revisions } = report;
      process.stdout.write(
        `seed ${seed} hash ${hash} ${events} events ${revisions} revisions ${(simulatedMs / 1000).toFixed(1)} s in ${wallMs.toFixed(0)} ms\n`,
      );
      if (Number(options.count) === 1) process.stdout.write(`${report.coverage.toString()}\n`);
      for (const { guarantee, evidence } of violations.slice(0, 5)) {
        process.stdout.write(`VIOLATION ${guarantee}: ${evidence}\n`);
      }
      if (violations.length > 0) {
        process.exitCode = 1;
        process.stdout.write(`replay: npm run sim -- --seed ${seed}\n`);
      }
    }
  })
  .parseAsync();
