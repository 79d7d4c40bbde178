// What the engine tells of the containers of a project: that a process was started in one, or ended, and how.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { findLeash } from './toolbox.ts';

export interface ContainerEvent {
  readonly kind: 'started' | 'ended';
  /** Of the compose file: n1. */
  readonly service: string;
  readonly container: string;
  /** Only of a process that ended: its own, or 128 and the signal that ended it. */
  readonly exitCode?: number;
}

interface EventLine {
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
}

const projectLabel = 'com.docker.compose.project';
const serviceLabel = 'com.docker.compose.service';

/** One line of `docker events`; undefined where it tells of something else. */
export function eventOf(line: string): ContainerEvent | undefined {
  const { Action: action, Actor: actor } = JSON.parse(line) as EventLine;
  const service = actor?.Attributes?.[serviceLabel];
  const container = actor?.ID;
  if (service === undefined || container === undefined) return undefined;
  if (action === 'start') return { kind: 'started', service, container };
  if (action !== 'die') return undefined;
  return { kind: 'ended', service, container, exitCode: Number(actor?.Attributes?.['exitCode']) };
}

/** From this moment on, in their order, until it is closed. Without them nobody knows which processes there are: when they end
 * by themselves, this process does. */
export class ContainerEvents {
  readonly #child: ChildProcess;
  #closed = false;

  constructor(project: string, tell: (event: ContainerEvent) => void) {
    const filters = [
      'type=container',
      'event=start',
      'event=die',
      `label=${projectLabel}=${project}`,
    ];
    const sinceS = String(Math.floor(Date.now() / 1000));
    const words = ['docker', 'events', '--since', sinceS, '--format', '{{json .}}'];
    words.push(...filters.flatMap((filter) => ['--filter', filter]));
    const [program = '', ...args] = [...findLeash(), ...words];
    // In a group of its own, so that Ctrl-C does not end it before the faults are healed.
    this.#child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    this.#child.once('exit', (code) => {
      if (!this.#closed) throw new Error(`docker events ended with ${code ?? 'a signal'}`);
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the output of docker events is a pipe');
    createInterface({ input: stdout }).on('line', (line) => {
      const event = eventOf(line);
      if (event !== undefined) tell(event);
    });
  }

  close(): void {
    this.#closed = true;
    this.#child.kill();
  }
}
