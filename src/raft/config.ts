// Tunables of the core. The unit of time is the tick.
import { assert } from '../lib/assert.ts';
import type { NodeId } from '../lib/ids.ts';
import type { Membership } from './types.ts';

export interface RaftConfig {
  readonly id: NodeId;
  /** Reads the payload of a `bootstrap` or `membership` entry. Pure. Throws for what is none: such an entry was never appended. */
  readonly membershipOf: (payload: Uint8Array) => Membership;
  /** Ticks between a leader's heartbeats. Default 5 (50 ms at 10 ms a tick). */
  readonly heartbeatTicks: number;
  /** Election timeout is drawn from [n, 2n) ticks; at least 3 heartbeats. Default 30 (300 ms). */
  readonly electionTicks: number;
  /** Payload bytes in one AppendEntries at most (a single larger entry goes alone). Default 1 MiB. */
  readonly maxAppendBytes: number;
  /** Unacknowledged AppendEntries to one peer: messages (default 256) and bytes (default 8 MiB). */
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  /** Bytes of entries appended but not committed; beyond, proposals are rejected as overloaded. Default 32 MiB. */
  readonly maxUncommittedBytes: number;
  /** Reads waiting for a round; beyond, overloaded. Default 100 000. */
  readonly maxPendingReads: number;
  /** Bytes of entries kept in memory once applied and durable, for peers that lag. Default 64 MiB. */
  readonly maxCachedBytes: number;
  /** A learner may become a voter once it lacks at most so many entries of the leader's log. Default 1024. */
  readonly maxPromotionLag: number;
  /** A leader whose oldest unfinished write is this old steps down, and does not campaign before its disk has caught up.
   * Default 100 (1 s); a lone voter never does. */
  readonly diskPatienceTicks: number;
  /** Seed of the generator in the state. Another one for each node and each start: timeouts must differ between nodes, and
   * a restarted node must not repeat the read contexts of its former life. */
  readonly seed: number;
}

export const raftDefaults = {
  heartbeatTicks: 5,
  electionTicks: 30,
  maxAppendBytes: 1 << 20,
  maxInflightMessages: 256,
  maxInflightBytes: 8 << 20,
  maxUncommittedBytes: 32 << 20,
  maxPendingReads: 100_000,
  maxCachedBytes: 64 << 20,
  maxPromotionLag: 1024,
  diskPatienceTicks: 100,
} as const;

/** Throws InvariantError where the parts contradict each other; user input is checked before it gets here. */
export function validateRaftConfig(config: RaftConfig): RaftConfig {
  assert(config.heartbeatTicks >= 1, 'a heartbeat takes at least one tick');
  assert(config.electionTicks >= 3 * config.heartbeatTicks, 'election timeout >= 3 heartbeats');
  for (const limit of [
    config.maxAppendBytes,
    config.maxInflightMessages,
    config.maxInflightBytes,
    config.maxUncommittedBytes,
    config.maxPendingReads,
    config.maxCachedBytes,
    config.maxPromotionLag,
    config.diskPatienceTicks,
  ]) {
    assert(Number.isSafeInteger(limit) && limit > 0, 'every limit is a positive integer');
  }
  return config;
}
