// The leases of a leader in parallel arrays: one numbered slot per instance, reused after removal. A handle names a slot
// and how often it was reused, so that whoever waited meanwhile cannot touch the next tenant.
import { assert } from '../lib/assert.ts';
import type { InstanceRecord } from '../registry/index.ts';

/** slot + reuses * 2^24: exact in a double for 16 million slots and 500 million reuses of each. */
export type LeaseHandle = number;

const SLOT_SPAN = 2 ** 24;
const REUSE_SPAN = 2 ** 29;

/** The table of one leadership. Deadlines are lease time (monotonic less pauses), last heartbeats Unix milliseconds. */
export class LeaseSlots {
  readonly #onGrow: (capacity: number) => void;
  #capacity: number;
  #deadlines: Float64Array;
  #heartbeats: Float64Array;
  #reuses: Uint32Array;
  #condemned: Uint8Array;
  readonly #records: (InstanceRecord | undefined)[] = [];
  readonly #free: number[] = [];
  // By namespace, then id: no key is built per heartbeat.
  readonly #slots = new Map<string, Map<string, number>>();
  #size = 0;

  constructor(capacity: number, onGrow: (capacity: number) => void) {
    this.#onGrow = onGrow;
    this.#capacity = capacity;
    this.#deadlines = new Float64Array(capacity);
    this.#heartbeats = new Float64Array(capacity);
    this.#reuses = new Uint32Array(capacity);
    this.#condemned = new Uint8Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** undefined: no lease. */
  find(namespace: string, instanceId: string): number | undefined {
    return this.#slots.get(namespace)?.get(instanceId);
  }

  /** Adds a lease, or gives the one of this id its new record. Returns the slot. */
  put(record: InstanceRecord): number {
    let ofNamespace = this.#slots.get(record.namespace);
    if (ofNamespace === undefined) {
      ofNamespace = new Map();
      this.#slots.set(record.namespace, ofNamespace);
    }
    const existing = ofNamespace.get(record.instanceId);
    if (existing !== undefined) {
      this.#records[existing] = record;
      return existing;
    }
    const slot = this.#free.pop() ?? this.#records.length;
    if (slot >= this.#capacity) this.#grow();
    this.#records[slot] = record;
    ofNamespace.set(record.instanceId, slot);
    this.#size++;
    return slot;
  }

  remove(slot: number): void {
    const { namespace, instanceId } = this.record(slot);
    const ofNamespace = this.#slots.get(namespace);
    ofNamespace?.delete(instanceId);
    if (ofNamespace?.size === 0) this.#slots.delete(namespace);
    this.#records[slot] = undefined;
    this.#reuses[slot] = ((this.#reuses[slot] ?? 0) + 1) % REUSE_SPAN;
    this.#condemned[slot] = 0;
    this.#free.push(slot);
    this.#size--;
  }

  record(slot: number): InstanceRecord {
    const found = this.#records[slot];
    assert(found !== undefined, 'a lease slot is read only while it is in use');
    return found;
  }

  handle(slot: number): LeaseHandle {
    return (this.#reuses[slot] ?? 0) * SLOT_SPAN + slot;
  }

  /** The slot, unless its lease has been removed since. */
  resolve(handle: LeaseHandle): number | undefined {
    const slot = handle % SLOT_SPAN;
    if (this.#reuses[slot] !== Math.floor(handle / SLOT_SPAN)) return undefined;
    return this.#records[slot] === undefined ? undefined : slot;
  }

  deadline(slot: number): number {
    return this.#deadlines[slot] ?? 0;
  }

  setDeadline(slot: number, atMs: number): void {
    this.#deadlines[slot] = atMs;
  }

  lastHeartbeat(slot: number): number {
    return this.#heartbeats[slot] ?? 0;
  }

  setLastHeartbeat(slot: number, unixMs: number): void {
    this.#heartbeats[slot] = unixMs;
  }

  /** True while an expiry of this lease is in the log and its outcome is not known yet. */
  condemned(slot: number): boolean {
    return this.#condemned[slot] === 1;
  }

  setCondemned(slot: number, condemned: boolean): void {
    this.#condemned[slot] = condemned ? 1 : 0;
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    assert(capacity <= SLOT_SPAN, 'a lease handle names at most 2^24 slots');
    this.#deadlines = copied(new Float64Array(capacity), this.#deadlines);
    this.#heartbeats = copied(new Float64Array(capacity), this.#heartbeats);
    this.#reuses = copied(new Uint32Array(capacity), this.#reuses);
    this.#condemned = copied(new Uint8Array(capacity), this.#condemned);
    this.#capacity = capacity;
    this.#onGrow(capacity);
  }
}

function copied<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from);
  return to;
}
