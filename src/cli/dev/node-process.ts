// One node of a development cluster as an operating-system process: started, watched, started again with growing delay
// when it dies, and left alone when only an operator can help.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import { isReadyNotice } from '../child-channel.ts';
import { exitMeaning, NEEDS_OPERATOR } from '../exit-codes.ts';
import type { PlannedNode } from './plan.ts';

interface NodeProcessEvents {
  onReady(pid: number): void;
  /** The process ended without being told to. `restartMs` undefined: it stays down. */
  onDied(end: string, exitCode: number | undefined, restartMs: number | undefined): void;
  /** One line of its output. */
  onLine?(line: string): void;
}

interface NodeProcessOptions {
  readonly plan: PlannedNode;
  /** Program and first arguments: what runs `rollcall`. */
  readonly command: readonly [program: string, ...rest: string[]];
  readonly environment: NodeJS.ProcessEnv;
  readonly log: Writable;
  readonly events: NodeProcessEvents;
}

const FIRST_RESTART_MS = 500;
const LONGEST_RESTART_MS = 10_000;
/** A node that ran this long has recovered from whatever made it die before. */
const SETTLED_MS = 10_000;

export class NodeProcess {
  readonly plan: PlannedNode;
  readonly #options: NodeProcessOptions;
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #restartMs = FIRST_RESTART_MS;
  #stopping = false;
  #wasReady = false;

  constructor(options: NodeProcessOptions) {
    this.plan = options.plan;
    this.#options = options;
  }

  /** True once it has been ready at least once. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** True while it runs or is about to run again. */
  get alive(): boolean {
    return this.#child !== undefined || this.#restart !== undefined;
  }

  start(): void {
    this.#restart = undefined;
    const { command, environment, plan, log, events } = this.#options;
    const [program, ...rest] = command;
    const startedAt = performance.now();
    // In a group of its own, so that a terminal's Ctrl-C reaches the parent alone, which then stops the nodes in order.
    const child = spawn(program, [...rest, ...plan.arguments], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    this.#child = child;
    for (const output of [child.stdout, child.stderr]) {
      output?.pipe(log, { end: false });
      if (output !== null && events.onLine !== undefined) {
        createInterface({ input: output }).on('line', (line) => events.onLine?.(line));
      }
    }
    child.on('message', (message) => {
      if (!isReadyNotice(message)) return;
      this.#wasReady = true;
      events.onReady(child.pid ?? 0);
    });
    child.once('error', (error) => this.#ended(error.message, undefined, startedAt));
    child.once('exit', (code, signal) => {
      const end = code === null ? `ended by ${signal}` : `exit code ${code}, ${exitMeaning(code)}`;
      this.#ended(end, code ?? undefined, startedAt);
    });
  }

  /** Asks it to stop; after `graceMs` it is killed. Resolves to its exit code: 0 too where it was not running, or not yet
   * listening for signals, with nothing opened. */
  async stop(graceMs: number): Promise<number | 'killed'> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#restart = undefined;
    const child = this.#child;
    if (child === undefined) return 0;
    const ended = new Promise<number | 'killed'>((resolve) => {
      child.once('exit', (code, signal) => {
        resolve(code ?? (signal === 'SIGTERM' ? 0 : 'killed'));
      });
    });
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    const code = await ended;
    clearTimeout(killer);
    return code;
  }

  kill(): void {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
  }

  #ended(end: string, exitCode: number | undefined, startedAt: number): void {
    if (this.#child === undefined) return;
    this.#child = undefined;
    if (this.#stopping) return;
    if (performance.now() - startedAt > SETTLED_MS) this.#restartMs = FIRST_RESTART_MS;
    const restartMs = this.#restartMs;
    const stays = exitCode !== undefined && NEEDS_OPERATOR.has(exitCode);
    if (!stays) {
      this.#restart = setTimeout(() => this.start(), restartMs);
      this.#restartMs = Math.min(2 * restartMs, LONGEST_RESTART_MS);
    }
    this.#options.events.onDied(end, exitCode, stays ? undefined : restartMs);
  }
}
