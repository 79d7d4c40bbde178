// What this node says of itself to load balancers: caught up, knows a leader, is stopping.
import type { Clock } from './ports.ts';

export interface HealthHost {
  readonly clock: Clock;
  /** The log is replayed. */
  readonly running: () => boolean;
  readonly leaderId: () => string;
  /** A quorum round has been confirmed and its index applied here: this node had all that was committed by then. */
  readonly freshOnce: () => boolean;
  /** Asks for such a round. */
  readonly refresh: () => void;
}

/** Without any leader for so long, what this node has replayed is all it can have. */
const LEADERLESS_MS = 2000;

export class Health {
  readonly #host: HealthHost;
  readonly #listeners = new Set<() => void>();
  #leaderlessSinceMs: number | undefined;
  #caughtUp = false;
  #stopping = false;
  #told = '';

  constructor(host: HealthHost) {
    this.#host = host;
    this.#told = this.#summary();
  }

  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tick(): void {
    if (!this.#caughtUp && this.#host.running()) this.#catchUp();
    this.changed();
  }

  stop(): void {
    this.#stopping = true;
    this.changed();
  }

  /** Tells the listeners if anything they can see has changed. */
  changed(): void {
    const summary = this.#summary();
    if (summary === this.#told) return;
    this.#told = summary;
    for (const listener of this.#listeners) listener();
  }

  #catchUp(): void {
    const now = this.#host.clock.now();
    if (this.#host.leaderId() !== '') this.#leaderlessSinceMs = undefined;
    else this.#leaderlessSinceMs ??= now;
    const alone =
      this.#leaderlessSinceMs !== undefined && now - this.#leaderlessSinceMs >= LEADERLESS_MS;
    if (this.#host.freshOnce() || alone) this.#caughtUp = true;
    else this.#host.refresh();
  }

  #summary(): string {
    return `${this.#caughtUp} ${this.#stopping} ${this.#host.leaderId()}`;
  }
}
