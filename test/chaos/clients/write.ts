// One write of a client from its beginning to its record: tried again on other nodes with one request id until its outcome
// is certain, and sometimes sent once more long after that, when its answer must still be the same (G4).
import type { Revision } from '../../../src/lib/ids.ts';
import type { Random } from '../../../src/lib/random.ts';
import type { WriteRecord } from '../../checkers/history.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { effectOf, idsOf, type WriteAction } from '../../support/write-action.ts';
import { outcomeOf } from '../../support/write-outcome.ts';
import type { ClientWorld } from './client-world.ts';
import { type WriteAnswer, type WriteCall, writeCall } from './write-call.ts';

const ATTEMPT_MS = 1000;
/** One that is not tried again waits for what the node itself has to say. */
const ONLY_ATTEMPT_MS = 2500;
const FIRST_RETRY_MS = 30;
const MAX_RETRY_MS = 500;
/** How long an uncertain write is tried again, and one that was only ever refused. */
const CERTAINTY_MS = 25_000;
const REFUSAL_MS = 2000;
/** Of the answered writes that can be, so many are sent again, so much later. */
const REPEAT_SHARE = 0.3;
const REPEAT_AFTER_MS = 8000;
const MAX_REPEATS = 200;

export interface WriteJob {
  readonly client: string;
  readonly random: Random;
  readonly mark: string;
  /** Whether a search follows the values of these instances. */
  readonly searched: boolean;
}

interface Attempted {
  readonly outcome: WriteRecord['outcome'];
  readonly answer: WriteAnswer | undefined;
  readonly returnedAtMs: number;
}

let repeats = 0;

/** Resolves with the answer once there is one, or none can be expected any more; its record may come later. */
export async function write(
  world: ClientWorld,
  job: WriteJob,
  action: WriteAction,
): Promise<WriteAnswer | undefined> {
  const { random, mark } = job;
  const ids = idsOf(action);
  const named = ids.length === 1 ? (ids[0] ?? '') : '';
  const generation = world.generations.of(named, action.generation);
  const call = writeCall(action, mark, generation, action.retries ? mark : '');
  const invokedAtMs = monotonicMs();
  const attempted = await attempt(world, random, call, action.retries);
  const { answer } = attempted;
  count(world, attempted);
  for (const [position, instanceId] of ids.entries()) {
    const told = answer?.generations[position];
    if (told !== undefined) world.generations.learn(instanceId, told);
  }
  remember(world, action, mark, answer);
  const done = { generation, invokedAtMs, ...attempted };
  if (answer === undefined) note(world, job, action, done, []);
  else if (!action.retries || random.next() >= REPEAT_SHARE || repeats >= MAX_REPEATS) {
    note(world, job, action, done, [answer.words]);
  } else {
    const again = repeat(world, random, call);
    world.work.start(
      again.then((words) => note(world, job, action, done, [answer.words, ...words])),
    );
  }
  return answer;
}

function remember(
  { registered }: ClientWorld,
  action: WriteAction,
  mark: string,
  answer: WriteAnswer | undefined,
): void {
  if (action.kind !== 'register' || answer === undefined || answer.refusal) return;
  const { ids, service, ttlMs } = action;
  if (ids.length === 1) registered.keep(ids[0] ?? '', { service, ttlMs, mark });
}

function count({ tally }: ClientWorld, { outcome, returnedAtMs }: Attempted): void {
  tally[outcome]++;
  if (outcome === 'acknowledged') tally.lastAcknowledgedAtMs = returnedAtMs;
}

interface Done extends Attempted {
  readonly generation: Revision;
  readonly invokedAtMs: number;
}

/** One record for each instance. */
function note(
  world: ClientWorld,
  { client, mark, searched }: WriteJob,
  action: WriteAction,
  { answer, outcome, generation, invokedAtMs, returnedAtMs }: Done,
  answers: readonly string[],
): void {
  const acknowledged = outcome === 'acknowledged';
  for (const [position, instanceId] of idsOf(action).entries()) {
    const record: WriteRecord = {
      kind: action.kind,
      instanceId,
      mark,
      invokedAtMs,
      returnedAtMs,
      outcome,
      revision: acknowledged ? (answer?.revision ?? 0) : 0,
      changed: acknowledged && changed(answer, position),
      generation,
      ...(searched ? { effect: effectOf(action, mark, answer?.existed) } : {}),
      answers,
    };
    world.note({ kind: 'write', client, write: record });
  }
}

async function attempt(
  { nodes, work }: ClientWorld,
  random: Random,
  call: WriteCall,
  retries: boolean,
): Promise<Attempted> {
  const beganAtMs = monotonicMs();
  let outcome: 'rejected' | 'unknown' = 'rejected';
  let waitMs = FIRST_RETRY_MS;
  for (let position = random.integer(0, nodes.all.length); ; position++) {
    try {
      const answer = await call(nodes.at(position), retries ? ATTEMPT_MS : ONLY_ATTEMPT_MS);
      const decided = answer.refusal ? 'rejected' : 'acknowledged';
      return { outcome: decided, answer, returnedAtMs: monotonicMs() };
    } catch (error) {
      if (outcomeOf(error) === 'unknown') outcome = 'unknown';
    }
    const returnedAtMs = monotonicMs();
    const tiredAfterMs = outcome === 'unknown' ? CERTAINTY_MS : REFUSAL_MS;
    if (!retries || returnedAtMs - beganAtMs > tiredAfterMs) {
      return { outcome, answer: undefined, returnedAtMs };
    }
    await work.pauseThrough(waitMs * (0.5 + random.next()));
    waitMs = Math.min(2 * waitMs, MAX_RETRY_MS);
  }
}

/** The answers to the same request later on; none where nobody answered. */
async function repeat(
  { nodes, work }: ClientWorld,
  random: Random,
  call: WriteCall,
): Promise<readonly string[]> {
  repeats++;
  await work.pause(random.next() * REPEAT_AFTER_MS);
  try {
    return [(await call(nodes.any(random), ATTEMPT_MS)).words];
  } catch {
    return [];
  } finally {
    repeats--;
  }
}

/** Whether a status changed cannot be told from its answer. */
function changed(answer: WriteAnswer | undefined, position: number): boolean {
  if (answer === undefined) return false;
  const generation = answer.generations[position];
  return generation === undefined ? answer.existed === true : generation === answer.revision;
}
