// Applies committed entries in order, a bounded number in one turn, and tells everyone who waits for their effects: the
// watch hub, the leases, whoever proposed them.
import { assert } from '../lib/assert.ts';
import type { LogIndex } from '../lib/ids.ts';
import type { LogEntry } from '../raft/index.ts';
import {
  type ApplyResult,
  type ChangeGroup,
  type CommandBody,
  decodeCommand,
  type Registry,
} from '../registry/index.ts';

export interface ApplierHost {
  readonly registry: Registry;
  /** Where the state machine stands at the start. */
  readonly appliedIndex: LogIndex;
  readonly appliedTerm: number;
  readonly publish: (group: ChangeGroup) => void;
  /** After each entry, in order. `command` and `result` are absent where the entry is no command. */
  readonly applied: (
    entry: LogEntry,
    command: { readonly body: CommandBody; readonly result: ApplyResult } | undefined,
  ) => void;
  /** The state hash is to be compared at this index (G12). */
  readonly hashDue: (index: LogIndex, hash: string) => void;
}

/** Nodes compare their state hashes at every multiple of this. */
const HASH_INTERVAL = 1024;
/** Entries applied in one turn, so that a long replay does not silence the node. */
export const SLICE = 2048;

export class Applier {
  readonly #host: ApplierHost;
  #queue: LogEntry[] = [];
  #next = 0;
  #index: LogIndex;
  #term: number;

  constructor(host: ApplierHost) {
    this.#host = host;
    this.#index = host.appliedIndex;
    this.#term = host.appliedTerm;
  }

  get index(): LogIndex {
    return this.#index;
  }

  get term(): number {
    return this.#term;
  }

  /** Committed entries, in order and without gaps. */
  add(entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#queue.push(entry);
  }

  /** Applies at most `count` of them. True: more are waiting. */
  run(count: number): boolean {
    const end = Math.min(this.#queue.length, this.#next + count);
    while (this.#next < end) {
      const entry = this.#queue[this.#next++];
      if (entry !== undefined) this.#apply(entry);
    }
    if (this.#next < this.#queue.length) return true;
    this.#queue = [];
    this.#next = 0;
    return false;
  }

  #apply(entry: LogEntry): void {
    assert(entry.index === this.#index + 1, 'entries are applied in order, each once');
    this.#index = entry.index;
    this.#term = entry.term;
    const { registry, publish, applied, hashDue } = this.#host;
    if (entry.kind === 'command') {
      const command = decodeCommand(entry.payload);
      const { result, group } = registry.apply(command);
      if (group !== undefined) publish(group);
      applied(entry, { body: command.body, result });
    } else {
      applied(entry, undefined);
    }
    if (entry.index % HASH_INTERVAL === 0) hashDue(entry.index, registry.meta().hash);
  }
}
