// Where each entry of the log lies on disk, and the term of each: 16 bytes per frame that holds entries, and one run per
// term. Truncation is logical: it only shortens these tables.
import { assert, present } from '../../lib/assert.ts';
import { logIndex, type LogIndex, type Term } from '../../lib/ids.ts';
import { sectorBytes } from './frame.ts';
import { TermRuns } from './term-runs.ts';

/** A frame's place: sectors are counted through all segments of the log. */
export interface FrameRef {
  readonly sector: number;
  readonly sectors: number;
}

/** A frame and the last of its entries that still holds; later ones of the frame were truncated. */
export interface LocatedFrame extends FrameRef {
  readonly lastIndex: LogIndex;
}

/** Sector numbers are kept in 32 bits: 2 TiB of log. */
const maxSectors = 0xffffffff;

export class EntryMap {
  // Parallel columns; the live range of frame i is [firstIndexes[i], firstIndexes[i + 1]) or up to the last index.
  #firstIndexes = new Float64Array(64);
  #sectors = new Uint32Array(64);
  #lengths = new Uint32Array(64);
  #count = 0;
  readonly runs = new TermRuns();

  get lastIndex(): LogIndex {
    return this.runs.lastIndex;
  }

  /** Drops every entry after `after`. */
  truncate(after: LogIndex): void {
    this.runs.truncate(after);
    while (this.#count > 0 && this.#firstAt(this.#count - 1) > after) this.#count--;
  }

  /** Adds one entry that lies in `frame`. Entries of one frame come one after the other. */
  append(index: LogIndex, entryTerm: Term, frame: FrameRef): void {
    this.runs.append(index, entryTerm);
    if (this.#count === 0 || this.#sectors[this.#count - 1] !== frame.sector) {
      this.#push(index, frame);
    }
  }

  /** The frames that hold [from, to], in order, cut once they are `maxBytes` long together; at least one. */
  locate(from: LogIndex, to: LogIndex, maxBytes: number): readonly LocatedFrame[] {
    assert(from >= 1 && from <= to && to <= this.lastIndex, 'the range is in the log');
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#firstAt(middle) <= from) low = middle;
      else high = middle - 1;
    }
    const refs: LocatedFrame[] = [];
    let bytes = 0;
    for (let at = low; at < this.#count && this.#firstAt(at) <= to; at++) {
      const sectors = present(this.#lengths[at], 'a frame');
      const sector = present(this.#sectors[at], 'a frame');
      const last = at + 1 < this.#count ? this.#firstAt(at + 1) - 1 : this.lastIndex;
      refs.push({ sector, sectors, lastIndex: logIndex(last) });
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
