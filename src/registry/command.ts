// What travels through the log. Time arrives inside: the state machine has no clock. Encoded by command-codec.ts as a
// msgpackr positional array, append-only, with the instance body as opaque protobuf bytes.
import type { Revision } from '../lib/ids.ts';
import type { RegistryLimits } from './index.ts';
import type { Lifecycle } from './types.ts';

/** Stamped by the leader when it proposes. */
export interface CommandHeader {
  /** Registry time: follows the leader's monotonic clock, never goes back or jumps. Milliseconds since the cluster formed. */
  readonly registryTimeMs: number;
  /** The leader's wall clock, for display only. */
  readonly unixTimeMs: number;
  /** Who asked, as far as known: '' until access control exists, else e.g. `node n1` for expiry. */
  readonly actor: string;
  /** '' means none. Scope: the cluster and the kind of command. */
  readonly requestId: string;
  /** The limits that this command is decided by, on every node and in every replay, whatever those nodes are configured with. */
  readonly limits: RegistryLimits;
}

export interface RegisterItem {
  readonly namespace: string;
  readonly serviceName: string;
  readonly instanceId: string;
  readonly lifecycle: Lifecycle;
  readonly ttlMs: number;
  /** Canonical encoding of the InstanceBody. */
  readonly body: Uint8Array;
}
export interface Register {
  readonly kind: 'register';
  readonly item: RegisterItem;
  /** Not 0: only if this generation is current. */
  readonly ifGeneration: Revision;
}
/** All or nothing. One id at most once, 1 to 1000 items: checked at the door. */
export interface RegisterBatch {
  readonly kind: 'registerBatch';
  readonly items: readonly RegisterItem[];
}
export interface Deregister {
  readonly kind: 'deregister';
  readonly namespace: string;
  readonly instanceId: string;
  /** 0: whichever is current. */
  readonly generation: Revision;
  readonly reason: string;
}
export interface SetStatus {
  readonly kind: 'setStatus';
  readonly namespace: string;
  readonly instanceId: string;
  readonly generation: Revision;
  /** undefined leaves it. */
  readonly lifecycle: Lifecycle | undefined;
  /** undefined leaves it. */
  readonly maintenance: boolean | undefined;
  readonly reason: string;
}
/** Proposed by the leader's lease expirer only. Items whose generation is not current are passed over. */
export interface Expire {
  readonly kind: 'expire';
  readonly items: readonly {
    readonly namespace: string;
    readonly instanceId: string;
    readonly generation: Revision;
  }[];
}
export type CommandBody = Register | RegisterBatch | Deregister | SetStatus | Expire;
export type CommandKind = CommandBody['kind'];

/** One command as applied. `fingerprint` (64 bits, hex) covers the body as the client sent it: the same request_id with another is refused. */
export interface Command {
  readonly header: CommandHeader;
  readonly fingerprint: string;
  readonly body: CommandBody;
}

/** What apply answers. Refusals are answers too: they are remembered under the request_id and replayed. */
export type ApplyResult =
  | {
      readonly kind: 'registered';
      readonly revision: Revision;
      readonly generations: readonly Revision[];
    }
  | { readonly kind: 'deregistered'; readonly revision: Revision; readonly existed: boolean }
  | { readonly kind: 'statusSet'; readonly revision: Revision }
  | { readonly kind: 'expired'; readonly revision: Revision; readonly count: number }
  | { readonly kind: 'notFound'; readonly revision: Revision }
  | {
      readonly kind: 'generationNotCurrent';
      readonly revision: Revision;
      readonly current: Revision;
    }
  | { readonly kind: 'requestIdReused'; readonly revision: Revision }
  | { readonly kind: 'tooManyInstances'; readonly revision: Revision; readonly limit: number };
