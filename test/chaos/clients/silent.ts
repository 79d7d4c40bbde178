// Instances that are registered once and never heard of again: they must expire, in time and not before (G7, G8).
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import type { ClientWorld } from './client-world.ts';
import { keepPace } from './pace.ts';
import { pick } from './pick.ts';
import { LEASE_TTL_MS, SERVICES } from './targets.ts';
import { write } from './write.ts';

const PAUSE_MS = 300;
/** Of one client. */
const MAX_OPEN = 8;

/** All of the process. */
export function startSilent(world: ClientWorld): void {
  const { name, silent, seed } = world.settings;
  for (let position = 0; position < silent; position++) {
    const random = seededRandom(seed + 32_452_843 * (position + 1));
    const client = `${name}.silent${position}`;
    const pace = { pauseMs: PAUSE_MS, maxOpen: MAX_OPEN, random };
    let count = 0;
    world.work.start(
      keepPace(world.work, pace, () => register(world, client, random, `s.${client}.${count++}`)),
    );
  }
}

function register(
  world: ClientWorld,
  client: string,
  random: Random,
  id: string,
): Promise<unknown> {
  const job = { client, random, mark: world.nextMark(), searched: false };
  return write(world, job, {
    kind: 'register',
    ids: [id],
    service: pick(random, SERVICES),
    ttlMs: LEASE_TTL_MS,
    generation: 'any',
    retries: random.next() < 0.5,
  });
}
