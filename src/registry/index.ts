// The public surface of the state machine. Pure: apply(command) -> result + changes; no clock, no I/O, no randomness.
import type { LogIndex, Revision } from '../lib/ids.ts';
import type { ApplyResult, Command, CommandBody, CommandKind } from './command.ts';
import type { Selector } from './selector.ts';
import type { ChangeGroup, InstanceRecord } from './types.ts';

export type * from './command.ts';
export {
  commandBodyFromArray,
  commandBodyToArray,
  decodeCommand,
  encodeCommand,
  fingerprintOf,
} from './command-codec.ts';
export {
  decodeInstance,
  encodeBody,
  withLastHeartbeat,
} from './instance-codec.ts';
export { MalformedArrayError } from './positional.ts';
export { createRegistry, registryDefaults } from './registry.ts';
export { createRegistryLoader } from './registry-loader.ts';
export { applyResultFromArray, applyResultToArray } from './result-codec.ts';
export { canonicalSelector, matches, matchesButForHealth, type Selector } from './selector.ts';
export { hashOfImage, imageHasher, type ImageHasher } from './state-hash.ts';
export type * from './types.ts';

/** What one applied command did. */
export interface Applied {
  readonly result: ApplyResult;
  /** Present iff the revision rose. */
  readonly group: ChangeGroup | undefined;
}

/** A record of the replicated state as the state store keeps it. value undefined: delete. */
export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** Everything replicated that is not a record, written in the same batch as the records it belongs to. */
export interface RegistryMeta {
  readonly revision: Revision;
  readonly registryTimeMs: number;
  /** 16 hex digits, order-independent over all records plus revision and registry time (G12). */
  readonly hash: string;
}

/** One page of a sorted walk. */
export interface Page {
  readonly records: readonly InstanceRecord[];
  /** True when records remain after the last one. */
  readonly more: boolean;
}
export interface ServiceSummary {
  readonly namespace: string;
  readonly serviceName: string;
  readonly healthy: number;
  readonly total: number;
  readonly tags: readonly string[];
  /** Revision of the last change that touched this service. */
  readonly revision: Revision;
}

/** The catalogue in memory, and the only way to change it. */
export interface Registry {
  /** Applies one committed command. Deterministic: same commands in the same order give the same state, results and hash. */
  apply(command: Command): Applied;
  /** The answer `apply` would give without changing anything, or undefined if it would write. For commands without request_id. */
  answerIfUnchanged(body: CommandBody): ApplyResult | undefined;
  /** The answer `apply` would give to a retry because the first answer to its request_id is remembered, without writing anything; undefined: it is
   * not. What was applied stays applied, so it needs no log. */
  answerAgain(kind: CommandKind, requestId: string, fingerprint: string): ApplyResult | undefined;
  /** The records that changed since the last call, each once with its latest value; then the list is empty again. */
  takeDirty(): readonly StoredRecord[];
  meta(): RegistryMeta;
  readonly revision: Revision;
  readonly instanceCount: number;
  get(namespace: string, instanceId: string): InstanceRecord | undefined;
  /** All records of a node's start, for the lease table; in no particular order. */
  records(): Iterable<InstanceRecord>;
  /** Sorted by (service_name, instance_id) bytewise - with namespace '*' by (namespace, service_name, instance_id) - after `after`, exclusive.
   * `undo`: the groups above the wanted revision, oldest first, to see the state as it was (from the ring). */
  list(
    selector: Selector,
    after: ListPosition | undefined,
    limit: PageLimit,
    undo?: readonly ChangeGroup[],
  ): Page;
  /** True when records match the selector but for health, and none of them is healthy. */
  allUnhealthy(selector: Selector, undo?: readonly ChangeGroup[]): boolean;
  services(
    namespace: string,
    after: ServicePosition | undefined,
    limit: number,
    undo?: readonly ChangeGroup[],
  ): { readonly services: readonly ServiceSummary[]; readonly more: boolean };
  /** Recomputes the hash of the next `count` records and folds any difference from the remembered one into the state
   * hash, so that the hash compared between nodes is the hash of what memory really holds. Returns how many differed. What once
   * differed stays visible in the hash until the process ends, also if the record is replaced: it may have been served. */
  scrub(count: number): number;
  /** How often all records were walked over by `scrub`. */
  readonly scrubWalks: number;
  /** Takes over the whole content of a snapshot in one step; what was here is gone, and the list of changed records is empty. */
  replace(loaded: LoadedRegistry): void;
}

/** Builds a registry's content beside the one in use, piece by piece, so that loading never blocks the loop for long. */
export interface RegistryLoader {
  /** Records in any order; each key once. Throws MalformedRecordError-like InvariantErrors for what no version writes. */
  add(records: readonly StoredRecord[]): void;
  /** undefined: the records do not have the hash that `meta` states. */
  finish(meta: RegistryMeta): LoadedRegistry | undefined;
}
declare const loaded: unique symbol;
/** Opaque: for `Registry.replace`, once. */
export interface LoadedRegistry {
  readonly [loaded]: true;
  readonly instanceCount: number;
}

export interface ListPosition {
  readonly namespace: string;
  readonly serviceName: string;
  readonly instanceId: string;
}
export interface ServicePosition {
  readonly namespace: string;
  readonly serviceName: string;
}
export interface PageLimit {
  readonly count: number;
  /** Encoded bytes of all instances of the page at most; a page holds at least one instance. */
  readonly bytes: number;
}

/** What apply decides by. They travel in each command as the leader has them, so nodes configured otherwise stay equal. */
export interface RegistryLimits {
  /** Default 1 000 000. */
  readonly maxInstances: number;
  /** Answers remembered for request_ids: default 250 000, and 600 000 ms of registry time; the oldest go first. */
  readonly maxRememberedAnswers: number;
  readonly rememberAnswersMs: number;
}

/** What a state store hands over at open. */
export interface RegistryImage {
  readonly appliedIndex: LogIndex;
  readonly meta: RegistryMeta;
  /** Read once. Empty where the store has built the content itself while it read and verified them. */
  readonly records: Iterable<StoredRecord>;
  /** The content, built and verified. Default: it is built from the records. */
  readonly loaded?: LoadedRegistry;
}
