// Where each entry of the log lies on disk, and the term of each: 20 bytes per frame that holds entries, and one run per
// term. Truncation and the floor are logical: they only shorten these tables.
import { assert, present } from '../../lib/assert.ts';
import { logIndex, type LogIndex, type Term } from '../../lib/ids.ts';
import { sectorBytes } from './frame.ts';
import { type LogPoint, TermRuns } from './term-runs.ts';

/** A frame's place: sectors are counted through all segments the log has had since it was opened. */
export interface FrameRef {
  readonly sector: number;
  readonly sectors: number;
}

/** A frame and the last of its entries that still holds; later ones of the frame were truncated. */
export interface LocatedFrame extends FrameRef {
  readonly lastIndex: LogIndex;
}

const minCapacity = 64;

export class EntryMap {
  // Parallel columns, in use from #head to #end; frame i holds [firstIndexes[i], firstIndexes[i + 1]), or up to the last
  // index, and of the first frame only what is after the floor.
  #firstIndexes = new Float64Array(minCapacity);
  #sectors = new Float64Array(minCapacity);
  #lengths = new Uint32Array(minCapacity);
  #head = 0;
  #end = 0;
  readonly runs: TermRuns;

  constructor(floor: LogPoint) {
    this.runs = new TermRuns(floor, [], floor.index);
  }

  get floor(): LogPoint {
    return this.runs.floor;
  }

  get lastIndex(): LogIndex {
    return this.runs.lastIndex;
  }

  /** Drops every entry after `after`. */
  truncate(after: LogIndex): void {
    this.runs.truncate(after);
    // The first frame may begin below the floor.
    if (after === this.floor.index) this.#end = this.#head;
    while (this.#end > this.#head && this.#firstAt(this.#end - 1) > after) this.#end--;
  }

  /** Forgets the entries up to `floor`, which the log has. */
  raise(floor: LogPoint): void {
    this.runs.raise(floor);
    if (floor.index === this.lastIndex) this.#head = this.#end;
    while (this.#head + 1 < this.#end && this.#firstAt(this.#head + 1) <= floor.index + 1) {
      this.#head++;
    }
    if ((this.#end - this.#head) * 4 < this.#sectors.length) this.#fit();
  }

  /** Forgets everything; the log goes on after `floor`. */
  restart(floor: LogPoint): void {
    this.runs.restart(floor);
    this.#head = this.#end;
    this.#fit();
  }

  /** The sector of the first frame that holds an entry after the floor; undefined when there is no such entry. */
  get firstSector(): number | undefined {
    return this.#head === this.#end ? undefined : this.#sectors[this.#head];
  }

  /** Adds one entry that lies in `frame`. Entries of one frame come one after the other. */
  append(index: LogIndex, entryTerm: Term, frame: FrameRef): void {
    this.runs.append(index, entryTerm);
    if (this.#head === this.#end || this.#sectors[this.#end - 1] !== frame.sector) {
      this.#push(index, frame);
    }
  }

  /** The frames that hold [from, to], in order, cut once they are `maxBytes` long together; at least one. */
  locate(from: LogIndex, to: LogIndex, maxBytes: number): readonly LocatedFrame[] {
    assert(
      from > this.floor.index && from <= to && to <= this.lastIndex,
      'the range is in the log, after its floor',
    );
    let low = this.#head;
    let high = this.#end - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#firstAt(middle) <= from) low = middle;
      else high = middle - 1;
    }
    const refs: LocatedFrame[] = [];
    let bytes = 0;
    for (let at = low; at < this.#end && this.#firstAt(at) <= to; at++) {
      const sectors = present(this.#lengths[at], 'a frame');
      const sector = present(this.#sectors[at], 'a frame');
      const last = at + 1 < this.#end ? this.#firstAt(at + 1) - 1 : this.lastIndex;
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
    if (this.#end === this.#sectors.length) this.#fit();
    this.#firstIndexes[this.#end] = index;
    this.#sectors[this.#end] = frame.sector;
    this.#lengths[this.#end] = frame.sectors;
    this.#end++;
  }

  /** Moves what is in use to the front of tables half as large again. By half: a table of 10 million frames (200 MB) then
   * wastes at most 100 MB, not 200. */
  #fit(): void {
    const count = this.#end - this.#head;
    const capacity = Math.max(minCapacity, Math.ceil(count * 1.5));
    const firstIndexes = new Float64Array(capacity);
    const sectors = new Float64Array(capacity);
    const lengths = new Uint32Array(capacity);
    firstIndexes.set(this.#firstIndexes.subarray(this.#head, this.#end));
    sectors.set(this.#sectors.subarray(this.#head, this.#end));
    lengths.set(this.#lengths.subarray(this.#head, this.#end));
    this.#firstIndexes = firstIndexes;
    this.#sectors = sectors;
    this.#lengths = lengths;
    this.#head = 0;
    this.#end = count;
  }
}
