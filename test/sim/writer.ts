// Writes of the simulated clients: tried again on other nodes with one request id until certain, and once more after that.
import type { Revision } from '../../src/lib/ids.ts';
import type { Random } from '../../src/lib/random.ts';
import { type ApplyResult, type CommandBody, encodeBody } from '../../src/registry/index.ts';
import type { WriteRecord } from '../checkers/history.ts';
import { effectOf, idsOf, type WriteAction } from '../support/write-action.ts';
import { isCertain } from './door.ts';
import { anyMachine, type ClientWorld, type Session } from './session.ts';

export interface WriteJob {
  readonly session: Session;
  readonly random: Random;
  /** Unique; also the request id of a write that retries. */
  readonly mark: string;
}

/** One that is not tried again waits for what the node itself has to say, however late. */
const ATTEMPT_MS = 1500;
const ONLY_ATTEMPT_MS = 4000;
const RETRY_MS = 40;
/** Until this a write is tried again; the window of remembered answers is longer. */
const CERTAINTY_MS = 3000;

interface Attempts {
  readonly outcome: WriteRecord['outcome'];
  readonly result: ApplyResult | undefined;
  readonly answers: readonly string[];
}

/** The last registration of each instance that was acknowledged: what is registered again, unchanged. */
const bodies = new WeakMap<ClientWorld, Map<string, CommandBody>>();

export function lastBody(world: ClientWorld, instanceId: string): CommandBody | undefined {
  return bodies.get(world)?.get(instanceId);
}

export async function write(world: ClientWorld, job: WriteJob, action: WriteAction): Promise<void> {
  const { timeline, records, coverage } = world;
  coverage.count('writes');
  if (action.kind === 'register' && action.ids.length > 1) coverage.count('batches');
  const generation =
    action.kind === 'register' && action.ids.length > 1
      ? world.generations.of('', 'any')
      : world.generations.of(idsOf(action)[0] ?? '', action.generation);
  const body = bodyOf(action, job.mark, generation);
  const invokedAtMs = timeline.nowMs;
  const attempts = await attempt(world, job, body, action.retries);
  const { outcome, result } = attempts;
  const said = result === undefined ? '' : JSON.stringify(result);
  world.tell(job.session.name, `${job.mark} ${outcome} ${said}`);
  if (outcome === 'unknown') coverage.count('unknownOutcomes');
  if (outcome === 'rejected') coverage.count('rejections');
  if (result?.kind === 'generationNotCurrent') coverage.count('fencedWrites');
  if (result?.kind === 'registered') remember(world, body);
  for (const [position, instanceId] of idsOf(action).entries()) {
    records.writes.push({
      kind: action.kind,
      instanceId,
      mark: job.mark,
      invokedAtMs,
      returnedAtMs: timeline.nowMs,
      outcome,
      revision: outcome === 'acknowledged' ? (result?.revision ?? 0) : 0,
      changed: outcome === 'acknowledged' && changed(result, position),
      generation,
      effect: effectOf(action, job.mark, existedIn(result)),
      answers: attempts.answers,
    });
    if (result?.kind === 'registered') {
      const told = result.generations[position];
      if (told !== undefined) world.generations.learn(instanceId, told);
    }
  }
  if (result !== undefined) job.session.saw(result.revision);
}

