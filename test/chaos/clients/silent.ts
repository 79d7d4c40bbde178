// Instances that are registered once and never heard of again: they must expire, in time and not before (G7, G8).
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import type { ClientWorld } from './client-world.ts';
import { pick } from './pick.ts';
import { LEASE_TTL_MS, SERVICES } from './targets.ts';
import { write } from './write.ts';

const PAUSE_MS = 300;
/** Registrations of one client that are open at one time. */
const MAX_OPEN = 8;

/** All of the process. */
export function startSilent(world: ClientWorld): void {
  const { name, silent, seed } = world.settings;
  for (let position = 0; position < silent; position++) {
    const random = seededRandom(seed + 32_452_843 * (position + 1));
    world.work.start(register(world, `${name}.silent${position}`, random));
  }
}

async function register(world: ClientWorld, client: string, random: Random): Promise<void> {
  const { work } = world;
  let open = 0;
  for (let count = 0; !work.resting; count++) {
    await work.pause(2 * PAUSE_MS * random.next());
    if (work.resting || open >= MAX_OPEN) continue;
    open++;
    const job = { client, random, mark: world.nextMark(), searched: false };
    const written = write(world, job, {
      kind: 'register',
      ids: [`s.${client}.${count}`],
      service: pick(random, SERVICES),
      ttlMs: LEASE_TTL_MS,
      generation: 'any',
      retries: random.next() < 0.5,
    });
    work.start(
      written.then(() => {
        open--;
      }),
    );
  }
}
