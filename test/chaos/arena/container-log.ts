// Copies what a node's containers print into one file, over all lives of all its containers.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { findLeash } from './toolbox.ts';

/** A process in a container. */
export interface ContainerLife {
  readonly container: string;
  /** On the host. */
  readonly pid: number;
  /** As the engine writes it down. */
  readonly startedAt: string;
}

export class ContainerLog {
  readonly #path: string;
  #life: ContainerLife | undefined;
  #copying: { readonly child: ChildProcess; readonly life: ContainerLife } | undefined;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
    closeSync(openSync(path, 'a'));
  }

  /** Of the present process. Whether the engine goes on with the one before or ends there is left to it. */
  follow(life: ContainerLife): void {
    this.#life = life;
    if (this.#copying === undefined) this.#copy(life);
  }

  close(): void {
    this.#closed = true;
    this.#copying?.child.kill();
  }

  #copy(life: ContainerLife): void {
    if (this.#closed) return;
    const words = ['docker', 'logs', '--follow', '--since', life.startedAt, life.container];
    const [program = '', ...args] = [...findLeash(), ...words];
    const file = openSync(this.#path, 'a');
    const child = spawn(program, args, { stdio: ['ignore', file, file], detached: true });
    closeSync(file);
    this.#copying = { child, life };
    child.once('close', () => {
      this.#copying = undefined;
      if (this.#life !== undefined && this.#life !== life) this.#copy(this.#life);
    });
  }
}
