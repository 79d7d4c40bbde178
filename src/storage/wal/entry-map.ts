// Where each entry of the log lies on disk, and the term of each: 16 bytes per frame that holds entries, and one run per
// term. Truncation is logical: it only shortens these tables.
import { assert, present } from '../../lib/assert.ts';
import { logIndex, type LogIndex, type Term } from '../../lib/ids.ts';
import type { TermRun } from '../../raft/index.ts';
import { sectorBytes } from './frame.ts';

/** A frame's place: sectors are counted through all segments of the log. */
export interface FrameRef {
  readonly sector: number;
  readonly sectors: number;
}

/** Sector numbers are kept in 32 bits: 2 TiB of log. */
export const maxSectors = 0xffffffff;

export class EntryMap {
  // Parallel columns; the live range of frame i is [firstIndexes[i], firstIndexes[i + 1]) or up to the last index.
  #firstIndexes = new Float64Array(64);
  #sectors = new Uint32Array(64);
  #lengths = new Uint32Array(64);
  #count = 0;
  #lastIndex = 0;
  readonly #runs: TermRun[] = [];

  get lastIndex(): LogIndex {
    return logIndex(this.#lastIndex);
  }

  /** Ascending; a copy. */
  get runs(): readonly TermRun[] {
    return [...this.#runs];
  }

  /** Drops every entry after `after`. */
  truncate(after: LogIndex): void {
    assert(after <= this.#lastIndex, 'a truncation cuts inside the log');
    this.#lastIndex = after;
    while (this.#count > 0 && this.#firstAt(this.#count - 1) > after) this.#count--;
    while ((this.#runs.at(-1)?.firstIndex ?? 0) > after) this.#runs.pop();
  }

  /** Adds one entry that lies in `frame`. Entries of one frame come one after the other. */
  append(index: LogIndex, entryTerm: Term, frame: FrameRef): void {
    assert(index === this.#lastIndex + 1, 'entries follow each other without a gap');
    const lastTerm = this.#runs.at(-1)?.term ?? 0;
    assert(entryTerm >= lastTerm, 'terms never fall along the log');
    if (entryTerm !== lastTerm) this.#runs.push({ firstIndex: index, term: entryTerm });
    this.#lastIndex = index;
    if (this.#count === 0 || this.#sectors[this.#count - 1] !== frame.sector) {
      this.#push(index, frame);
    }
  }

  termAt(index: LogIndex): Term {
    assert(index >= 1 && index <= this.#lastIndex, 'the index is in the log');
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (present(this.#runs[middle], 'a run').firstIndex <= index) low = middle;
      else high = middle - 1;
    }
    return present(this.#runs[low], 'a run').term;
  }

  /** The runs that cover [from, to]. */
  runsWithin(from: LogIndex, to: LogIndex): readonly TermRun[] {
    return this.#runs.filter(
      (run, at) => run.firstIndex <= to && (this.#runs[at + 1]?.firstIndex ?? Infinity) > from,
    );
  }

  /** The frames that hold [from, to], in order, cut once they are `maxBytes` long together; at least one. */
  locate(from: LogIndex, to: LogIndex, maxBytes: number): readonly FrameRef[] {
    assert(from >= 1 && from <= to && to <= this.#lastIndex, 'the range is in the log');
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#firstAt(middle) <= from) low = middle;
      else high = middle - 1;
    }
    const refs: FrameRef[] = [];
    let bytes = 0;
    for (let at = low; at < this.#count && this.#firstAt(at) <= to; at++) {
      const sectors = present(this.#lengths[at], 'a frame');
      refs.push({ sector: present(this.#sectors[at], 'a frame'), sectors });
      bytes += sectors * sectorBytes;
      if (bytes >= maxBytes) break;
    }
    return refs;
  }

  #firstAt(at: number): number {
    return present(this.#firstIndexes[at], 'a frame of the map');
  }

  #push(index: LogIndex, frame: FrameRef): void {
    assert(frame.sector + frame.sectors <= maxSectors, 'the log is shorter than 2 TiB');
    if (this.#count === this.#sectors.length) this.#grow();
    this.#firstIndexes[this.#count] = index;
    this.#sectors[this.#count] = frame.sector;
    this.#lengths[this.#count] = frame.sectors;
    this.#count++;
  }

  #grow(): void {
    // By half: a table of 10 million frames (160 MB) then wastes at most 80 MB, not 160.
    const size = Math.ceil(this.#count * 1.5);
    const firstIndexes = new Float64Array(size);
    const sectors = new Uint32Array(size);
    const lengths = new Uint32Array(size);
    firstIndexes.set(this.#firstIndexes);
    sectors.set(this.#sectors);
    lengths.set(this.#lengths);
    this.#firstIndexes = firstIndexes;
    this.#sectors = sectors;
    this.#lengths = lengths;
  }
}
