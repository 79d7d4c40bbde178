// Permits to read the catalogue (docs/adr/0008): linearizable after a quorum round, bounded while the last round
// is young enough, stale at once. A permit is good for the turn of the event loop it is given in.
import { type ErrorCode, RegistryError } from '../lib/registry-error.ts';
import type { Registry } from '../registry/index.ts';
import type { Clock } from './ports.ts';
import type { ReadOptions, ReadPermit } from './registry-node.ts';
import type { RoundOutcome } from './rounds.ts';

export interface ReadsHost {
  readonly clock: Clock;
  readonly registry: Pick<Registry, 'revision'>;
  /** False while the log is being replayed or there is no cluster yet. */
  readonly running: () => boolean;
  readonly joinRound: (done: (outcome: RoundOutcome) => void) => void;
  /** When the freshest applied round began. */
  readonly freshMs: () => number | undefined;
  readonly noQuorumReason: () => string;
}

interface Reader {
  readonly options: ReadOptions;
  /** When to stop waiting for a quorum, and for minRevision. */
  quorumByMs: number;
  readonly revisionByMs: number;
  stage: 'round' | 'retry' | 'revision';
  retryAtMs: number;
  /** Set once a round has confirmed this very read. */
  begunMs: number | undefined;
  readonly resolve: (permit: ReadPermit) => void;
  readonly reject: (error: RegistryError) => void;
}

const QUORUM_MS = 2000;
const REVISION_MS = 10_000;
const RETRY_MS = 20;
/** A stale read older than this makes the node ask for a round in the background, so that ages stay small. */
const REFRESH_MS = 500;
/** How long after the last bounded read freshness is still renewed, and how often at most. */
const RENEW_FOR_MS = 5000;
const MIN_RENEW_MS = 20;
const UNKNOWN_AGE = 4_294_967_295;
const MAX_READERS = 100_000;

export class Reads {
  readonly #host: ReadsHost;
  readonly #readers = new Set<Reader>();
  readonly #retrying = new Set<Reader>();
  readonly #awaitingRevision = new Set<Reader>();
  #refreshing = false;
  /** Bounded reads were asked for lately: until when, and at which age, the freshness is renewed. */
  #renewUntilMs = Number.NEGATIVE_INFINITY;
  #renewAgeMs = 0;

  constructor(host: ReadsHost) {
    this.#host = host;
  }

  read(options: ReadOptions): Promise<ReadPermit> {
    if (this.#readers.size >= MAX_READERS) {
      const message = `reads waiting on this node, limit ${MAX_READERS}`;
      return Promise.reject(new RegistryError('resourceExhausted', message, { retryAfterMs: 100 }));
    }
    return new Promise((resolve, reject) => {
      const now = this.#host.clock.now();
      const deadline = options.deadline ?? Number.POSITIVE_INFINITY;
      const reader: Reader = {
        options,
        quorumByMs: this.#quorumBy(options),
        revisionByMs: Math.min(deadline, now + REVISION_MS),
        stage: 'round',
        retryAtMs: 0,
        begunMs: undefined,
        resolve,
        reject,
      };
      this.#readers.add(reader);
      const forget = (): void => this.#fail(reader, 'noQuorum', 'the caller went away');
      options.signal?.addEventListener('abort', forget, { once: true });
      if (options.signal?.aborted === true) forget();
      else this.#start(reader, now);
    });
  }

