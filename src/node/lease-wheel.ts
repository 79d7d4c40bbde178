// A timing wheel over numbered slots. Setting a timer, moving it and taking it away cost O(1); there is no timer, no
// object and no allocation per lease. Times are lease time: monotonic milliseconds less the node's own pauses.

export interface LeaseWheelOptions {
  readonly startMs: number;
  /** Room for slots 0 to capacity - 1. */
  readonly capacity: number;
  /** Width of a bucket, the most by which a visit is late beside the caller's own rhythm. Default 50. */
  readonly bucketMs?: number;
  /** bucketMs x buckets is the horizon. Default 2048: 102 s, so that a 24 h lease is looked at only every 102 s. */
  readonly buckets?: number;
}

const NONE = -1;

/** Visits slots when their time has come. It knows numbers only; what a slot means is the lease table's. */
export class LeaseWheel {
  readonly #bucketMs: number;
  readonly #buckets: number;
  // Each bucket is a doubly linked list through the slots' own numbers.
  readonly #heads: Int32Array;
  #next: Int32Array;
  #previous: Int32Array;
  #bucketOf: Int32Array;
  // All buckets up to and including this one, counted since time 0, have been visited.
  #passed: number;

  constructor(options: LeaseWheelOptions) {
    this.#bucketMs = options.bucketMs ?? 50;
    this.#buckets = options.buckets ?? 2048;
    this.#heads = new Int32Array(this.#buckets).fill(NONE);
    this.#next = new Int32Array(options.capacity).fill(NONE);
    this.#previous = new Int32Array(options.capacity).fill(NONE);
    this.#bucketOf = new Int32Array(options.capacity).fill(NONE);
    this.#passed = Math.floor(options.startMs / this.#bucketMs);
  }

  /** Visits `slot` at the first `advance` at or after `atMs`, or earlier when that lies beyond the horizon: the visitor
   * re-arms it then. Moves the slot if it is armed already. */
  arm(slot: number, atMs: number): void {
    this.disarm(slot);
    // Rounded up: a bucket is visited once all times in it have come, so a visit within the horizon is never early.
    const wanted = Math.max(Math.ceil(atMs / this.#bucketMs), this.#passed + 1);
    const bucket = Math.min(wanted, this.#passed + this.#buckets - 1) % this.#buckets;
    const first = this.#heads[bucket] ?? NONE;
    this.#next[slot] = first;
    this.#previous[slot] = NONE;
    if (first !== NONE) this.#previous[first] = slot;
    this.#heads[bucket] = slot;
    this.#bucketOf[slot] = bucket;
  }

  /** Does nothing for a slot that is not armed. */
  disarm(slot: number): void {
    const bucket = this.#bucketOf[slot] ?? NONE;
    if (bucket === NONE) return;
    const after = this.#next[slot] ?? NONE;
    const before = this.#previous[slot] ?? NONE;
    if (before === NONE) this.#heads[bucket] = after;
    else this.#next[before] = after;
    if (after !== NONE) this.#previous[after] = before;
    this.#bucketOf[slot] = NONE;
  }

  /** Disarms and then visits every slot whose bucket has passed; `visit` may arm any slot again. Time never goes back. */
  advance(nowMs: number, visit: (slot: number) => void): void {
    const target = Math.floor(nowMs / this.#bucketMs);
    // After a long silence one turn of the wheel sees everything.
    this.#passed = Math.max(this.#passed, target - this.#buckets);
    while (this.#passed < target) {
      this.#passed++;
      const bucket = this.#passed % this.#buckets;
      // A visitor arms into other buckets only, so this list ends.
      for (
        let slot = this.#heads[bucket] ?? NONE;
        slot !== NONE;
        slot = this.#heads[bucket] ?? NONE
      ) {
        this.disarm(slot);
        visit(slot);
      }
    }
  }

  grow(capacity: number): void {
    this.#next = enlarged(this.#next, capacity);
    this.#previous = enlarged(this.#previous, capacity);
    this.#bucketOf = enlarged(this.#bucketOf, capacity);
  }
}

function enlarged(array: Int32Array, capacity: number): Int32Array {
  const copy = new Int32Array(capacity).fill(NONE);
  copy.set(array);
  return copy;
}
