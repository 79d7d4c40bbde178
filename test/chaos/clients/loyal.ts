// Services that talk to one node alone, as one behind a fixed address does: each instance is kept through a single node for as
// long as it stays. While that node is away it may expire; but once that node has acknowledged a heartbeat, nobody may expire
// it before a TTL has passed (G7), and no other heartbeat covers up for that one.
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { sendBeats } from './beats.ts';
import type { ClientWorld } from './client-world.ts';
import { pick } from './pick.ts';
import { LEASE_TTL_MS, SERVICES } from './targets.ts';
import { write } from './write.ts';

const BEAT_EVERY_MS = 200;
const MIN_STAY_MS = 5000;
const MAX_STAY_MS = 15_000;

/** As many as there are keepers. */
export function startLoyal(world: ClientWorld): void {
  const { name, keepers, seed } = world.settings;
  for (let position = 0; position < keepers; position++) {
    const random = seededRandom(seed + 86_028_121 * (position + 1));
    world.work.start(runLoyal(world, `${name}.loyal${position}`, random, position));
  }
}

async function runLoyal(
  world: ClientWorld,
  client: string,
  random: Random,
  first: number,
): Promise<void> {
  const { work, nodes, generations } = world;
  for (let life = 0; !work.resting; life++) {
    const instanceId = `f.${client}.${life}`;
    const job = { client, random, mark: world.nextMark(), searched: false };
    await write(world, job, {
      kind: 'register',
      ids: [instanceId],
      service: pick(random, SERVICES),
      ttlMs: LEASE_TTL_MS,
      generation: 'any',
      retries: true,
    });
    const node = nodes.at(first + life);
    const untilMs = monotonicMs() + random.integer(MIN_STAY_MS, MAX_STAY_MS);
    while (monotonicMs() < untilMs && !work.resting) {
      const generation = generations.of(instanceId, 'current');
      // Many at a time, if none is answered: what is heard of a node that comes back is what counts.
      work.start(sendBeats(world, node, [{ instanceId, generation }]));
      await work.pause(BEAT_EVERY_MS);
    }
  }
}
