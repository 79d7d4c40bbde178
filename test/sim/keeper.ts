// Signs of life of the simulated clients: single heartbeats, registrations sent again unchanged, and keepers that beat on
// every node and then fall silent.
import { type Revision, revision } from '../../src/lib/ids.ts';
import type { Random } from '../../src/lib/random.ts';
import type { BeatRecord } from '../checkers/history.ts';
import type { NamedGeneration } from '../support/known-generations.ts';
import { mayExpire } from '../support/write-action.ts';
import { isCertain } from './door.ts';
import type { Machine } from './machine.ts';
import type { KeepTarget } from './plan.ts';
import { markOfBody } from './record-text.ts';
import { anyMachine, type ClientWorld, type Session } from './session.ts';
import { lastBody, write } from './writer.ts';

const BEAT_TIMEOUT_MS = 2500;
/** More than three in the shortest TTL of a plan. */
const KEEP_EVERY_MS = 150;

async function beat(
  world: ClientWorld,
  machine: Machine,
  instanceId: string,
  generation: Revision,
): Promise<void> {
  const { timeline, door, records, coverage } = world;
  const sentAtMs = timeline.nowMs;
  const reply = await door.call(machine, BEAT_TIMEOUT_MS, (node) =>
    node.heartbeat([{ namespace: 'default', instanceId, generation }], {}),
  );
  let outcome: BeatRecord['outcome'] = 'failed';
  if (reply.kind === 'value') outcome = reply.value.failures[0]?.reason ?? 'acknowledged';
  if (outcome === 'acknowledged') coverage.count('beatsAcknowledged');
  else if (outcome === 'fenced') coverage.count('beatsFenced');
  else if (outcome === 'unknown') coverage.count('beatsUnknown');
  if (reply.kind === 'refused' && reply.error.message.startsWith('disk_reserve_bytes')) {
    world.blame('G17', `a sign of life of ${instanceId} was refused for lack of space`);
  }
  records.beats.push({ instanceId, generation, sentAtMs, endedAtMs: timeline.nowMs, outcome });
}

export async function beatOnce(
  world: ClientWorld,
  random: Random,
  instanceId: string,
  named: NamedGeneration,
): Promise<void> {
  const generation = world.generations.of(instanceId, named);
  await beat(world, anyMachine(world, random), instanceId, generation);
}

interface Keeping {
  readonly instanceId: string;
  readonly forMs: number;
  readonly to: KeepTarget;
}

export async function keep(
  world: ClientWorld,
  random: Random,
  { instanceId, forMs, to }: Keeping,
): Promise<void> {
  const { timeline, records, machines } = world;
  const fromMs = timeline.nowMs;
  const beats: Promise<void>[] = [];
  const leader = world.leader();
  // One that names its registration can tell an answer that is not for it.
  const names = random.next() < 0.6;
  while (timeline.nowMs < fromMs + forMs && !world.resting()) {
    const targets =
      to === 'all' ? machines() : [to === 'leader' ? leader : anyMachine(world, random)];
    const generation = names ? world.generations.of(instanceId, 'current') : revision(0);
    for (const machine of targets) beats.push(beat(world, machine, instanceId, generation));
    await timeline.sleep(KEEP_EVERY_MS, undefined, 'keeper');
  }
  // Only who reaches every node, whatever is registered, can demand never to be missed (G9).
  if (to === 'all' && !names) records.keeps.push({ instanceId, fromMs, toMs: timeline.nowMs });
  await Promise.all(beats);
}

interface Serving extends Keeping {
  readonly service: string;
  readonly ttlMs: number;
  readonly mark: string;
}

/** Registers and keeps itself registered, as the services of a user do. */
export async function serve(
  world: ClientWorld,
  session: Session,
  random: Random,
  { instanceId, service, ttlMs, mark, ...keeping }: Serving,
): Promise<void> {
  const kept = keep(world, random, { instanceId, ...keeping });
  const job = { session, random, mark };
  await write(world, job, {
    kind: 'register',
    ids: [instanceId],
    service,
    ttlMs,
    generation: 'any',
    retries: true,
  });
  await kept;
}

/** An unchanged registration is a sign of life, and changes nothing else. */
export async function registerAgain(
  world: ClientWorld,
  session: Session,
  random: Random,
  instanceId: string,
): Promise<void> {
  const { timeline, door, records, coverage } = world;
  const body = lastBody(world, instanceId);
  if (body?.kind !== 'register') return;
  const invokedAtMs = timeline.nowMs;
  const reply = await door.call(anyMachine(world, random), BEAT_TIMEOUT_MS, (node) =>
    node.write({ ...body, ifGeneration: revision(0) }, { requestId: '', actor: '' }),
  );
  // Whether or not it was heard, the instance may have shown life until now.
  records.beats.push({
    instanceId,
    generation: 0,
    sentAtMs: invokedAtMs,
    endedAtMs: timeline.nowMs,
    outcome: 'failed',
  });
  const result = reply.kind === 'value' ? reply.value : undefined;
  const registered = result?.kind === 'registered' ? result : undefined;
  const generation = registered?.generations[0];
  const certain = result !== undefined || (reply.kind === 'refused' && isCertain(reply.error));
  records.writes.push({
    kind: 'register',
    instanceId,
    mark: markOfBody(body.item.body),
    invokedAtMs,
    returnedAtMs: timeline.nowMs,
    outcome: registered === undefined ? (certain ? 'rejected' : 'unknown') : 'acknowledged',
    revision: registered?.revision ?? 0,
    // Whether it wrote cannot be told where its generation is the newest revision.
    changed: false,
    effect: {
      kind: 'put',
      mark: markOfBody(body.item.body),
      lifecycle: 'serving',
      mayExpire: mayExpire(body.item.ttlMs),
    },
  });
  if (registered === undefined || generation === undefined) return;
  if (generation !== registered.revision) coverage.count('registersUnchanged');
  world.generations.learn(instanceId, generation);
  session.saw(registered.revision);
}
