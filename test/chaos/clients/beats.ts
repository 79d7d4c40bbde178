// Heartbeats, one call for many instances, and what came of each of them as its sender saw it.
import type { Revision } from '../../../src/lib/ids.ts';
import type { HeartbeatResponse__Output } from '../../../src/rpc/gen/rollcall/v1/HeartbeatResponse.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { BeatRecord } from '../../checkers/history.ts';
import { unary } from '../../support/grpc-client.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ClientWorld } from './client-world.ts';

export interface Beat {
  readonly instanceId: string;
  readonly generation: Revision;
}

const BEAT_TIMEOUT_MS = 1500;

/** One call to one node; resolves when it was answered, or given up. */
export async function sendBeats(
  world: ClientWorld,
  client: RegistryClient,
  beats: readonly Beat[],
): Promise<void> {
  const sentAtMs = monotonicMs();
  const named = beats.map(({ instanceId, generation }) => ({
    instance_id: instanceId,
    generation,
  }));
  let answer: HeartbeatResponse__Output | undefined;
  try {
    answer = await unary<HeartbeatResponse__Output>(
      (options, callback) => client.heartbeat({ beats: named }, options, callback),
      BEAT_TIMEOUT_MS,
    );
  } catch {
    answer = undefined;
  }
  const endedAtMs = monotonicMs();
  const failures = new Map(answer?.failures.map((one) => [one.instance_id, one.reason]));
  for (const { instanceId, generation } of beats) {
    const failure = failures.get(instanceId);
    const outcome: BeatRecord['outcome'] =
      answer === undefined
        ? 'failed'
        : failure === undefined
          ? 'acknowledged'
          : failure === 'FENCED'
            ? 'fenced'
            : 'unknown';
    world.note({ kind: 'beat', beat: { instanceId, generation, sentAtMs, endedAtMs, outcome } });
  }
}
