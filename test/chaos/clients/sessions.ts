// Clients that read, and read elsewhere what they have seen or written: no answer may be older than what they demand (G11).
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ClientWorld } from './client-world.ts';
import { keepPace } from './pace.ts';
import { pick, pickWeighted } from './pick.ts';
import {
  type Asked,
  type Consistency,
  getCall,
  listCall,
  noteFailedRead,
  noteRead,
  readOptions,
} from './reads.ts';
import { eraAt, LEASE_TTL_MS, SERVICES, Targets } from './targets.ts';
import { write } from './write.ts';

const PAUSE_MS = 30;
/** Of one session. */
const MAX_OPEN = 8;
/** Between two signs of the leader that a node hears there are some 50 ms. */
const MAX_STALENESS_MS = 500;

interface Session {
  readonly client: string;
  readonly random: Random;
  readonly targets: Targets;
  /** The highest revision that it was shown. */
  seen: number;
  position: number;
}

/** All sessions of the process. */
export function startSessions(world: ClientWorld): void {
  const { name, sessions, seed } = world.settings;
  const targets = new Targets(name);
  for (let position = 0; position < sessions; position++) {
    const random = seededRandom(seed + 49_979_687 * (position + 1));
    const client = `${name}.session${position}`;
    const session = { client, random, targets, seen: 0, position };
    const pace = { pauseMs: PAUSE_MS, maxOpen: MAX_OPEN, random };
    world.work.start(keepPace(world.work, pace, () => step(world, session)));
  }
}

const steps = [
  [3, getOne],
  [5, listOne],
  [2, listService],
  [1, writeOwn],
] as const;

/** At the next node. */
async function step(world: ClientWorld, session: Session): Promise<void> {
  session.position++;
  try {
    await pickWeighted(session.random, steps)(world, session);
  } catch (error) {
    noteFailedRead(world, session.client, error);
  }
}

function ask(session: Session, what: Pick<Asked, 'service' | 'instanceId'>): Asked {
  const { client, random, seen } = session;
  const levels = ['linearizable', 'linearizable', 'linearizable', 'bounded', 'stale'] as const;
  const consistency: Consistency = pick(random, levels);
  const minRevision = random.next() < 0.6 ? seen : 0;
  const bound = consistency === 'bounded' ? { maxStalenessMs: MAX_STALENESS_MS } : {};
  return { client, consistency, minRevision, ...bound, ...what, invokedAtMs: monotonicMs() };
}

function drawId({ random, targets }: Session): string {
  const era = eraAt(monotonicMs());
  return pickWeighted(random, [
    [6, targets.contended],
    [2, targets.leased],
    [2, targets.own],
  ])(random, era);
}

function saw(session: Session, revision: number): void {
  session.seen = Math.max(session.seen, revision);
}

async function getOne(world: ClientWorld, session: Session): Promise<void> {
  const asked = ask(session, { instanceId: drawId(session) });
  const answer = await getCall(world.nodes.at(session.position), asked);
  if (answer === undefined) {
    world.tally.reads++;
    return;
  }
  const { instance, revision } = answer;
  noteRead(world, asked, Number(revision), instance === null ? [] : [instance]);
  saw(session, Number(revision));
}

/** One instance, by its tag: of a known revision whether it is there or not. */
async function listOne(world: ClientWorld, session: Session): Promise<void> {
  const id = drawId(session);
  const asked = ask(session, { instanceId: id });
  await list(world, session, asked, { tags: [id] });
}

async function listService(world: ClientWorld, session: Session): Promise<void> {
  const all = session.random.next() < 0.1;
  const service = pick(session.random, SERVICES);
  const asked = ask(session, all ? {} : { service });
  await list(world, session, asked, all ? {} : { services: [service] });
}

async function list(
  world: ClientWorld,
  session: Session,
  asked: Asked,
  selector: { readonly tags?: string[]; readonly services?: string[] },
): Promise<void> {
  const request = { selector, read: readOptions(asked) };
  const answer = await listCall(world.nodes.at(session.position), request);
  noteRead(world, asked, Number(answer.revision), answer.instances);
  saw(session, Number(answer.revision));
}

/** Whatever it is told next, on any node, must be no older than that. */
async function writeOwn(world: ClientWorld, session: Session): Promise<void> {
  const { client, random } = session;
  const job = { client, random, mark: world.nextMark(), searched: false };
  const answer = await write(world, job, {
    kind: 'register',
    ids: [`r.${client}`],
    service: pick(random, SERVICES),
    ttlMs: LEASE_TTL_MS,
    generation: 'any',
    retries: false,
  });
  if (answer !== undefined) saw(session, answer.revision);
}
