// Writers: registrations, removals and changes of status of a few instances that all processes fight over, and signs of life
// for them.
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { NamedGeneration } from '../../support/known-generations.ts';
import { idsOf, type WriteAction } from '../../support/write-action.ts';
import type { ClientWorld } from './client-world.ts';
import { keepPace } from './pace.ts';
import { pick, pickWeighted } from './pick.ts';
import { beatOnce, registerAgain } from './signs-of-life.ts';
import { eraAt, LEASE_TTL_MS, LONG_TTL_MS, SERVICES, Targets } from './targets.ts';
import { write } from './write.ts';

const PAUSE_MS = 30;
/** Of one writer. */
const MAX_OPEN = 12;
const BEAT_SHARE = 0.08;
const AGAIN_SHARE = 0.05;

/** All writers of the process. */
export function startWriters(world: ClientWorld): void {
  const { name, writers, seed } = world.settings;
  const targets = new Targets(name);
  for (let position = 0; position < writers; position++) {
    const random = seededRandom(seed + 7919 * (position + 1));
    const client = `${name}.writer${position}`;
    const pace = { pauseMs: PAUSE_MS, maxOpen: MAX_OPEN, random };
    world.work.start(keepPace(world.work, pace, () => begin(world, targets, client, random)));
  }
  if (writers > 0) world.work.start(tidy(world, targets, seededRandom(seed ^ 0x5f3759df)));
}

/** undefined where what was drawn has too much open. */
function begin(
  world: ClientWorld,
  targets: Targets,
  client: string,
  random: Random,
): Promise<unknown> | undefined {
  const drawn = random.next();
  const era = eraAt(monotonicMs());
  if (drawn < BEAT_SHARE) return beatOnce(world, random, targets.any(random, era));
  const again = drawn < BEAT_SHARE + AGAIN_SHARE;
  const id = pick(random, [targets.contended, targets.leased])(random, era);
  const action = again ? undefined : drawWrite(random, targets, era);
  const ids = action === undefined ? [id] : idsOf(action);
  if (!targets.claim(ids)) return undefined;
  const done =
    action === undefined
      ? registerAgain(world, client, random, id)
      : write(world, { client, random, mark: world.nextMark(), searched: true }, action);
  return done.then(() => targets.release(ids));
}

function drawWrite(random: Random, targets: Targets, era: number): WriteAction {
  const draw = pickWeighted(random, [
    [5, () => register(random, [targets.contended(random, era)], LONG_TTL_MS)],
    [3, () => register(random, [targets.leased(random, era)], LEASE_TTL_MS)],
    [6, () => register(random, [targets.own(random, era)], LONG_TTL_MS)],
    [2, () => register(random, targets.batch(random, era), LONG_TTL_MS)],
    [4, () => deregister(random, targets.any(random, era))],
    [3, () => setStatus(random, targets.any(random, era))],
  ] as const);
  return draw();
}

const drawRetries = (random: Random): boolean => random.next() < 0.75;
const drawGeneration = (random: Random): NamedGeneration =>
  pick(random, ['any', 'any', 'current', 'stale']);

function register(random: Random, ids: readonly string[], ttlMs: number): WriteAction {
  const service = pick(random, SERVICES);
  const generation = ids.length === 1 && random.next() < 0.2 ? drawGeneration(random) : 'any';
  return { kind: 'register', ids, service, ttlMs, generation, retries: drawRetries(random) };
}

function deregister(random: Random, id: string): WriteAction {
  return {
    kind: 'deregister',
    id,
    generation: drawGeneration(random),
    retries: drawRetries(random),
  };
}

function setStatus(random: Random, id: string): WriteAction {
  const maintains = random.next() < 0.4;
  return {
    kind: 'setStatus',
    id,
    generation: drawGeneration(random),
    lifecycle: maintains ? undefined : pick(random, ['serving', 'starting', 'draining'] as const),
    maintenance: maintains ? random.next() < 0.6 : undefined,
    retries: drawRetries(random),
  };
}

const LOOK_MS = 250;

/** Removes what an era leaves behind once the next one has begun, and with the rest what the last one does. */
async function tidy(world: ClientWorld, targets: Targets, random: Random): Promise<void> {
  const { work, settings } = world;
  let era = eraAt(monotonicMs());
  while (!work.resting) {
    await work.pause(LOOK_MS);
    const now = eraAt(monotonicMs());
    if (work.resting || now === era) continue;
    for (const id of targets.leftovers(era)) {
      const job = {
        client: `${settings.name}.tidy`,
        random,
        mark: world.nextMark(),
        searched: true,
      };
      await write(world, job, { kind: 'deregister', id, generation: 'any', retries: true });
    }
    era = now;
  }
}
