// Quorum rounds (ReadIndex, dissertation 6.4). Everyone who asks within one turn shares one round, and is answered once
// the index it named is applied here. A round that was begun is never reused for someone who asks later.
import type { LogIndex } from '../lib/ids.ts';
import type { ReadConfirmed, Rejected, Token } from '../raft/index.ts';

export type RoundOutcome =
  /** A quorum confirmed the leader after `begunMs`, and all that was acknowledged before it is applied here. */
  { readonly kind: 'confirmed'; readonly begunMs: number } | { readonly kind: 'failed' };

type Done = (outcome: RoundOutcome) => void;
interface Round {
  readonly begunMs: number;
  readonly waiting: readonly Done[];
}
interface ConfirmedRound extends Round {
  readonly index: LogIndex;
}

/** Rounds under way at most; whoever asks beyond waits for one of them to end and shares the next. */
const MAX_UNDER_WAY = 64;

export interface RoundsOptions {
  readonly nextToken: () => Token;
  readonly wake: () => void;
  /** A round without an answer for so long has lost its messages: its callers are told to ask again. */
  readonly unansweredMs: number;
}

export class Rounds {
  readonly #options: RoundsOptions;
  readonly #underWay = new Map<Token, Round>();
  #gathering: Done[] = [];
  #unapplied: ConfirmedRound[] = [];
  #appliedIndex = 0;
  #freshMs: number | undefined;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Waits for a round that begins after this call. Calls back exactly once. */
  join(done: Done): void {
    this.#gathering.push(done);
    this.#options.wake();
  }

  /** Begins a round if somebody waits for one: its token, for the core. */
  begin(nowMs: number): Token | undefined {
    if (this.#gathering.length === 0 || this.#underWay.size >= MAX_UNDER_WAY) return undefined;
    const token = this.#options.nextToken();
    this.#underWay.set(token, { begunMs: nowMs, waiting: this.#gathering });
    this.#gathering = [];
    return token;
  }

  confirmed(reads: readonly ReadConfirmed[]): void {
    for (const { token, index } of reads) {
      const round = this.#underWay.get(token);
      this.#underWay.delete(token);
      // Given up on: the answer came too late to be of use.
      if (round === undefined) continue;
      if (index <= this.#appliedIndex) this.#conclude(round);
      else this.#unapplied.push({ ...round, index });
    }
  }

  rejected({ token }: Rejected): void {
    const round = this.#underWay.get(token);
    if (round === undefined) return;
    this.#underWay.delete(token);
    fail(round);
  }

  /** Everything up to `index` is applied here. */
  applied(index: LogIndex): void {
    this.#appliedIndex = index;
    if (this.#unapplied.length === 0) return;
    const ready = this.#unapplied.filter((round) => round.index <= index);
    this.#unapplied = this.#unapplied.filter((round) => round.index > index);
    for (const round of ready) this.#conclude(round);
  }

  /** Gives up rounds that nobody answers. */
  tick(nowMs: number): void {
    for (const [token, round] of this.#underWay) {
      // In the order they began, so the first young one ends the walk.
      if (round.begunMs + this.#options.unansweredMs > nowMs) break;
      this.#underWay.delete(token);
      fail(round);
    }
  }

  /** Fails everything under way and waiting. */
  failAll(): void {
    const waiting = this.#gathering;
    const rounds = [...this.#underWay.values(), ...this.#unapplied, { begunMs: 0, waiting }];
    this.#underWay.clear();
    this.#unapplied = [];
    this.#gathering = [];
    for (const round of rounds) fail(round);
  }

  /** When the freshest round began whose index is applied here; undefined: none yet. */
  get freshMs(): number | undefined {
    return this.#freshMs;
  }

  #conclude(round: Round): void {
    this.#freshMs = Math.max(this.#freshMs ?? round.begunMs, round.begunMs);
    for (const done of round.waiting) done({ kind: 'confirmed', begunMs: round.begunMs });
  }
}

function fail(round: Round): void {
  for (const done of round.waiting) done({ kind: 'failed' });
}
