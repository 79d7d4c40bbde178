// Signs of life for instances that are fought over: single heartbeats that name a generation, and registrations sent again
// unchanged.
import { revision } from '../../../src/lib/ids.ts';
import type { Random } from '../../../src/lib/random.ts';
import type { WriteRecord } from '../../checkers/history.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { mayExpire } from '../../support/write-action.ts';
import { outcomeOf } from '../../support/write-outcome.ts';
import { sendBeats } from './beats.ts';
import type { ClientWorld } from './client-world.ts';
import { instanceOf, registerCall, type WriteAnswer } from './write-call.ts';

const TIMEOUT_MS = 2500;

/** For an instance that expires, a heartbeat without a generation could be taken for another registration than was meant. */
export async function beatOnce(world: ClientWorld, random: Random, id: string): Promise<void> {
  const named = random.next() < 0.7 ? 'current' : 'stale';
  const generation = world.generations.of(id, named);
  if (generation === 0) return;
  await sendBeats(world, world.nodes.any(random), [{ instanceId: id, generation }]);
}

/** What this process registered there last, once more: it renews the lease and, where nothing changed since, writes nothing. */
export async function registerAgain(
  world: ClientWorld,
  client: string,
  random: Random,
  instanceId: string,
): Promise<void> {
  const last = world.registered.get(instanceId);
  if (last === undefined) return;
  const { service, ttlMs, mark } = last;
  const invokedAtMs = monotonicMs();
  let answer: WriteAnswer | undefined;
  let outcome: WriteRecord['outcome'] = 'acknowledged';
  try {
    const call = registerCall(instanceOf(instanceId, service, ttlMs, mark), revision(0), '');
    answer = await call(world.nodes.any(random), TIMEOUT_MS);
    if (answer.refusal) outcome = 'rejected';
  } catch (error) {
    outcome = outcomeOf(error);
  }
  const returnedAtMs = monotonicMs();
  world.tally[outcome]++;
  // Whether or not it was heard, the instance may have shown life until now.
  const ended = { sentAtMs: invokedAtMs, endedAtMs: returnedAtMs, outcome: 'failed' } as const;
  world.note({ kind: 'beat', beat: { instanceId, generation: 0, ...ended } });
  const acknowledged = outcome === 'acknowledged';
  const [generation] = answer?.generations ?? [];
  if (acknowledged && generation !== undefined) world.generations.learn(instanceId, generation);
  const effect = { kind: 'put', mark, lifecycle: 'serving', mayExpire: mayExpire(ttlMs) } as const;
  const write: WriteRecord = {
    kind: 'register',
    instanceId,
    mark,
    invokedAtMs,
    returnedAtMs,
    outcome,
    revision: acknowledged ? (answer?.revision ?? 0) : 0,
    // Whether it wrote cannot be told where its generation is the newest revision.
    changed: false,
    effect,
  };
  world.note({ kind: 'write', client, write });
}
