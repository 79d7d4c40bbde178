// Simulated time: one queue of events for the whole world. An event runs, and everything that it sets free runs to its end,
// before the next one begins; so a run is a function of its plan alone.
//
// How "to its end" is known: everything under test waits on promises only (clock, network and disk are simulated), so what
// an event sets free is microtasks. Node runs process.nextTick callbacks when, and only when, the microtask queue is empty;
// a promise that a tick resolves is therefore resolved at rest, however long the chains were. No count of turns is guessed.
import { crc32 } from 'node:zlib';

/** What can be stopped or killed: events that belong to it wait, or are dropped, with it. */
export interface Process {
  readonly name: string;
  alive: boolean;
  /** Simulated milliseconds until which nothing of it runs. */
  pausedUntilMs: number;
}

interface Event {
  readonly atMs: number;
  readonly sequence: number;
  readonly process: Process | undefined;
  readonly what: string;
  readonly run: () => void;
  cancelled: boolean;
}

const atRest = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
/** Lets the event loop of the host turn now and then, so that it can be interrupted. */
const hostTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const EVENTS_PER_HOST_TURN = 4096;

export class Timeline {
  #nowMs = 0;
  #sequence = 0;
  #hash = 0x811c9dc5;
  #events = 0;
  readonly #heap: Event[] = [];
  readonly #digests = new Map<string, number>();
  /** Told each event that runs; for readable traces. */
  observe: ((atMs: number, what: string) => void) | undefined;
  /** Called after each event, at rest. */
  settled: (process: Process | undefined, what: string) => void = () => undefined;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get events(): number {
    return this.#events;
  }

  /** 8 hex digits over every event and note so far: equal for equal runs. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  /** Mixes something into the hash that an event's name does not say. */
  note(what: string | Uint8Array): void {
    this.#mix(crc32(what));
  }

  /** Runs `run` at `atMs`, or at once after what is due now; the result cancels it. */
  at(atMs: number, process: Process | undefined, what: string, run: () => void): () => void {
    const dueMs = Math.max(atMs, this.#nowMs);
    const event: Event = {
      atMs: dueMs,
      sequence: ++this.#sequence,
      process,
      what,
      run,
      cancelled: false,
    };
    push(this.#heap, event);
    return () => {
      event.cancelled = true;
    };
  }

  after(delayMs: number, process: Process | undefined, what: string, run: () => void): () => void {
    return this.at(this.#nowMs + delayMs, process, what, run);
  }

  /** Resolves after `delayMs`; never, if the process dies before. */
  sleep(delayMs: number, process: Process | undefined, what: string): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, process, what, resolve);
    });
  }

  /** Runs events up to `untilMs`, or until `done` holds. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    await atRest();
    while (!done()) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return;
      }
      pop(this.#heap);
      if (next.cancelled || next.process?.alive === false) continue;
      this.#nowMs = next.atMs;
      if (next.process !== undefined && next.process.pausedUntilMs > next.atMs) {
        this.#postpone(next, next.process.pausedUntilMs);
        continue;
      }
      this.#begin(next);
      next.run();
      await atRest();
      this.settled(next.process, next.what);
      if (this.#events % EVENTS_PER_HOST_TURN === 0) await hostTurn();
    }
  }

  #begin(event: Event): void {
    this.#events++;
    this.#mix(Math.round(event.atMs * 1e3) | 0);
    this.#mix(this.#digest(event.what));
    this.observe?.(event.atMs, event.what);
  }

  /** Names are few and come again. */
  #digest(what: string): number {
    let digest = this.#digests.get(what);
    if (digest === undefined) {
      digest = crc32(what);
      this.#digests.set(what, digest);
    }
    return digest;
  }

  /** What a stopped process would have done waits in the order it fell due. It may still be cancelled meanwhile. */
  #postpone(event: Event, untilMs: number): void {
    const { process, what } = event;
    const later: Event = {
      atMs: untilMs,
      sequence: ++this.#sequence,
      process,
      what,
      run() {
        if (!event.cancelled) event.run();
      },
      cancelled: false,
    };
    push(this.#heap, later);
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
    this.#hash ^= this.#hash >>> 15;
  }
}

const before = (a: Event, b: Event): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >>> 1;
    const above = heap[parent];
    if (above === undefined || !before(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    let least = heap[child];
    if (least === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && before(right, least)) {
      least = right;
      child++;
    }
    if (!before(least, last)) break;
    heap[at] = least;
    at = child;
  }
  heap[at] = last;
}
