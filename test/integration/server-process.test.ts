// The built command line as processes: how a server starts, refuses to start, and ends; how `dev` runs a cluster.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pollUntil } from '../support/poll.ts';
import { freePorts } from '../support/process-cluster.ts';
import { repositoryRoot } from '../support/repository-root.ts';

const main = join(repositoryRoot(), 'dist', 'cli', 'main.js');
const READY = '"event":"ready"';

let children: ChildProcess[] = [];
let directory = '';
beforeEach(() => {
  children = [];
  directory = mkdtempSync(join(tmpdir(), 'rollcall-process-'));
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await pollUntil(() => children.every(hasEnded), { what: 'the end of all', timeoutMs: 10_000 });
  rmSync(directory, { recursive: true, force: true });
});

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

class Started {
  readonly child: ChildProcess;
  readonly messages: unknown[] = [];
  output = '';

  constructor(words: readonly string[], ipc: boolean) {
    this.child = spawn(process.execPath, [main, ...words], {
      stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? ['ipc' as const] : [])],
      env: { ...process.env, UV_THREADPOOL_SIZE: '8' },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.child.on('message', (message) => this.messages.push(message));
    children.push(this.child);
  }

  async says(text: string, timeoutMs = 20_000): Promise<void> {
    const heard = (): boolean => this.output.includes(text);
    await pollUntil(heard, { what: text, timeoutMs, explain: () => this.output });
  }

  async exitCode(timeoutMs = 20_000): Promise<number | null> {
    const ended = (): boolean => hasEnded(this.child);
    await pollUntil(ended, { what: 'the end', timeoutMs, explain: () => this.output });
    return this.child.exitCode;
  }
}

const run = (...words: readonly string[]): Started => new Started(words, false);

/** Runs a client command to its end. */
async function ask(endpoint: string, line: string): Promise<{ code: number | null; text: string }> {
  const command = run(...line.split(' '), '--endpoints', endpoint);
  return { code: await command.exitCode(), text: command.output };
}

async function plan(name: string) {
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const client = `127.0.0.1:${clientPort}`;
  const peer = `127.0.0.1:${peerPort}`;
  const flags = [
    `--node-id=${name}`,
    `--data-dir=${join(directory, name)}`,
    `--listen-client=${client}`,
    `--listen-peer=${peer}`,
    `--initial-members=${name}=${peer}`,
  ];
  return { flags, client, peer };
}

describe('a server', () => {
  test('serves, ends with 0 on SIGTERM within its time, and finds its data again (G1)', async () => {
    const { flags, client } = await plan('n1');
    const first = run('server', ...flags);
    await first.says(READY);
    const register = await ask(client, 'register --service s --host h --port 1 --id i');
    expect(register.code, register.text).toBe(0);
    const stoppedAt = performance.now();
    first.child.kill('SIGTERM');
    expect(await first.exitCode()).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(5000);

    const second = run('server', ...flags);
    await second.says(READY);
    const get = await ask(client, 'get i --json');
    expect(get.code, get.text).toBe(0);
    expect(get.text).toContain('"instance_id":"i"');
  });

  test('ends when the process that started it is gone, also when nobody reads its log any more', async () => {
    const { flags, client, peer } = await plan('n1');
    const server = new Started(['server', ...flags], true);
    await server.says(READY);
    const told = (): boolean => server.messages.length > 0;
    await pollUntil(told, { what: 'the ready notice', timeoutMs: 5000 });
    expect(server.messages).toEqual([{ kind: 'ready', clientAddress: client, peerAddress: peer }]);
    server.child.stdout?.destroy();
    server.child.stderr?.destroy();
    server.child.disconnect();
    expect(await server.exitCode()).toBe(0);
  });

  test('refuses a data-dir in use with exit code 14, and one of another node too', async () => {
    const { flags } = await plan('n1');
    const first = run('server', ...flags);
    await first.says(READY);
    const { client, peer } = await plan('n1');
    const second = run('server', ...flags, `--listen-client=${client}`, `--listen-peer=${peer}`);
    expect(await second.exitCode()).toBe(14);
    expect(second.output).toContain('is in use by process');
    expect(second.output).not.toContain('"stack"');
    first.child.kill('SIGTERM');
    expect(await first.exitCode()).toBe(0);
    const other = run('server', ...flags, '--node-id=n2');
    expect(await other.exitCode()).toBe(14);
    expect(other.output).toContain('belongs to node n1, not to n2');
  });

  test('refuses to start with an empty data-dir and no members, or with a port in use: exit code 2', async () => {
    const alone = ['--node-id=n9', '--listen-client=127.0.0.1:0', '--listen-peer=127.0.0.1:0'];
    const missing = run('server', ...alone, `--data-dir=${join(directory, 'n9')}`);
    expect(await missing.exitCode()).toBe(2);
    expect(missing.output).toMatch(
      /^rollcall: --initial-members: required while .* is empty, .*\n$/,
    );

    const { flags, client } = await plan('n1');
    const first = run('server', ...flags);
    await first.says(READY);
    const second = run('server', ...(await plan('n2')).flags, `--listen-client=${client}`);
    expect(await second.exitCode()).toBe(2);
    expect(second.output).toBe(`rollcall: --listen-client: ${client} is already in use\n`);
    expect(existsSync(join(directory, 'n2'))).toBe(false);
  });
});

