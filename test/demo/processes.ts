// The processes of the demo: services, the CLI that keeps them registered, and the calling client.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { present } from '../../src/lib/assert.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import type { CallerEvent } from './events.ts';

const script = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const rollcall = join(repositoryRoot(), 'dist', 'cli', 'main.js');

export const ttlMs = 3000;

/** One service and its registrar: `rollcall register --keep` beside it, as a sidecar would. */
export interface Service {
  readonly id: string;
  readonly port: number;
  readonly server: ChildProcess;
  readonly registrar: ChildProcess;
  /** Resolves with the registrar's first line: it says that the registration is acknowledged. */
  readonly registered: Promise<string>;
}

async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: present(child.stdout ?? undefined, 'a pipe') });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the process ended with ${String(code)} before its first line`);
  });
  ended.catch(() => undefined);
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  return line;
}

export async function startService(id: string, endpoints: readonly string[]): Promise<Service> {
  const server = spawn(process.execPath, [script('service'), id], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = Number(await firstLine(server));
  const words = `register --service payment --id ${id} --host 127.0.0.1 --port ${port} --keep`;
  const flags = ['--ttl-ms', String(ttlMs), '--endpoints', endpoints.join(',')];
  const registrar = spawn(process.execPath, [rollcall, ...words.split(' '), ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { id, port, server, registrar, registered: firstLine(registrar) };
}

/** Runs one CLI command to its end; resolves with what it printed. */
export async function runRollcall(words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [rollcall, ...words]);
  return stdout;
}

export function startCaller(
  endpoints: readonly string[],
  first: number,
  onEvent: (event: CallerEvent) => void,
): ChildProcess {
  const child = spawn(process.execPath, [script('caller'), endpoints.join(','), String(first)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: present(child.stdout ?? undefined, 'a pipe') });
  lines.on('line', (line) => onEvent(JSON.parse(line) as CallerEvent));
  return child;
}

export function endProcess(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}
