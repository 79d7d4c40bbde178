// node build/test/chaos/arena/check.js: tries on real servers whether the arena does to them what it says. What this host does
// not allow is skipped by name. As root it also runs without, as another user would.
import { spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clockChecks } from './checks/clock-checks.ts';
import { diskChecks } from './checks/disk-checks.ts';
import { checkEndings, endAs, expectNothingLeft } from './checks/ending-checks.ts';
import { type Check, leaderOf, openGround } from './checks/ground.ts';
import { networkChecks } from './checks/network-checks.ts';
import { processChecks } from './checks/process-checks.ts';
import type { Arena } from './arena.ts';

const program = fileURLToPath(import.meta.url);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
let failures = 0;

async function report(title: string, seen: Promise<string>): Promise<void> {
  const beganAtMs = performance.now();
  try {
    const what = await seen;
    say(
      `ok      ${title} (${((performance.now() - beganAtMs) / 1000).toFixed(1)} s)\n        ${what}`,
    );
  } catch (error) {
    failures += 1;
    say(`FAILED  ${title}\n        ${error instanceof Error ? error.message : String(error)}`);
  }
}

function runCheck(arena: Arena, check: Check): Promise<void> {
  const reasons = check.needs.flatMap((ability) => arena.missing.get(ability) ?? []);
  if (reasons.length === 0) return report(check.title, check.run(arena));
  say(`skipped ${check.title}\n        ${reasons.join('; ')}`);
  return Promise.resolve();
}

const tailOf = (file: string): string =>
  readFileSync(file, 'utf8').split('\n').slice(-8).join('\n');

const logTails = (arena: Arena): string =>
  arena.nodes.map(({ id, logFile }) => `--- ${id}\n${tailOf(logFile)}`).join('\n');

/** All that is done to the nodes of one arena. */
async function checkAbilities(directory: string): Promise<void> {
  const arena = await openGround(directory);
  try {
    await leaderOf(arena);
    const checks = [...processChecks, ...networkChecks, ...clockChecks, ...diskChecks];
    for (const check of checks) {
      const before = failures;
      await runCheck(arena, check);
      if (failures === before) continue;
      say(logTails(arena));
      // The next check finds all well, whatever this one left.
      for (const node of arena.nodes) {
        node.signal('SIGCONT');
        node.start();
        await Promise.all([node.network.heal(), node.disk.normal()]);
      }
    }
  } finally {
    await arena.close();
    await arena.close();
  }
  await report(
    'a closed arena leaves nothing',
    expectNothingLeft(process.pid, directory).then(() => directory),
  );
}

const makeDirectory = (): string => mkdtempSync(join(tmpdir(), 'rollcall-arena-'));

/** Once more as nobody, who may not do most of it. */
function checkWithoutRoot(): void {
  const nobody = 65_534;
  const directory = makeDirectory();
  chownSync(directory, nobody, nobody);
  const become = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];
  say('without root:');
  const { status } = spawnSync(
    'setpriv',
    [...become, process.execPath, program, 'try', directory],
    {
      stdio: 'inherit',
    },
  );
  if (status !== 0) failures += 1;
}

const [task = 'all', directory = makeDirectory()] = process.argv.slice(2);
if (task === 'hold' || task === 'throw') await endAs(task, directory);
await checkAbilities(directory);
if (task === 'all') {
  await checkEndings(program, report);
  if (process.getuid?.() === 0) checkWithoutRoot();
}
say(failures === 0 ? 'all checks passed' : `${failures} checks failed`);
process.exitCode = failures === 0 ? 0 : 1;