describe('rollcall dev', () => {
  test('runs a cluster, starts a killed node again, stops at a signal given twice, and finds its data again', async () => {
    const [basePort = 0] = await freePorts(1);
    const words = ['dev', '--nodes=1', `--base-port=${basePort}`, `--data-dir=${directory}`];
    const endpoint = `127.0.0.1:${basePort}`;
    const dev = run(...words);
    await dev.says('The cluster accepts writes.');
    const pid = Number(/^n1 {2}.* pid (\d+) /m.exec(dev.output)?.[1]);
    const register = await ask(endpoint, 'register --service s --host h --port 1 --id i');
    expect(register.code, register.text).toBe(0);

    process.kill(pid, 'SIGKILL');
    await dev.says('n1 died (ended by SIGKILL); starting again in 0.5 s');
    const wait = await ask(endpoint, 'status --wait 20');
    expect(wait.code, wait.text).toBe(0);
    expect(wait.text).toContain('leader');

    dev.child.kill('SIGINT');
    dev.child.kill('SIGINT');
    expect(await dev.exitCode(), dev.output).toBe(0);
    expect(dev.output).toContain('All nodes have stopped.');

    const again = run(...words);
    await again.says('The cluster accepts writes.');
    const get = await ask(endpoint, 'get i');
    expect(get.code, get.text).toBe(0);
    again.child.kill('SIGTERM');
    expect(await again.exitCode()).toBe(0);
  });

  test('ends with the exit code of its only node, whose data-dir is in use', async () => {
    const { flags } = await plan('n1');
    const server = run('server', ...flags);
    await server.says(READY);
    const [basePort = 0] = await freePorts(1);
    const dev = run('dev', '--nodes=1', `--base-port=${basePort}`, `--data-dir=${directory}`);
    expect(await dev.exitCode(), dev.output).toBe(14);
    expect(dev.output).toContain('n1 died (exit code 14, data-dir in use');
    expect(dev.output).toContain('rollcall: the cluster cannot go on\n');
    expect(dev.output).not.toContain('had to be killed');
  });

  test('refuses a data-dir that cannot be made, in one line: exit code 2', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    const [basePort = 0] = await freePorts(1);
    const dev = run('dev', '--nodes=1', `--base-port=${basePort}`, `--data-dir=${file}`);
    expect(await dev.exitCode(), dev.output).toBe(2);
    expect(dev.output).toMatch(/^rollcall: --data-dir: .* cannot be made: ENOTDIR.*\n$/);
  });
});
