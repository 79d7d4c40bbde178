// How much room this node's data takes, for Status: measured now and then, because asking means walking a directory.
import type { Clock, LogStore, StateStore } from './ports.ts';

export interface DiskUseHost {
  readonly clock: Clock;
  readonly logStore: Pick<LogStore, 'bytes'>;
  readonly stateStore: Pick<StateStore, 'bytes'>;
}

const INTERVAL_MS = 5000;

export class DiskUse {
  readonly #host: DiskUseHost;
  #measuredMs = Number.NEGATIVE_INFINITY;
  #measuring = false;
  /** Of the state store, as last measured; 0 before the first time. */
  stateBytes = 0;

  constructor(host: DiskUseHost) {
    this.#host = host;
  }

  get logBytes(): number {
    return this.#host.logStore.bytes;
  }

  tick(nowMs: number): void {
    if (this.#measuring || nowMs < this.#measuredMs + INTERVAL_MS) return;
    this.#measuring = true;
    this.#measuredMs = nowMs;
    const done = (bytes: number): void => {
      this.stateBytes = bytes;
      this.#measuring = false;
    };
    // A directory that is being changed, or closed, can defy being measured: the last figure stays.
    this.#host.stateStore.bytes().then(done, () => done(this.stateBytes));
  }
}
