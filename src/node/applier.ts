// Applies committed entries in order, a bounded number in one turn, and tells everyone who waits for their effects: the
// watch hub, the leases, whoever proposed them.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, type Term, term } from '../lib/ids.ts';
import type { Configuration, LogEntry } from '../raft/index.ts';
import {
  type ApplyResult,
  type ChangeGroup,
  type CommandBody,
  decodeCommand,
  type Registry,
} from '../registry/index.ts';
import { HASH_INTERVAL } from './hash-comparison.ts';
import type { StateImage } from './ports.ts';

/** Where the state machine stands: the last applied entry, and the configuration in effect there. */
export interface AppliedPoint {
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
}

/** Before the first entry. */
export const nothingApplied: AppliedPoint = {
  index: logIndex(0),
  term: term(0),
  configuration: { index: logIndex(0), payload: new Uint8Array() },
};

/** Where a state store stands. One written by a version that kept no configuration says so once the log is replayed. */
export function pointOf(
  state: Pick<StateImage, 'appliedIndex' | 'appliedTerm' | 'configuration'>,
): AppliedPoint {
  const { appliedIndex: index, appliedTerm, configuration } = state;
  if (index === 0) return nothingApplied;
  return {
    index,
    term: term(appliedTerm),
    configuration: configuration ?? nothingApplied.configuration,
  };
}

export interface ApplierHost {
  readonly registry: Registry;
  /** Where the registry stands now: from the first moment on, its content is shown with this index. */
  readonly start: AppliedPoint;
  readonly publish: (group: ChangeGroup) => void;
  /** After each entry, in order. `command` and `result` are absent where the entry is no command. */
  readonly applied: (
    entry: LogEntry,
    command: { readonly body: CommandBody; readonly result: ApplyResult } | undefined,
  ) => void;
  /** The state hash is to be compared at this index (G12). */
  readonly hashDue: (index: LogIndex, hash: string) => void;
}

/** Entries applied in one turn, so that a long replay does not silence the node. */
export const SLICE = 2048;

export class Applier {
  readonly #host: ApplierHost;
  #queue: LogEntry[] = [];
  #next = 0;
  #index: LogIndex;
  #term: Term;
  #configuration: Configuration;
  #held = false;

  constructor(host: ApplierHost) {
    this.#host = host;
    this.#index = host.start.index;
    this.#term = host.start.term;
    this.#configuration = host.start.configuration;
  }

  get index(): LogIndex {
    return this.#index;
  }

  get point(): AppliedPoint {
    return { index: this.#index, term: this.#term, configuration: this.#configuration };
  }

  /** Applies nothing until `moveTo`: a snapshot is about to take the place of the registry's content. */
  hold(): void {
    this.#held = true;
  }

  /** The registry holds the content as of this point: from the state store, or from a snapshot that took its place. Of what
   * waits to be applied, the entries behind it remain. */
  moveTo(point: AppliedPoint): void {
    assert(point.index >= this.#index, 'the state machine never goes back');
    this.#index = point.index;
    this.#term = point.term;
    this.#configuration = point.configuration;
    this.#queue = this.#queue.slice(this.#next).filter(({ index }) => index > point.index);
    this.#next = 0;
    this.#held = false;
  }

  /** Committed entries, in order and without gaps. */
  add(entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#queue.push(entry);
  }

  /** Applies at most `count` of them. True: more are waiting, and may be applied. */
  run(count: number): boolean {
    if (this.#held) return false;
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
    if (entry.kind === 'bootstrap' || entry.kind === 'membership') {
      this.#configuration = { index: entry.index, payload: entry.payload };
    }
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