async function attempt(
  world: ClientWorld,
  { random, mark }: WriteJob,
  body: CommandBody,
  retries: boolean,
): Promise<Attempts> {
  const { timeline, door, coverage } = world;
  const giveUpMs = timeline.nowMs + CERTAINTY_MS;
  const requestId = retries ? mark : '';
  const answers: string[] = [];
  let outcome: 'rejected' | 'unknown' = 'rejected';
  let result: ApplyResult | undefined;
  const again = retries && random.next() < 0.3;
  while (timeline.nowMs < giveUpMs) {
    const shortSinceMs = world.shortSinceMs() ?? Number.POSITIVE_INFINITY;
    const first = outcome === 'rejected' && answers.length === 0;
    const short = first && body.kind !== 'deregister' && shortSinceMs <= timeline.nowMs;
    if (short) coverage.count('writesWithoutRoom');
    const patienceMs = retries ? ATTEMPT_MS : ONLY_ATTEMPT_MS;
    const reply = await door.call(anyMachine(world, random), patienceMs, (node) =>
      node.write(body, { requestId, actor: mark }),
    );
    if (reply.kind === 'value') {
      answers.push(JSON.stringify(reply.value));
      if (answers.length > 1) coverage.count('deduplicated');
      if (short && world.shortSinceMs() === shortSinceMs && changed(reply.value, 0)) {
        const since = shortSinceMs.toFixed(0);
        world.blame('G17', `${mark} was written, and since ${since} ms there was no room for it`);
      }
      result ??= reply.value;
      if (answers.length > 1 || !again) break;
    } else if (result === undefined) {
      if (reply.kind === 'lost' || !isCertain(reply.error)) outcome = 'unknown';
      else coverage.count('refusals');
      if (reply.kind === 'refused' && reply.error.message.startsWith('disk_reserve_bytes')) {
        coverage.count('shortages');
        if (body.kind === 'deregister') {
          world.blame('G17', `${mark} takes something away, and was refused for lack of space`);
        }
      }
      if (!retries) break;
    } else break;
    await timeline.sleep(RETRY_MS, undefined, 'client retry');
  }
  if (result === undefined) return { outcome, result, answers };
  return { outcome: isRefusal(result) ? 'rejected' : 'acknowledged', result, answers };
}

const isRefusal = ({ kind }: ApplyResult): boolean =>
  kind === 'notFound' ||
  kind === 'generationNotCurrent' ||
  kind === 'requestIdReused' ||
  kind === 'tooManyInstances';

function changed(result: ApplyResult | undefined, position: number): boolean {
  if (result?.kind === 'registered') return result.generations[position] === result.revision;
  return result?.kind === 'deregistered' && result.existed;
}

const existedIn = (result: ApplyResult | undefined): boolean | undefined =>
  result?.kind === 'deregistered' ? result.existed : undefined;

function remember(world: ClientWorld, body: CommandBody): void {
  if (body.kind !== 'register') return;
  const known = bodies.get(world) ?? new Map<string, CommandBody>();
  known.set(body.item.instanceId, body);
  bodies.set(world, known);
}

function bodyOf(action: WriteAction, mark: string, generation: Revision): CommandBody {
  const namespace = 'default';
  switch (action.kind) {
    case 'register': {
      const { service, ttlMs } = action;
      const items = action.ids.map((instanceId) => item(instanceId, service, ttlMs, mark));
      const [first] = items;
      if (items.length !== 1 || first === undefined) return { kind: 'registerBatch', items };
      return { kind: 'register', item: first, ifGeneration: generation };
    }
    case 'deregister':
      return { kind: 'deregister', namespace, instanceId: action.id, generation, reason: mark };
    case 'setStatus': {
      const { lifecycle, maintenance, id: instanceId } = action;
      return {
        kind: 'setStatus',
        namespace,
        instanceId,
        generation,
        lifecycle,
        maintenance,
        reason: mark,
      };
    }
  }
}

/** Bodies of very different sizes: some entries are one sector of the log, some are several. */
function padding(mark: string): string {
  const number = Number(mark.slice(1));
  return '.'.repeat(number % 2 === 0 ? (number * 197) % 1200 : 0);
}

function item(instanceId: string, serviceName: string, ttlMs: number, mark: string) {
  const namespace = 'default';
  const body = encodeBody({
    namespace,
    serviceName,
    instanceId,
    host: '10.0.0.1',
    port: 8080,
    metadata: new Map([
      ['mark', mark],
      ['padding', padding(mark)],
    ]),
    tags: [],
    version: '',
    region: '',
    zone: '',
    weight: 100,
    ports: new Map(),
    ttlMs,
  });
  return { namespace, serviceName, instanceId, lifecycle: 'serving', ttlMs, body } as const;
}
