// Time for tests: it stands still until told to move, and while it moves everything that became due runs in order.
import type { Clock } from '../../src/node/ports.ts';

interface Timer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly callback: () => void;
  cancelled: boolean;
}

const SETTLE_ROUNDS = 10_000;

/** One macrotask: every promise that can go on has gone on when it returns. */
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class FakeClock implements Clock {
  #nowMs = 1_000;
  #unixOffsetMs = 1_800_000_000_000;
  #sequence = 0;
  #timers: Timer[] = [];
  #deferred: (() => void)[] = [];

  now(): number {
    return this.#nowMs;
  }

  unixNow(): number {
    return Math.floor(this.#nowMs + this.#unixOffsetMs);
  }

  after(delayMs: number, callback: () => void): () => void {
    const dueMs = this.#nowMs + delayMs;
    const timer: Timer = { dueMs, sequence: ++this.#sequence, callback, cancelled: false };
    this.#timers.push(timer);
    return () => {
      timer.cancelled = true;
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Moves the wall clock alone, as an operator or NTP does. */
  shiftWallClock(byMs: number): void {
    this.#unixOffsetMs += byMs;
  }

  /** Lets time pass at once, as a stopped process sees it: what fell due meanwhile runs afterwards, late. */
  async jump(byMs: number): Promise<void> {
    this.#nowMs += byMs;
    await this.advance(0);
  }

  /** Moves on by `byMs`, stopping at each timer that falls due on the way and running what it sets off. */
  async advance(byMs: number): Promise<void> {
    const targetMs = this.#nowMs + byMs;
    await this.settle();
    for (let due = this.#takeDue(targetMs); due.length > 0; due = this.#takeDue(targetMs)) {
      for (const timer of due) if (!timer.cancelled) timer.callback();
      await this.settle();
    }
    this.#nowMs = Math.max(this.#nowMs, targetMs);
  }

  /** Moves on in steps until `condition` holds; throws after `limitMs` of this clock's time. */
  async until(
    condition: () => boolean,
    what: string,
    limitMs = 20_000,
    explain: () => string = () => '',
  ): Promise<void> {
    await this.settle();
    for (let passedMs = 0; !condition(); passedMs += 5) {
      if (passedMs > limitMs) throw new Error(`${limitMs} ms passed without: ${what} ${explain()}`);
      await this.advance(5);
    }
  }

  /** Runs deferred callbacks and promises until nothing is left to do at this instant. */
  async settle(): Promise<void> {
    for (let round = 0, quiet = 0; quiet < 2; round++) {
      if (round > SETTLE_ROUNDS) throw new Error('the code under test never comes to rest');
      await macrotask();
      const ready = this.#deferred;
      this.#deferred = [];
      for (const callback of ready) callback();
      quiet = ready.length === 0 ? quiet + 1 : 0;
    }
  }

  /** The timers of the earliest instant that is not after `targetMs`; the clock moves to that instant. */
  #takeDue(targetMs: number): readonly Timer[] {
    const earliestMs = Math.min(...this.#timers.map((timer) => timer.dueMs));
    if (earliestMs > targetMs) return [];
    this.#nowMs = Math.max(this.#nowMs, earliestMs);
    const due = this.#timers.filter((timer) => timer.dueMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => timer.dueMs > this.#nowMs);
    return due.toSorted((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence);
  }
}

/** A clock of one node on the shared time that can be stopped, as SIGSTOP stops a process. */
export class PausableClock implements Clock {
  readonly #base: Clock;
  #held: (() => void)[] | undefined;

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#base.now();
  }

  unixNow(): number {
    return this.#base.unixNow();
  }

  after(delayMs: number, callback: () => void): () => void {
    let cancelled = false;
    const cancel = this.#base.after(delayMs, () => this.#run(() => cancelled || callback()));
    return () => {
      cancelled = true;
      cancel();
    };
  }

  defer(callback: () => void): void {
    this.#base.defer(() => this.#run(callback));
  }

  /** True while stopped: the owner's inbound messages should wait too. */
  get paused(): boolean {
    return this.#held !== undefined;
  }

  pause(): void {
    this.#held ??= [];
  }

  /** Goes on: what fell due meanwhile runs now, late. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const callback of held) callback();
  }

  #run(callback: () => void): void {
    if (this.#held === undefined) callback();
    else this.#held.push(callback);
  }
}
