// Requests as doors decode them, before any rule has been looked at: enums are their numbers, absent text is ''. The
// rules (rules-*.ts) turn them into commands and selectors; every door shares them.
import type { Revision } from '../lib/ids.ts';

export interface InstanceInput {
  readonly namespace: string;
  readonly serviceName: string;
  readonly instanceId: string;
  readonly host: string;
  readonly port: number;
  readonly status: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tags: readonly string[];
  readonly version: string;
  readonly region: string;
  readonly zone: string;
  readonly weight: number;
  readonly ports: ReadonlyMap<string, number>;
  /** How many active checks were asked for; what they say is not looked at in this version. */
  readonly checks: number;
  readonly ttlMs: number;
  readonly deregisterAfterMs: number;
  readonly lifecycle: number;
}

export interface RegisterInput {
  readonly instance: InstanceInput | undefined;
  readonly requestId: string;
  readonly ifGeneration: Revision;
}

export interface RegisterBatchInput {
  readonly instances: readonly InstanceInput[];
  readonly requestId: string;
}

export interface DeregisterInput {
  readonly namespace: string;
  readonly instanceId: string;
  readonly generation: Revision;
  readonly requestId: string;
  readonly reason: string;
  /** True when the message `drain` is present. */
  readonly drain: boolean;
}

export interface SetStatusInput {
  readonly namespace: string;
  readonly instanceId: string;
  readonly generation: Revision;
  readonly status: number;
  readonly requestId: string;
  readonly reason: string;
  readonly maintenance: number;
  readonly drain: boolean;
}

export interface BeatInput {
  readonly namespace: string;
  readonly instanceId: string;
  readonly generation: Revision;
}

export interface ReadInput {
  readonly consistency: number;
  readonly minRevision: Revision;
  readonly maxStalenessMs: number;
}

export interface GetInstanceInput {
  readonly namespace: string;
  readonly instanceId: string;
  readonly read: ReadInput;
}

export interface SelectorInput {
  readonly namespace: string;
  readonly services: readonly string[];
  readonly healthyOnly: boolean;
  readonly tags: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly zone: string;
  readonly region: string;
  readonly version: string;
  readonly statuses: readonly number[];
}

export interface ListInstancesInput {
  readonly selector: SelectorInput;
  readonly read: ReadInput;
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface ListServicesInput {
  readonly namespace: string;
  readonly read: ReadInput;
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface WatchInput {
  /** undefined: absent, which means the default selector in a first message. */
  readonly selector: SelectorInput | undefined;
  readonly resumeToken: string;
  readonly acknowledge: Revision;
  readonly read: ReadInput;
  readonly acknowledges: boolean;
}

/** AddMemberRequest.member; what it says of `learner` is not looked at. */
export interface MemberInput {
  readonly nodeId: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  readonly incarnation: string;
}