  /** New entries were applied: readers that wait for a revision may go on. */
  applied(): void {
    for (const reader of this.#awaitingRevision) this.#permit(reader);
  }

  /** Another node leads: whoever waits for the next try has it now. */
  leaderChanged(): void {
    // Who cannot be served yet goes back into the set at once: a walk over the set itself would never end.
    const waiting = [...this.#retrying];
    for (const reader of waiting) this.#ask(reader);
  }

  /** Time-outs and further tries. */
  tick(): void {
    const now = this.#host.clock.now();
    this.#renew(now);
    for (const reader of this.#retrying) if (reader.retryAtMs <= now) this.#ask(reader);
    for (const reader of this.#readers) {
      if (reader.stage === 'revision') {
        if (now >= reader.revisionByMs) this.#fail(reader, 'behind', this.#behind(reader));
      } else if (now >= reader.quorumByMs) {
        this.#fail(reader, 'noQuorum', this.#host.noQuorumReason());
      }
    }
  }

  /** Asks for a round nobody waits for, so that this node learns how fresh it is. */
  refresh(): void {
    if (this.#refreshing || !this.#host.running()) return;
    this.#refreshing = true;
    this.#host.joinRound(() => {
      this.#refreshing = false;
    });
  }

  failAll(code: ErrorCode, message: string): void {
    for (const reader of this.#readers) this.#fail(reader, code, message);
  }

  #start(reader: Reader, now: number): void {
    // A node outside any cluster, or one that still replays its log, has nothing to show, not even something stale: a
    // watch that waited here for the token's revision would wait for ever.
    if (!this.#host.running()) return this.#ask(reader);
    const { consistency, maxStalenessMs } = reader.options;
    const ageMs = this.#freshAgeMs(now);
    if (consistency === 'bounded') this.#bounded(maxStalenessMs, now);
    if (consistency === 'stale') {
      if (ageMs > REFRESH_MS) this.refresh();
      this.#permit(reader);
    } else if (consistency === 'bounded' && ageMs <= maxStalenessMs) {
      this.#permit(reader);
    } else {
      this.#ask(reader);
    }
  }

  /** For a while after a bounded read, freshness is renewed before it runs out, so that the next one need not wait. */
  #bounded(maxStalenessMs: number, now: number): void {
    const over = now >= this.#renewUntilMs;
    const tightest = over ? maxStalenessMs : Math.min(this.#renewAgeMs * 2, maxStalenessMs);
    this.#renewAgeMs = Math.max(MIN_RENEW_MS, tightest / 2);
    this.#renewUntilMs = now + RENEW_FOR_MS;
  }

  #renew(now: number): void {
    if (now < this.#renewUntilMs && this.#freshAgeMs(now) >= this.#renewAgeMs) this.refresh();
  }

  #freshAgeMs(now: number): number {
    const fresh = this.#host.freshMs();
    return fresh === undefined ? Number.POSITIVE_INFINITY : now - fresh;
  }

  #ask(reader: Reader): void {
    this.#retrying.delete(reader);
    reader.stage = 'round';
    if (!this.#host.running()) return this.#retry(reader);
    this.#host.joinRound((outcome) => {
      if (!this.#readers.has(reader)) return;
      if (outcome.kind === 'failed') return this.#retry(reader);
      reader.begunMs = outcome.begunMs;
      this.#permit(reader);
    });
  }

  #retry(reader: Reader): void {
    reader.stage = 'retry';
    reader.retryAtMs = this.#host.clock.now() + RETRY_MS;
    this.#retrying.add(reader);
  }

  /** Only the revision is left to wait for. */
  #permit(reader: Reader): void {
    if (this.#host.registry.revision < reader.options.minRevision) {
      reader.stage = 'revision';
      this.#awaitingRevision.add(reader);
      return;
    }
    // What was fresh enough when the wait for the revision began may no longer be.
    if (reader.stage === 'revision' && this.#outlivedItsBound(reader)) {
      this.#awaitingRevision.delete(reader);
      reader.quorumByMs = this.#quorumBy(reader.options);
      return this.#ask(reader);
    }
    this.#forget(reader);
    reader.resolve({ ageMs: this.#ageMs(reader) });
  }

  #outlivedItsBound(reader: Reader): boolean {
    const { consistency, maxStalenessMs } = reader.options;
    return consistency === 'bounded' && this.#ageMs(reader) > maxStalenessMs;
  }

  /** When a reader that asks for a quorum now stops waiting for it. */
  #quorumBy({ deadline = Number.POSITIVE_INFINITY }: ReadOptions): number {
    return Math.min(deadline, this.#host.clock.now() + QUORUM_MS);
  }

  #ageMs(reader: Reader): number {
    if (reader.options.consistency === 'linearizable') return 0;
    // What was confirmed for this reader counts, and so does what others have confirmed since.
    const begun = Math.max(
      reader.begunMs ?? Number.NEGATIVE_INFINITY,
      this.#host.freshMs() ?? Number.NEGATIVE_INFINITY,
    );
    return Math.min(UNKNOWN_AGE, Math.ceil(this.#host.clock.now() - begun));
  }

  #behind(reader: Reader): string {
    const { revision } = this.#host.registry;
    return `this node is at revision ${revision} and has not reached ${reader.options.minRevision} in time`;
  }

  #fail(reader: Reader, code: ErrorCode, message: string): void {
    if (!this.#readers.has(reader)) return;
    this.#forget(reader);
    reader.reject(new RegistryError(code, message));
  }

  #forget(reader: Reader): void {
    this.#readers.delete(reader);
    this.#retrying.delete(reader);
    this.#awaitingRevision.delete(reader);
  }
}
