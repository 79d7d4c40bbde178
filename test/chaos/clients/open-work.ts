// What clients have begun and not ended, and the end of beginnings: after `rest` nobody begins anything, and pauses are over.
import { setTimeout as delay } from 'node:timers/promises';

export class OpenWork {
  readonly #open = new Set<Promise<void>>();
  readonly #sleepers = new Set<() => void>();
  #resting = false;

  get resting(): boolean {
    return this.#resting;
  }

  /** Goes on while nobody waits for it; `settled` will. What it throws ends the process, as nobody catches it. */
  start(work: Promise<void>): void {
    const ended = work.finally(() => this.#open.delete(ended));
    this.#open.add(ended);
  }

  /** For so long, or until there is rest. */
  pause(forMs: number): Promise<void> {
    if (this.#resting) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, forMs);
      this.#sleepers.add(wake);
    });
  }

  /** For so long, whether or not there is rest: between two attempts at one thing. */
  pauseThrough(forMs: number): Promise<void> {
    return delay(forMs);
  }

  rest(): void {
    this.#resting = true;
    for (const wake of this.#sleepers) wake();
  }

  /** Rests, and resolves once nothing is open. */
  async settled(): Promise<void> {
    this.rest();
    while (this.#open.size > 0) await Promise.all(this.#open);
  }
}
