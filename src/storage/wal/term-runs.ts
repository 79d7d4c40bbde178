// The term of every entry, as one run per term: what raft is given at start, what a read is checked against, and what an
// append is checked with before it is written.
import { assert, present } from '../../lib/assert.ts';
import { logIndex, type LogIndex, type Term } from '../../lib/ids.ts';
import type { TermRun } from '../../raft/index.ts';

export class TermRuns {
  readonly #runs: TermRun[];
  #lastIndex: number;

  constructor(runs: readonly TermRun[] = [], lastIndex = 0) {
    this.#runs = [...runs];
    this.#lastIndex = lastIndex;
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
    assert(after <= this.#lastIndex, 'a truncation cuts inside the log');
    this.#lastIndex = after;
    while ((this.#runs.at(-1)?.firstIndex ?? 0) > after) this.#runs.pop();
  }

  append(index: LogIndex, entryTerm: Term): void {
    assert(index === this.#lastIndex + 1, 'entries follow each other without a gap');
    const lastTerm = this.#runs.at(-1)?.term ?? 0;
    assert(entryTerm >= lastTerm && entryTerm > 0, 'terms never fall along the log');
    if (entryTerm !== lastTerm) this.#runs.push({ firstIndex: index, term: entryTerm });
    this.#lastIndex = index;
  }

  /** The runs that cover [from, to]: from the one that holds `from` to the last that begins by `to`. */
  within(from: LogIndex, to: LogIndex): readonly TermRun[] {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (present(this.#runs[middle], 'a run').firstIndex <= from) low = middle;
      else high = middle - 1;
    }
    let end = low;
    while ((this.#runs[end]?.firstIndex ?? Infinity) <= to) end++;
    return this.#runs.slice(low, end);
  }
}
