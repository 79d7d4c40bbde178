// However a run ends, nothing of it stays on the host: closed, failed, interrupted, or killed and cleared up after by the next.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pollUntil } from '../../../support/poll.ts';
import { expect, leaderOf, openGround } from './ground.ts';
import { leftoversOf } from './leftovers.ts';

/** What a run of this program does with its arena, once its nodes lead and follow. */
export type Ending = 'hold' | 'throw';

/** In a process of its own: says so when the arena is at work, then ends as it is told. */
export async function endAs(ending: Ending, directory: string): Promise<never> {
  const arena = await openGround(directory);
  await leaderOf(arena);
  process.stdout.write('ready\n');
  if (ending === 'throw') throw new Error('as planned');
  return new Promise(() => setInterval(() => undefined, 1000));
}

interface Run {
  readonly owner: number;
  readonly directory: string;
  readonly exited: Promise<unknown[]>;
}

async function startRun(program: string, ending: Ending): Promise<Run> {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-arena-'));
  const child = spawn(process.execPath, [program, ending, directory], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value } = await lines.next();
  expect(value === 'ready' && child.pid !== undefined, `a run of ${ending} ended early`);
  return { owner: child.pid, directory, exited };
}

/** The kernel takes its time with loop devices and dead processes. */
export async function expectNothingLeft(owner: number, directory: string): Promise<void> {
  let left: readonly string[] = [];
  await pollUntil(
    () => {
      left = leftoversOf(owner, directory);
      return left.length === 0;
    },
    { what: 'nothing to be left', timeoutMs: 5000, explain: () => left.join('\n') },
  );
  rmSync(directory, { recursive: true, force: true });
}

/** `program` is this one, started again with an ending and a directory. */
export async function checkEndings(
  program: string,
  report: (title: string, seen: Promise<string>) => Promise<void>,
): Promise<void> {
  await report('a run that is interrupted leaves nothing', interrupted(program));
  await report('a run that fails leaves nothing', failed(program));
  await report('a run that is killed leaves nothing behind the next', killed(program));
}

async function interrupted(program: string): Promise<string> {
  const run = await startRun(program, 'hold');
  expect(leftoversOf(run.owner, run.directory).length > 0, 'what is there is not seen');
  process.kill(run.owner, 'SIGINT');
  const [code, signal] = await run.exited;
  expect(signal === 'SIGINT', `it ended with ${String(code)} and ${String(signal)}`);
  await expectNothingLeft(run.owner, run.directory);
  return 'ended by SIGINT';
}

async function failed(program: string): Promise<string> {
  const run = await startRun(program, 'throw');
  const [code] = await run.exited;
  expect(code === 1, `it ended with ${String(code)}`);
  await expectNothingLeft(run.owner, run.directory);
  return 'ended by an exception';
}

async function killed(program: string): Promise<string> {
  const run = await startRun(program, 'hold');
  process.kill(run.owner, 'SIGKILL');
  await run.exited;
  const left = (): readonly string[] => leftoversOf(run.owner, run.directory);
  expect(left().length > 0, 'a killed run has cleared up');
  await pollUntil(() => !left().some((entry) => entry.startsWith('process ')), {
    what: 'the servers to end with their harness',
    timeoutMs: 5000,
    explain: () => left().join('\n'),
  });
  const found = left().length;
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-arena-'));
  const next = await openGround(directory);
  try {
    await expectNothingLeft(run.owner, run.directory);
  } finally {
    await next.close();
  }
  await expectNothingLeft(process.pid, directory);
  return `${found} things were left, the next run removed them`;
}
