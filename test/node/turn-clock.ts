// A clock whose time and turns are taken by hand and synchronously, for tests that take thousands of steps.
import type { Clock } from '../../src/node/ports.ts';

const UNIX_OFFSET_MS = 1_800_000_000_000;

export class TurnClock implements Clock {
  #nowMs = 1_000;
  #deferred: (() => void)[] = [];
  #timers: { readonly dueMs: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  unixNow(): number {
    return UNIX_OFFSET_MS + Math.floor(this.#nowMs);
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Callbacks that wait for the next turn. */
  get deferredCount(): number {
    return this.#deferred.length;
  }

  /** Runs what was deferred before this call, and no more. */
  turn(): void {
    const ready = this.#deferred;
    this.#deferred = [];
    for (const callback of ready) callback();
  }

  /** Takes turns until nothing is deferred. */
  rest(): void {
    for (let turns = 0; this.#deferred.length > 0; turns++) {
      if (turns > 100_000) throw new Error('the code under test never comes to rest');
      this.turn();
    }
  }

  pass(byMs: number): void {
    this.#nowMs += byMs;
    const due = this.#timers.filter((timer) => timer.dueMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => timer.dueMs > this.#nowMs);
    for (const timer of due) timer.callback();
  }
}
