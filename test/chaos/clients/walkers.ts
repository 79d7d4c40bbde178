// Walks through all instances page by page, each page at another node: all of them are the state of one revision.
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import type { Instance__Output } from '../../../src/rpc/gen/rollcall/v1/Instance.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ClientWorld } from './client-world.ts';
import { type Asked, listCall, noteFailedRead, noteRead, readOptions } from './reads.ts';

const PAUSE_MS = 500;
const MAX_PAGES = 60;

/** All walkers of the process. */
export function startWalkers(world: ClientWorld): void {
  const { name, walkers, seed } = world.settings;
  for (let position = 0; position < walkers; position++) {
    const random = seededRandom(seed + 67_867_967 * (position + 1));
    world.work.start(runWalker(world, `${name}.walker${position}`, random));
  }
}

async function runWalker(world: ClientWorld, client: string, random: Random): Promise<void> {
  const { work } = world;
  for (let position = 0; !work.resting; position++) {
    await work.pause(2 * PAUSE_MS * random.next());
    if (work.resting) return;
    try {
      await walk(world, client, random, position);
    } catch (error) {
      noteFailedRead(world, client, error);
    }
  }
}

async function walk(
  world: ClientWorld,
  client: string,
  random: Random,
  first: number,
): Promise<void> {
  const consistency = 'linearizable';
  const asked: Asked = { client, consistency, minRevision: 0, invokedAtMs: monotonicMs() };
  const found: Instance__Output[] = [];
  const pageSize = random.integer(4, 16);
  let token = '';
  let revision = 0;
  for (let page = 0; page < MAX_PAGES; page++) {
    const request = {
      selector: {},
      read: readOptions(asked),
      page_size: pageSize,
      page_token: token,
    };
    const answer = await listCall(world.nodes.at(first + page), request);
    const at = Number(answer.revision);
    if (page > 0 && at !== revision) {
      // Told as an answer older than demanded, which no checker lets pass.
      const torn = { ...asked, minRevision: Math.max(at, revision) };
      noteRead(world, torn, Math.min(at, revision), answer.instances);
      return;
    }
    revision = at;
    found.push(...answer.instances);
    token = answer.next_page_token;
    if (token === '') {
      noteRead(world, asked, revision, found);
      return;
    }
  }
}
