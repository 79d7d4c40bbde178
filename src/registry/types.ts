// The registry's nouns. An Instance is what clients state and read; a record is what the state machine keeps of it.
import type { Revision } from '../lib/ids.ts';

/** What an instance says of itself. */
export type Lifecycle = 'serving' | 'starting' | 'draining';
/** Derived, never stored as truth: from lifecycle, the operator's override, check verdicts and lease liveness. */
export type Status = 'starting' | 'healthy' | 'unhealthy' | 'draining';

/** The client's part of an instance: validated, with defaults filled in. Encoded canonically (instance-codec.ts). */
export interface InstanceBody {
  readonly namespace: string;
  readonly serviceName: string;
  readonly instanceId: string;
  readonly host: string;
  readonly port: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tags: readonly string[];
  readonly version: string;
  readonly region: string;
  readonly zone: string;
  readonly weight: number;
  readonly ports: ReadonlyMap<string, number>;
  readonly ttlMs: number;
}

/** One registered instance in the catalogue. Immutable: a change makes a new record. */
export interface InstanceRecord {
  readonly namespace: string;
  readonly serviceName: string;
  readonly instanceId: string;
  readonly lifecycle: Lifecycle;
  readonly maintenance: boolean;
  readonly status: Status;
  readonly ttlMs: number;
  /** Revision that created this registration: the fence (G10). */
  readonly generation: Revision;
  /** Revision of the last change. */
  readonly revision: Revision;
  /** Unix time of the registration, for people; never used for decisions. */
  readonly registeredAtMs: number;
  /** Unix time of the command that last changed the record; heartbeats live in the leader's memory only. */
  readonly lastHeartbeatMs: number;
  /** The whole protobuf `rollcall.v1.Instance`, as readers get it: the body's bytes, then the registry's own fields. */
  readonly encoded: Uint8Array;
  /** How many leading bytes of `encoded` are the client's canonical body: the part compared by an upsert. */
  readonly bodyLength: number;
}

/** One difference between two adjacent states. `before` and `after` let any selector be projected on state, not on events. */
export interface Change {
  readonly before: InstanceRecord | undefined;
  readonly after: InstanceRecord | undefined;
  /** The caller's words, or `deregistered`, `ttl_expired`; '' for a put without words. */
  readonly reason: string;
  readonly actor: string;
  /** Revision of the last earlier change to the service of `before`, and to that of `after`; 0 where there is none. Set by apply:
   * with it ListServices can be answered as of an older revision. */
  readonly beforeServiceRevision?: Revision;
  readonly afterServiceRevision?: Revision;
}

/** What one revision changed: an atomic group, never split. */
export interface ChangeGroup {
  readonly revision: Revision;
  readonly changes: readonly Change[];
}
