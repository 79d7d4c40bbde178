// Services as they should be: each registers an instance that nobody else writes to, sends heartbeats for it to every node
// from before it is registered until it leaves, and then falls silent or deregisters. While it sends it must not expire,
// whatever happens to the registry (G9).
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { sendBeats } from './beats.ts';
import type { ClientWorld } from './client-world.ts';
import { pick } from './pick.ts';
import { LEASE_TTL_MS, SERVICES } from './targets.ts';
import { write } from './write.ts';

/** More than ten in a TTL: what a checker allows between two rounds is 250 ms. */
const ROUND_MS = 160;
/** Who did not send for so long cannot demand to be kept. */
const BROKEN_MS = LEASE_TTL_MS / 4;
const MIN_STAY_MS = 3000;
const MAX_STAY_MS = 20_000;
const LOOK_MS = 100;
/** Between two lives of one keeper. */
const ABSENCE_MS = 1000;

/** One that is being kept. */
interface Keeping {
  readonly instanceId: string;
  /** Names its generation once it knows it, and so can tell an answer that is not for it. */
  readonly names: boolean;
  /** Its first round and its last; undefined before the first. */
  sent: { readonly fromMs: number; toMs: number } | undefined;
  broken: boolean;
}

/** All keepers of the process. */
export function startKeepers(world: ClientWorld): void {
  const { name, keepers, seed } = world.settings;
  const kept = new Set<Keeping>();
  for (let position = 0; position < keepers; position++) {
    const random = seededRandom(seed + 15_485_863 * (position + 1));
    world.work.start(runKeeper(world, kept, `${name}.keeper${position}`, random));
  }
  if (keepers > 0) world.work.start(sendRounds(world, kept));
}

/** All that are kept in one call to each node, again and again. */
async function sendRounds(world: ClientWorld, kept: ReadonlySet<Keeping>): Promise<void> {
  const { nodes, work, generations } = world;
  let dueMs = monotonicMs();
  while (!work.resting) {
    const nowMs = monotonicMs();
    for (const keeping of kept) {
      if (keeping.sent !== undefined && nowMs - keeping.sent.toMs > BROKEN_MS) {
        keeping.broken = true;
      }
    }
    const sending = [...kept].filter(({ broken }) => !broken);
    const beats = sending.map(({ instanceId, names }) => ({
      instanceId,
      generation: generations.of(instanceId, names ? 'current' : 'any'),
    }));
    if (beats.length > 0) {
      for (const client of nodes.all) work.start(sendBeats(world, client, beats));
      for (const keeping of sending) {
        if (keeping.sent === undefined) keeping.sent = { fromMs: nowMs, toMs: nowMs };
        else keeping.sent.toMs = nowMs;
      }
    }
    dueMs = Math.max(dueMs + ROUND_MS, nowMs + ROUND_MS / 4);
    await work.pause(dueMs - monotonicMs());
  }
}

async function runKeeper(
  world: ClientWorld,
  kept: Set<Keeping>,
  client: string,
  random: Random,
): Promise<void> {
  const { work, note } = world;
  for (let life = 0; !work.resting; life++) {
    const instanceId = `k.${client}.${life}`;
    const keeping: Keeping = {
      instanceId,
      names: random.next() < 0.5,
      sent: undefined,
      broken: false,
    };
    kept.add(keeping);
    await liveOn(world, keeping, client, random);
    kept.delete(keeping);
    if (keeping.sent !== undefined) note({ kind: 'keep', keep: { instanceId, ...keeping.sent } });
    if (random.next() < 0.3 && !work.resting) {
      const job = { client, random, mark: world.nextMark(), searched: false };
      await write(world, job, {
        kind: 'deregister',
        id: instanceId,
        generation: 'current',
        retries: true,
      });
    }
    await work.pause(ABSENCE_MS * random.next());
  }
}

/** Resolves when it leaves, or can no longer say that it never stopped sending. */
async function liveOn(
  world: ClientWorld,
  keeping: Keeping,
  client: string,
  random: Random,
): Promise<void> {
  const { work } = world;
  const untilMs = monotonicMs() + random.integer(MIN_STAY_MS, MAX_STAY_MS);
  const job = { client, random, mark: world.nextMark(), searched: false };
  const registered = write(world, job, {
    kind: 'register',
    ids: [keeping.instanceId],
    service: pick(random, SERVICES),
    ttlMs: LEASE_TTL_MS,
    generation: 'any',
    retries: true,
  });
  while (monotonicMs() < untilMs && !keeping.broken && !work.resting) await work.pause(LOOK_MS);
  // It may still be on its way; nobody sends for it any more.
  await registered;
}
