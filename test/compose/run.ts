// npm run test:compose: docker-compose.cluster.yml by the commands of docs/operations.md. Built, started, healed after kill -9
// from outside, stopped and found again, the demo played, and upgraded from the first release under load. Needs an engine.
import { Command } from 'commander';
import { ComposeCluster, takenAddresses } from './compose-cluster.ts';
import { playDemo } from './demo-profile.ts';
import { type Engine, findEngine } from './engine.ts';
import { buildImage, firstStart } from './first-start.ts';
import { healFromKill, keepThroughDown } from './heal.ts';
import { images, removeImages } from './images.ts';
import { replaceLostVolume } from './lost-volume.ts';
import type { Trial } from './trial.ts';
import { buildBefore, buildNext, type Order, rollOver } from './upgrade.ts';

interface Flags {
  readonly quick?: true;
  readonly json?: true;
  readonly seed: string;
}

/** Each play begins with no containers and ends wherever it likes. Quick ones leave out what costs another build or start. */
function plays(quick: boolean): readonly ((trial: Trial) => Promise<void>)[] {
  const orders: readonly Order[] = quick ? ['n1 first'] : ['n1 first', 'n3 first'];
  return [
    async (trial) => {
      await buildImage(trial);
      const first = await firstStart(trial);
      await healFromKill(trial, first);
      if (!quick) {
        await keepThroughDown(trial);
        await replaceLostVolume(trial);
      }
      await playDemo(trial);
    },
    ...orders.map((order) => async (trial: Trial) => {
      const from = quick ? images.local : await buildBefore(trial);
      await buildNext(trial);
      await rollOver(trial, from, order);
    }),
  ];
}

/** Runs `work` on a cluster that is gone afterwards, also when it fails or is interrupted. */
async function withCluster(
  engine: Engine,
  say: (line: string) => void,
  work: (cluster: ComposeCluster) => Promise<void>,
): Promise<void> {
  const cluster = new ComposeCluster({ engine, image: images.local });
  let interrupted = false;
  const end = (signal: NodeJS.Signals): void => {
    if (interrupted) return;
    interrupted = true;
    say(`${signal}: removing containers, volumes and images`);
    const code = signal === 'SIGINT' ? 130 : 143;
    void cluster.remove().finally(() => {
      removeImages();
      process.exit(code);
    });
  };
  for (const signal of endings) process.on(signal, end);
  try {
    await work(cluster);
  } catch (error) {
    // What broke under the interruption is no finding; its handler ends the process.
    if (interrupted) await new Promise(() => undefined);
    say(cluster.logTails(30));
    throw error;
  } finally {
    await cluster.remove();
    for (const signal of endings) process.off(signal, end);
  }
}

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function runPlays(engine: Engine, flags: Flags, say: (line: string) => void) {
  const figures = new Map<string, number>();
  // What an earlier run left when it was killed.
  await new ComposeCluster({ engine, image: images.local }).remove();
  const { endpoints } = new ComposeCluster({ engine, image: images.local });
  const taken = await takenAddresses(endpoints);
  if (taken.length > 0) {
    throw new Error(`${taken.join(', ')} in use: stop what listens there, as \`rollcall dev\``);
  }
  const seed = Number(flags.seed);
  let passed = 0;
  try {
    for (const play of plays(flags.quick === true)) {
      await withCluster(engine, say, (cluster) => play({ cluster, say, figures, seed }));
      passed++;
    }
  } finally {
    removeImages();
  }
  return { passed, figures };
}

async function runCompose(flags: Flags): Promise<void> {
  const beganMs = performance.now();
  const stream = flags.json === true ? process.stderr : process.stdout;
  const say = (line: string): void => {
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(1).padStart(6);
    stream.write(`${seconds} s  ${line}\n`);
  };
  const engine = findEngine();
  if (engine.kind === 'none') {
    process.stderr.write(`test:compose: ${engine.reason}\n`);
    process.exitCode = 2;
    return;
  }
  say(`${engine.versions}${flags.quick === true ? ', quick' : ''}, seed ${flags.seed}`);
  try {
    const { passed, figures } = await runPlays(engine, flags, say);
    const report = { passed, failed: 0, engine: engine.versions, ...Object.fromEntries(figures) };
    if (flags.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
    else stream.write(`${passed} passed, 0 failed\n`);
  } catch (error) {
    stream.write(`0 passed, 1 failed\n`);
    throw error;
  }
}

await new Command('test:compose')
  .description('plays docker-compose.cluster.yml by the commands of docs/operations.md')
  .option('--quick', 'no lost volume, and an upgrade to the same code, in one order of the nodes')
  .option('--seed <n>', 'what the clients do', '1')
  .option('--json', 'the figures as JSON on standard output, progress on standard error')
  .action((flags: Flags) => runCompose(flags))
  .parseAsync();
