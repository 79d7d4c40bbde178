// The term of every entry after the floor, as one run per term: what raft is given at start, what a read is checked
// against, and what an append is checked with before it is written.
import { assert, present } from '../../lib/assert.ts';
import { logIndex, type LogIndex, type Term } from '../../lib/ids.ts';
import type { TermRun } from '../../raft/index.ts';

/** A point of the log. Term 0: not known, or none. */
export interface LogPoint {
  readonly index: LogIndex;
  readonly term: Term;
}

export class TermRuns {
  readonly #runs: TermRun[];
  #floor: LogPoint;
  #lastIndex: number;

  /** `runs` cover the entries from the floor on up to `lastIndex`. */
  constructor(floor: LogPoint, runs: readonly TermRun[], lastIndex: LogIndex) {
    this.#runs = [...runs];
    this.#floor = floor;
    this.#lastIndex = lastIndex;
  }

  /** Nothing is known of the entries below. */
  get floor(): LogPoint {
    return this.#floor;
  }

  get lastIndex(): LogIndex {
    return logIndex(this.#lastIndex);
  }

  /** Ascending; a copy. */
  get all(): readonly TermRun[] {
    return [...this.#runs];
  }

  /** Drops every entry after `after`. */
  truncate(after: LogIndex): void {
    assert(
      after >= this.#floor.index && after <= this.#lastIndex,
      'a truncation cuts inside the log',
    );
    this.#lastIndex = after;
    while ((this.#runs.at(-1)?.firstIndex ?? 0) > after) this.#runs.pop();
  }

  append(index: LogIndex, entryTerm: Term): void {
    assert(index === this.#lastIndex + 1, 'entries follow each other without a gap');
    const lastTerm = this.#runs.at(-1)?.term ?? this.#floor.term;
    assert(entryTerm >= lastTerm && entryTerm > 0, 'terms never fall along the log');
    if (this.#runs.length === 0 || entryTerm !== lastTerm) {
      this.#runs.push({ firstIndex: index, term: entryTerm });
    }
    this.#lastIndex = index;
  }

  /** True when the log has this point: an entry of this index and term, or its floor. */
  has({ index, term }: LogPoint): boolean {
    if (index < this.#floor.index || index > this.#lastIndex) return false;
    return term === (index === this.#floor.index ? this.#floor.term : this.#termAt(index));
  }

  /** Forgets the entries up to `floor`, which the log has. */
  raise(floor: LogPoint): void {
    assert(
      floor.index >= this.#floor.index && floor.index <= this.#lastIndex,
      'a floor is in the log',
    );
    this.#floor = floor;
    let gone = 0;
    while ((this.#runs[gone + 1]?.firstIndex ?? Infinity) <= floor.index + 1) gone++;
    this.#runs.splice(0, floor.index === this.#lastIndex ? this.#runs.length : gone);
    const first = this.#runs[0];
    if (first === undefined) return;
    const firstIndex = logIndex(floor.index + 1);
    if (first.firstIndex < firstIndex) this.#runs[0] = { ...first, firstIndex };
  }

  /** Forgets everything; the log goes on after `floor`. */
  restart(floor: LogPoint): void {
    this.#floor = floor;
    this.#runs.length = 0;
    this.#lastIndex = floor.index;
  }

  /** The runs that cover [from, to]: from the one that holds `from` to the last that begins by `to`. */
  within(from: LogIndex, to: LogIndex): readonly TermRun[] {
    const low = this.#runAt(from);
    let end = low;
    while ((this.#runs[end]?.firstIndex ?? Infinity) <= to) end++;
    return this.#runs.slice(low, end);
  }

  #termAt(index: LogIndex): Term {
    return present(this.#runs[this.#runAt(index)], 'a run covers each entry').term;
  }

  #runAt(index: LogIndex): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (present(this.#runs[middle], 'a run').firstIndex <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
