// The recent past, shared by all readers of a node: change groups with the values before and after, so that any state in
// reach can be rebuilt. Old groups go when there are too many changes or too many bytes of them.
import { assert } from '../lib/assert.ts';
import { type Revision, nextRevision, revision } from '../lib/ids.ts';
import type { ChangeGroup } from '../registry/index.ts';

export interface WatchRingOptions {
  /** The registry's revision when the ring begins: the oldest state it can rebuild at first. */
  readonly floor: Revision;
  /** Changes kept at most; a group counts as many as it has. The newest group stays in any case. */
  readonly maxChanges: number;
  /** Bytes of records kept alive by the ring at most. */
  readonly maxBytes: number;
}

/** Rough cost of a change beside its records. */
const CHANGE_OVERHEAD_BYTES = 200;
/** Dropped groups leave a gap at the front of the array, which is closed when it is this long and half of it. */
const COMPACT_AT = 1024;

/** Groups (floor, last], one per revision without a gap. */
export class WatchRing {
  readonly #options: WatchRingOptions;
  #groups: (ChangeGroup | undefined)[] = [];
  /** Position of the oldest group in the array. */
  #head = 0;
  #floor: Revision;
  #changes = 0;
  #bytes = 0;

  constructor(options: WatchRingOptions) {
    this.#options = options;
    this.#floor = options.floor;
  }

  /** The oldest revision whose state can be rebuilt. */
  get floor(): Revision {
    return this.#floor;
  }

  get last(): Revision {
    return revision(this.#floor + this.#groups.length - this.#head);
  }

  push(group: ChangeGroup): void {
    assert(
      group.revision === this.last + 1,
      'change groups are published in the order of their revisions',
    );
    this.#groups.push(group);
    this.#changes += group.changes.length;
    this.#bytes += sizeOf(group);
    const { maxChanges, maxBytes } = this.#options;
    while (this.#changes > maxChanges || this.#bytes > maxBytes) {
      if (this.#groups.length - this.#head === 1) break;
      this.#dropOldest();
    }
  }

  /** Forgets all groups: the registry stands at `floor` now, and how it came there is not known. */
  restart(floor: Revision): void {
    assert(floor >= this.last, 'the registry never goes back');
    this.#floor = floor;
    this.#groups = [];
    this.#head = 0;
    this.#changes = 0;
    this.#bytes = 0;
  }

  /** undefined outside (floor, last]. */
  at(wanted: Revision): ChangeGroup | undefined {
    if (wanted <= this.#floor) return undefined;
    return this.#groups[this.#head + wanted - this.#floor - 1];
  }

  /** All groups above `wanted`, oldest first; undefined when that state cannot be rebuilt, or is not reached yet. */
  above(wanted: Revision): readonly ChangeGroup[] | undefined {
    if (wanted < this.#floor || wanted > this.last) return undefined;
    const groups = this.#groups.slice(this.#head + wanted - this.#floor);
    return groups.filter((group) => group !== undefined);
  }

  #dropOldest(): void {
    const oldest = this.#groups[this.#head];
    assert(oldest !== undefined, 'the ring has a group at its head');
    this.#groups[this.#head] = undefined;
    this.#head++;
    this.#floor = nextRevision(this.#floor);
    this.#changes -= oldest.changes.length;
    this.#bytes -= sizeOf(oldest);
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#groups.length) {
      this.#groups = this.#groups.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** A record is kept alive by the change that ended it; the newest ones are the catalogue's anyway. */
function sizeOf(group: ChangeGroup): number {
  let bytes = 0;
  for (const { before, reason, actor } of group.changes) {
    bytes += (before?.encoded.length ?? 0) + reason.length + actor.length + CHANGE_OVERHEAD_BYTES;
  }
  return bytes;
}
